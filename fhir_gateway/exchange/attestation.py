"""What the facility's signature on a message is worth, told on the receipt, in the ledger and in the Provenance.

The signature is over the file as it came, so it is looked at here, where the original bytes are, not in an adapter.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from adapters.contract import Account, Adapter, Fate, Hospital, Message, Signing
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue, Problem
from fhir_gateway.security.xmlsign import State, Verdict, examine

POLICIES = ("ignored", "noted", "required")
CHECK = "urn:vn:quang-ninh:fhir-gateway:signature-check"
SIGNATURE_TYPES = "urn:iso-astm:E1762-95:2013"
VERIFICATION = {"system": SIGNATURE_TYPES, "code": "1.2.840.10065.1.12.1.5", "display": "Verification Signature"}


def signing_of(table: Mapping[str, Any], folder: Traversable, file: str) -> Signing:
    """``[signature]`` of a hospital's file. Raises Problem for an unknown policy or a root that cannot be read."""
    section = table.get("signature", {})
    policy = str(section.get("policy", "noted"))
    if policy not in POLICIES:
        raise Problem(f"{file} [signature] policy is one of {', '.join(POLICIES)}", file)
    return Signing(policy, tuple(_pem(folder / str(name), file) for name in section.get("roots", ())))


def trusting(hospital: Hospital, folder: Path | None) -> Hospital:
    """The hospital with the certificates that stand in its folder of trust besides."""
    own = sorted((folder / hospital.name).glob("*.pem")) if folder else []
    roots = (*hospital.signing.roots, *(_pem(path, hospital.name) for path in own))
    return replace(hospital, signing=replace(hospital.signing, roots=roots)) if own else hospital


def _pem(path: Traversable, file: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise Problem(f"{file} [signature] {path.name} cannot be read", file) from fault
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise Problem(f"{file} [signature] {path.name} holds no certificate", file)
    return content


def place_of(adapter: Adapter) -> str:
    """Where messages of this format carry the facility's signature; empty for formats that carry none."""
    return str(getattr(adapter, "SIGNATURE_PLACE", ""))


def attest(adapter: Adapter, message: Message) -> Verdict | None:
    """The verdict on a message's signature; None where nobody is to look: by its format, or by the hospital's file."""
    signing = message.hospital.signing
    if signing.policy == "ignored" or not place_of(adapter):
        return None
    return examine(message.body, signing.roots, message.received)


def faults(
    adapter: Adapter, hospital: Hospital, verdict: Verdict | None, ledger: tuple[Account, ...] = ()
) -> tuple[Issue, ...]:
    """Why the message must not enter the records: the hospital's file requires a good signature."""
    if verdict is None or verdict.state is State.VALID or hospital.signing.policy != "required":
        return ()
    told = f"the facility's signature is required and is {verdict.state}"
    return (Issue(f"{told}: {verdict.reason}" if verdict.reason else told, _place_in(adapter, ledger), "security"),)


def _place_in(adapter: Adapter, ledger: tuple[Account, ...]) -> str:
    """The signature's place below the root that this message has: a check-in stands without the envelope."""
    _, root, last = place_of(adapter).split("/")
    return f"/{ledger[0].place.split('/')[1] if ledger else root}/{last}"


def told(adapter: Adapter, ledger: tuple[Account, ...], verdict: Verdict | None) -> tuple[Account, ...]:
    """The ledger with the outcome as the reason at the signature's own place."""
    if verdict is None or verdict.state is State.ABSENT:
        return ledger
    last = place_of(adapter).rpartition("/")[2]
    outcome = f"signature over the original file, which the gateway keeps: {verdict.state}"
    reason = f"{outcome} ({verdict.reason})" if verdict.reason else outcome
    return tuple(
        replace(account, fate=Fate.IGNORED, reason=reason) if _names_it(account.place, last) else account
        for account in ledger
    )


def _names_it(place: str, last: str) -> bool:
    """Whether it is the signature's place right below the root, whatever the root is called: a check-in has its own."""
    return place.endswith(f"/{last}") and place.count("/") == 2


def on_provenance(source: Resource, verdict: Verdict | None, hospital: Resource, received: str) -> Resource:
    """The source Provenance with the outcome, and with the signature itself where it is good."""
    if verdict is None or verdict.state is State.ABSENT:
        return source
    rows = [{"url": name, "valueString": text} for name, text in verdict.content().items()]
    marked: Resource = {**source, "extension": [*source.get("extension", ()), {"url": CHECK, "extension": rows}]}
    if verdict.state is not State.VALID:
        return marked
    who = {**hospital, "display": verdict.signer or verdict.organization} if verdict.signer else hospital
    signature = {
        "type": [VERIFICATION],
        "when": verdict.signed or received,
        "who": who,
        "targetFormat": "application/xml",
        "sigFormat": "application/signature+xml",
        "data": verdict.signature,
    }
    return {**marked, "signature": [signature]}
