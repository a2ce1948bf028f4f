"""What a sender of HL7 v2 is answered: which acknowledgements it wants, when, and how each is written.

http://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading23 (2.9 Message processing rules; table 0155)
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.exchange.remapping import QUARANTINED_AS
from fhir_gateway.problem import Problem

PLACE = re.compile(r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>\d+)\])?(?:-(?P<field>\d+))?")
MISSING = re.compile(r"\b(missing|without|has no|no identifier)\b")
# Issues that are no fault of the message, and fields of the header with conditions of their own (table 0357).
OUR_OWN = frozenset({"exception", "timeout", "transient", "throttled", "lock-error", "no-store"})
HEADER = {
    "9": ("200", "Unsupported message type"),
    "11": ("202", "Unsupported processing ID"),
    "12": ("203", "Unsupported version ID"),
}
# Where a message that cannot be looked into is refused.
WHOLE = "body"
ACKNOWLEDGEMENTS = frozenset({"ACK", "MCF"})
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Header:
    """What an acknowledgement needs of a message's MSH; empty strings where the message has none."""

    separator: str
    encoding: str
    fields: tuple[str, ...]

    def field(self, position: int) -> str:
        """MSH-``position`` (MSH-1 is the separator itself)."""
        return self.fields[position - 1] if len(self.fields) >= position else ""

    @property
    def kind(self) -> str:
        """The message code, MSH-9.1."""
        return self.field(9).split(self.encoding[:1] or "^")[0]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The code of an acknowledgement, its text, and for an error the places."""

    code: str
    text: str
    faults: tuple[Mapping[str, str], ...] = ()

    @property
    def failed(self) -> bool:
        return not self.code.endswith("A")


@dataclass(frozen=True, slots=True)
class Wanted:
    """When a commit and when an application acknowledgement is due, in the codes of table 0155.

    In original mode there is no commit acknowledgement, and the one answer is the application's.
    """

    enhanced: bool
    accept: str = "NE"
    application: str = "AL"


ORIGINAL = Wanted(False)
COMMIT_ONLY = Wanted(True, "AL", "NE")


def wanted(mode: str, header: Header) -> Wanted:
    """What the hospital's file says; where it says ``as-asked``, what MSH-15 and MSH-16 of this message say.

    Both empty is original mode; one empty is never, as the standard has it.
    """
    if mode == "enhanced":
        return COMMIT_ONLY
    accept, application = header.field(15), header.field(16)
    if mode != "as-asked" or not (accept or application):
        return ORIGINAL
    return Wanted(True, accept or "NE", application or "NE")


def is_due(condition: str, verdict: Verdict) -> bool:
    """AL always, NE never, ER on error or rejection, SU on success; a code nobody knows asks for an answer."""
    if condition in ("ER", "SU"):
        return verdict.failed == (condition == "ER")
    return condition != "NE"


def committed(receipt: Receipt) -> Verdict:
    """The message is durable."""
    return Verdict("CA", f"receipt {receipt.receipt}")


def refused(problem: Problem, enhanced: bool) -> Verdict:
    """The message was not taken. AE would say that it is kept: for a system that is down, too, the standard has AR.

    A commit acknowledgement tells apart: CE where it may be sent again as it is, CR where that is of no use.
    """
    is_passing = problem.status >= 500
    code = ("CE" if is_passing else "CR") if enhanced else "AR"
    text = f"{problem.text} (the message was not kept: send it again)" if is_passing else problem.text
    faults = tuple({"where": i.where or "MSH", "text": i.text} for i in problem.issues)
    return Verdict(code, text, faults)


def applied(receipt: Receipt) -> Verdict:
    """What became of a message that was taken."""
    if receipt.state is State.QUARANTINED:
        first = receipt.problems[0]
        return Verdict("AE", f"{first['where']}: {first['text']} (receipt {receipt.receipt})", receipt.problems)
    held = [notice["text"] for notice in receipt.notices if QUARANTINED_AS in notice["text"]]
    return Verdict("AA", "; ".join([f"receipt {receipt.receipt} {receipt.state}", *held]))


def header_of(body: bytes) -> Header:
    """The MSH fields of a message, tolerant of anything: an acknowledgement must always be possible."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        body = body.decode("utf-16", "replace").encode()
    start = body.removeprefix(codecs.BOM_UTF8).lstrip()
    first = re.split(rb"[\r\n]", start, maxsplit=1)[0].decode("utf-8", "replace")
    if not first.startswith("MSH") or len(first) < 8:
        return Header("|", "^~\\&", ())
    separator = first[3]
    return Header(separator, first[4:].split(separator, 1)[0], (separator, *first[4:].split(separator)))


def acknowledgement(header: Header, verdict: Verdict, now: datetime, enhanced: bool = False) -> bytes:
    """MSH, MSA and an ERR for each fault, in the sender's own separators, UTF-8.

    In enhanced mode an acknowledgement says itself that it wants none.
    """
    s, component = header.separator, header.encoding[:1] or "^"
    trigger = [*header.field(9).split(component), ""][1]
    kind = component.join(part for part in ("ACK", trigger, "ACK" if trigger else "") if part)
    msh = ["MSH", header.encoding, header.field(5), header.field(6), header.field(3), header.field(4)]
    msh += [now.strftime("%Y%m%d%H%M%S+0000"), "", kind, f"A{now:%y%m%d%H%M%S}{next(_NUMBERS) % 10**6:06d}"]
    none = "NE" if enhanced else ""
    msh += [header.field(11) or "P", header.field(12) or "2.5", "", "", none, none, "", "UNICODE UTF-8"]
    msa = ["MSA", verdict.code, header.field(10), _plain(verdict.text, header)]
    errors = [_error(header, fault) for fault in verdict.faults]
    return ("\r".join([s.join(msh), s.join(msa), *errors]) + "\r").encode()


def _error(header: Header, fault: Mapping[str, str]) -> str:
    """ERR: location in ERR-2, code of table 0357 in ERR-3, severity, words for people in ERR-8."""
    component = header.encoding[:1] or "^"
    place = PLACE.match(fault["where"])
    location = (place["segment"], place["occurrence"] or "1", place["field"] or "") if place else ()
    code = _condition(place, fault)
    row = ["ERR", "", component.join(location).rstrip(component), component.join((*code, "HL70357")), "E", "", "", ""]
    return header.separator.join([*row, _plain(f"{fault['where']}: {fault['text']}", header)])


def _condition(place: re.Match[str] | None, fault: Mapping[str, str]) -> tuple[str, str]:
    """Code and name of table 0357."""
    if fault.get("code", "") in OUR_OWN or (place is None and fault["where"] != WHOLE):
        return "207", "Application internal error"
    if place is None:
        return "100", "Segment sequence error"
    field = place["field"]
    if place["segment"] == "MSH" and field in HEADER and not MISSING.search(fault["text"]):
        return HEADER[field]
    if not field:
        return "100", "Segment sequence error"
    return ("101", "Required field missing") if MISSING.search(fault["text"]) else ("102", "Data type error")


def _plain(text: str, header: Header) -> str:
    """Words without the message's own separators or line ends."""
    return "".join(" " if c in (header.separator, *header.encoding, "\r", "\n") else c for c in text)
