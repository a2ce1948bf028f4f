"""AuditEvents as fast as they are needed: one for every request, most of them alike but for a few names.

https://hl7.org/fhir/R4/auditevent.html

What two requests of one kind by one caller leave differs in id, time, request number, query and the ids of what was
touched. So the text and the search keys of a kind are made once, with blanks, and then filled in: 10 µs instead of 60.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.resource import instant
from fhir_gateway.search.extract import index
from fhir_gateway.security.audit import Act, Event, Make, audit_event
from fhir_gateway.security.audit import event as made_anew

MOST_NAMES = 8
KINDS = 1024

_REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})((?:/_history/[0-9]{1,9})?)")
_REQUEST = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
_LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
_BLANK = "blank-{}-blank"
_BLANKS = re.compile(r"blank-(\d+)-blank")
_ID, _TIME, _QUERY, _NUMBER, _NAMES = range(5)


@dataclass(frozen=True, slots=True)
class _Form:
    """The text in pieces, and after each but the last the blank to fill; keys with a blank in two pieces."""

    text: tuple[bytes, ...]
    blanks: tuple[int, ...]
    fixed: tuple[str, ...]
    open: tuple[tuple[str, int, str], ...]
    patients: tuple[int, ...]


def event(act: Act, recorded: datetime, gateway: str, name: str) -> Event:
    """The AuditEvent of an act under the id ``name``; the same as ``security.audit`` makes."""
    return maker(act, gateway)(name, recorded)


def maker(act: Act, gateway: str) -> Make:
    """What makes the AuditEvent of an act, as often as its page needs it, once its id and moment are settled."""
    references = (*act.entities, *act.patients)
    matches = [_REFERENCE.fullmatch(reference) for reference in references]
    rare = act.purpose or act.caller is None or len(matches) > MOST_NAMES or not all(matches)
    if rare or (act.request and not _REQUEST.fullmatch(act.request)):
        return lambda name, recorded: made_anew(act, recorded, gateway, index, name)
    ends = tuple((match[1], match[3]) for match in matches if match)
    form = _form(_kind(act), ends, gateway)
    query = b64encode(act.query.encode()).decode() if act.query else ""
    known = (query, act.request, *(match[2] for match in matches if match))
    return lambda name, recorded: _filled(form, known, name, recorded)


def _filled(form: _Form, known: Sequence[str], name: str, recorded: datetime) -> Event:
    recorded = recorded.replace(microsecond=recorded.microsecond // 1000 * 1000)
    values = (name, instant(recorded), *known)
    return Event(name, recorded, _text(form, values), _index(form, values, recorded))


def _kind(act: Act) -> Act:
    """What stays of an act when everything that differs from request to request is taken out."""
    names, query, request = ("",) * len(act.entities), "?" if act.query else "", "-" if act.request else ""
    return Act(act.interaction, act.caller, act.status, act.address, names, (), query, request)


@lru_cache(maxsize=KINDS)
def _form(kind: Act, ends: tuple[tuple[str, str], ...], gateway: str) -> _Form:
    names = [f"{type_}/{_BLANK.format(_NAMES + at)}{rest}" for at, (type_, rest) in enumerate(ends)]
    many = len(kind.entities)
    request = _BLANK.format(_NUMBER) if kind.request else ""
    act = replace(kind, entities=tuple(names[:many]), patients=tuple(names[many:]), request=request)
    resource = {**audit_event(act, _LONG_AGO, gateway), "id": _BLANK.format(_ID)}
    text = encode(resource).decode().replace(instant(_LONG_AGO), _BLANK.format(_TIME))
    if kind.query:
        text = text.replace(f'"query":"{b64encode(b"?").decode()}"', f'"query":"{_BLANK.format(_QUERY)}"')
    pieces = _BLANKS.split(text)
    fields = index({name: value for name, value in resource.items() if name not in ("id", "recorded")})
    keys = [_BLANKS.split(key) for key in fields["keys"]]
    return _Form(
        tuple(piece.encode() for piece in pieces[::2]),
        tuple(int(blank) for blank in pieces[1::2]),
        tuple(key[0] for key in keys if len(key) == 1),
        tuple((key[0], int(key[1]), key[2]) for key in keys if len(key) == 3),
        tuple(int(_BLANKS.fullmatch(patient)[1]) for patient in fields["patients"]),  # type: ignore[index]
    )


def _text(form: _Form, values: Sequence[str]) -> bytes:
    filled = [
        part for piece, blank in zip(form.text, form.blanks, strict=False) for part in (piece, values[blank].encode())
    ]
    return b"".join([*filled, form.text[-1]])


def _index(form: _Form, values: Sequence[str], recorded: datetime) -> dict[str, Any]:
    moment = _moment(recorded)
    keys = [*form.fixed, *moment["keys"], *(before + values[blank] + after for before, blank, after in form.open)]
    patients = sorted({values[blank] for blank in form.patients})
    return {"keys": list(dict.fromkeys(keys)), "patients": patients, "spans": moment["spans"]}


@lru_cache(maxsize=8)
def _moment(recorded: datetime) -> dict[str, Any]:
    """The keys of the time alone: all events of a page share them."""
    return index({"resourceType": "AuditEvent", "recorded": instant(recorded)})
