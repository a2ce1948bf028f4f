"""From a message to checked FHIR: picks the adapter, runs it, holds its work against R4.

https://hl7.org/fhir/R4/validation.html
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import Account, Adapter, Message, Translation, Untranslatable
from fhir_gateway.fhir import validation
from fhir_gateway.problem import Issue

Adapters = Mapping[str, Adapter]


@dataclass(frozen=True, slots=True)
class Translated:
    """A checked translation; with ``faults`` the message must be quarantined."""

    adapter: str
    translation: Translation | None
    faults: tuple[Issue, ...] = ()

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """The ledger as plain values."""
        return [_plain(account) for account in self.translation.ledger] if self.translation else []

    @property
    def counts(self) -> dict[str, int]:
        """How many source fields were mapped, ignored, unmapped, and their sum."""
        fates = Counter(str(account.fate) for account in self.translation.ledger) if self.translation else Counter()
        tally = {fate: fates.get(fate, 0) for fate in ("mapped", "ignored", "unmapped")}
        return {**tally, "fields": sum(tally.values())}


def _plain(account: Account) -> dict[str, Any]:
    return {
        "place": account.place,
        "fate": str(account.fate),
        "targets": list(account.targets),
        "reason": account.reason,
        "offset": account.offset,
    }


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


def translate(adapters: Adapters, message: Message) -> Translated:
    """Run the adapter and the gate; never raises for what a hospital sent."""
    name, adapter = choose(adapters, message)
    try:
        translation = adapter.translate(message)
    except Untranslatable as refusal:
        return Translated(name, None, (Issue(refusal.reason, refusal.where, "structure"),))
    return Translated(name, translation, tuple(_faults(translation)))


def _faults(translation: Translation) -> list[Issue]:
    entries = translation.bundle.get("entry", [])
    if not entries:
        return [Issue("nothing in the message could be mapped", "Bundle.entry", "structure")]
    return [issue for issue in validation.validate(translation.bundle) if issue.severity in ("error", "fatal")]
