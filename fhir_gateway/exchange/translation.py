"""From a message to checked FHIR: picks the adapter, runs it, holds its work against R4.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.contract import Account, Adapter, Divisible, Fate, Message, Piece, Translation, Untranslatable
from fhir_gateway.exchange import attestation, mapping
from fhir_gateway.exchange.blame import placed
from fhir_gateway.exchange.division import MOST_ROWS, Apart, joined
from fhir_gateway.fhir import validation
from fhir_gateway.problem import Issue
from fhir_gateway.security import secrecy
from fhir_gateway.security.xmlsign import Verdict

Adapters = Mapping[str, Adapter]


@dataclass(frozen=True, slots=True)
class Translated:
    """A checked translation; with ``faults`` the message must be quarantined. ``mapping`` is its version.

    With ``pieces`` the message is too long for one commit: each is to be kept as a message of its own. ``apart`` are
    rows that could not be used beside the others. ``verdict`` is what the facility's signature is worth.
    """

    adapter: str
    translation: Translation | None
    faults: tuple[Issue, ...] = ()
    mapping: str = ""
    pieces: tuple[Piece, ...] = ()
    apart: tuple[Apart, ...] = ()
    verdict: Verdict | None = None

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """The ledger as plain values."""
        return [_plain(account) for account in self.translation.ledger] if self.translation else []

    @property
    def counts(self) -> dict[str, int]:
        """How many source fields were mapped, ignored, unmapped, and their sum."""
        fates = [account.fate for account in self.translation.ledger] if self.translation else []
        return {**{str(fate): fates.count(fate) for fate in Fate}, "fields": len(fates)}


def _plain(account: Account) -> dict[str, Any]:
    return {
        "place": account.place,
        "fate": str(account.fate),
        "targets": list(account.targets),
        "reason": account.reason,
        "offset": account.offset,
    }


def followed(translated: Translated, filed: Mapping[str, Any]) -> Translated:
    """The translation with a ledger that leads to where things were filed: a stand-in under what it stands for."""
    said = translated.translation
    assert said is not None
    made = [entry["request"]["url"] for entry in said.bundle["entry"]]
    gone, come = [ref for ref in made if ref not in filed], [ref for ref in filed if ref not in made]
    if not gone or len(come) != 1:
        return translated
    ledger = tuple(replace(a, targets=_led(a.targets, gone[0], come[0])) for a in said.ledger)
    return replace(translated, translation=replace(said, ledger=ledger))


def _led(targets: tuple[str, ...], gone: str, come: str) -> tuple[str, ...]:
    return tuple(come + target.removeprefix(gone) if target.startswith(f"{gone}#") else target for target in targets)


def choose(adapters: Adapters, message: Message) -> tuple[str, Adapter]:
    """The hospital's adapter that knows the media type and recognises the bytes; else its first one."""
    names = [name for name in message.hospital.adapters if name in adapters]
    essence = message.media_type.split(";", 1)[0].strip().lower()
    declared = [name for name in names if essence in adapters[name].MEDIA_TYPES]
    for name in [*declared, *names]:
        if adapters[name].recognises(message.body):
            return name, adapters[name]
    chosen = (declared or names)[0]
    return chosen, adapters[chosen]


def translate(adapters: Adapters, message: Message, most: int | None = None) -> Translated:
    """Run the adapter and the gate; never raises for what a hospital sent.

    ``most`` rows are taken at once; where it is not said, as many as the adapter says, else a hundred.
    """
    name, adapter = choose(adapters, message)
    version = mapping.version(name, adapter, message.hospital)
    together: int = getattr(adapter, "ROWS_TOGETHER", MOST_ROWS)
    pieces = _divided(adapter, message, most or together)
    if pieces:
        return Translated(name, None, (), version, pieces=pieces)
    whole = _whole((name, version), adapter, message)
    return _row_by_row(whole, adapter, message) if whole.faults else whole


def _divided(adapter: Adapter, message: Message, most: int) -> tuple[Piece, ...]:
    """The pieces of a message that holds more than ``most`` rows; what cannot be read at all has none."""
    if not isinstance(adapter, Divisible):
        return ()
    try:
        return tuple(adapter.divide(message, most))
    except Untranslatable:
        return ()


def _row_by_row(whole: Translated, adapter: Adapter, message: Message) -> Translated:
    """The rows that can be used, the others set apart; the message as it is where that makes no difference."""
    rows = _divided(adapter, message, 1)
    named = (whole.adapter, whole.mapping)
    tried = [
        (piece, _whole(named, adapter, replace(message, media_type=piece.media_type, body=piece.body)))
        for piece in rows
    ]
    if all(row.faults for _, row in tried):
        return whole
    apart = tuple(Apart(piece, row.faults) for piece, row in tried if row.faults)
    return replace(
        whole,
        translation=joined([(piece, None if row.faults else row.translation) for piece, row in tried]),
        faults=(),
        apart=apart,
    )


def _whole(named: tuple[str, str], adapter: Adapter, message: Message) -> Translated:
    name, version = named
    try:
        translation = adapter.translate(message)
    except Untranslatable as refusal:
        return Translated(name, None, (Issue(refusal.reason, refusal.where, "structure"),), version)
    secrecy.label(translation.bundle)
    verdict = attestation.attest(adapter, message)
    signed = replace(translation, ledger=attestation.told(adapter, translation.ledger, verdict))
    faults = (*attestation.faults(adapter, message.hospital, verdict, translation.ledger), *_faults(translation))
    return Translated(name, signed, faults, version, verdict=verdict)


def _faults(translation: Translation) -> list[Issue]:
    entries = translation.bundle.get("entry", [])
    if not entries:
        return [Issue("nothing in the message could be mapped", "Bundle.entry", "structure")]
    found = validation.validate(translation.bundle)
    return placed((issue for issue in found if issue.severity in ("error", "fatal")), translation)
