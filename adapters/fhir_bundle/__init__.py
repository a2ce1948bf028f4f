"""FHIR R4 as hospitals send it themselves (Bundles, resources, NDJSON), checked and ledgered as any other format.

https://hl7.org/fhir/R4/bundle.html
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message as Header

from adapters.contract import Message, Notice, Piece, Translation, Untranslatable
from adapters.draft import Draft, resource_id
from adapters.fhir_bundle.keys import Names
from adapters.fhir_bundle.map_resource import Work
from adapters.fhir_bundle.parse import Entry, Line, Sent, parse
from adapters.fhir_bundle.versions import check, check_declared
from adapters.json_places import ended as spans
from adapters.json_text import Leaf
from adapters.tally import Tally

NAME = "fhir_bundle"
MEDIA_TYPES = frozenset({"application/fhir+json", "application/json+fhir", "application/fhir+ndjson"})
_RESOURCE = re.compile(rb'"resourceType"\s*:')
_ENVELOPE = "the envelope of the Bundle: its resources are filed one by one, and the message itself is kept"
_WRAP = '{"resource":'
_INDEX = re.compile(r"entry\[(\d+)\]")
_URL = re.compile(r'"(urn:(?:uuid|oid):[^"]+|https?://[^"]+|[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}|[A-Z][A-Za-z]+\?[^"]+)"')

__all__ = ["MEDIA_TYPES", "NAME", "divide", "recognises", "spans", "translate"]


def recognises(body: bytes) -> bool:
    """Whether it starts as a JSON object that names its resourceType."""
    start = body[:16384].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"{") and _RESOURCE.search(start) is not None


def translate(message: Message) -> Translation:
    """The message's resources under ids of the house. Raises Untranslatable with the FHIRPath of one it cannot take."""
    sent, pieces = _read(message)
    for entry in sent.entries:
        if entry.fault is not None:
            raise entry.fault
        check(entry.resource, entry.place)
    names = _names(message, sent)
    _alone(sent, names)
    draft, tally, notices = Draft(message.hospital.name), Tally(), []
    for line in sent.lines:
        works = {entry.inside: _map(entry, names, draft) for entry in line.entries}
        for leaf in line.value.leaves:
            _account(_Leaf(sent, line, leaf, pieces), works, tally)
        if line.kind == "document":
            text = "the document's resources are filed; the document itself stays with the message, as it came"
            notices.append(Notice(line.label, text))
    return Translation(draft.bundle(), tally.close(), tuple(notices))


def divide(message: Message, most: int) -> Sequence[Piece]:
    """Pieces of at most ``most`` resources; a transaction and a document are whole or nothing."""
    sent, _ = _read(message)
    if not sent.divisible or len(sent.entries) <= most:
        return ()
    names = _names(message, sent)
    first, form = _begin(message.media_type)
    form = form or ("entries" if len(sent.lines) == 1 else "lines")
    start = first if form == "entries" or first else 1
    parts = [sent.entries[n : n + most] for n in range(0, len(sent.entries), most)]
    return [_piece((sent, names), (start + n * most, form), rows) for n, rows in enumerate(parts)]


def _read(message: Message) -> tuple[Sent, str]:
    parameters = _parameters(message.media_type)
    check_declared(parameters.get("fhirversion", ""))
    first, form = _begin(message.media_type)
    return parse(message.body, first, form), form


def _alone(sent: Sent, names: Names) -> None:
    """Raises Untranslatable when two entries are one record."""
    seen: set[tuple[str, str]] = set()
    for entry in sent.entries:
        record = (entry.resource["resourceType"], names.key(entry.resource))
        if record in seen:
            raise Untranslatable("another entry is the same record", entry.place)
        seen.add(record)


def _names(message: Message, sent: Sent) -> Names:
    names = Names(message.hospital)
    for line in sent.lines:
        for pointer in line.pointers:
            names.point(pointer)
        for entry in line.entries:
            names.enter(entry)
    return names


def _map(entry: Entry, names: Names, draft: Draft) -> tuple[Entry, Work, str]:
    kind = entry.resource["resourceType"]
    key = names.key(entry.resource)
    identity = resource_id(names.hospital.name, kind, key)
    work = Work(names)
    draft.add(kind, key, work.resource(entry.resource, identity))
    return entry, work, f"{kind}/{identity}"


class _Leaf:
    """A leaf of the message and how it is called in the ledger."""

    __slots__ = ("form", "leaf", "line", "sent")

    def __init__(self, sent: Sent, line: Line, leaf: Leaf, form: str) -> None:
        self.sent, self.line, self.leaf, self.form = sent, line, leaf, form

    def within(self, entry: Entry) -> str | None:
        """Its path inside the entry's resource; None when it stands outside."""
        inside = f"{entry.inside}." if entry.inside else ""
        return self.leaf.path[len(inside) :] if self.leaf.path.startswith(inside) else None

    @property
    def offset(self) -> int:
        return self.sent.ruler.at(self.leaf.start)

    @property
    def inside(self) -> str:
        """The entry it belongs to, as entries are known."""
        found = _INDEX.match(self.leaf.path)
        return f"{found[0]}.resource" if found and self.leaf.path.startswith(f"{found[0]}.resource.") else ""


def _account(leaf: _Leaf, works: Mapping[str, tuple[Entry, Work, str]], tally: Tally) -> None:
    if leaf.leaf.value is None or leaf.leaf.value == "":
        return
    entry, work, target = works.get(leaf.inside, (None, None, ""))
    if entry is None or work is None:
        _envelope(leaf, works, tally)
        return
    path = leaf.within(entry) or ""
    place = f"{entry.place}.{path}"
    tally.present(place, leaf.offset)
    if path in work.left:
        tally.ignore(place, work.left[path])
    else:
        tally.take(place, f"{target}#{work.moved.get(path, path)}")


def _envelope(leaf: _Leaf, works: Mapping[str, tuple[Entry, Work, str]], tally: Tally) -> None:
    """What stands around the resources; of a piece, only what the message itself says around its entries."""
    found = _INDEX.match(leaf.leaf.path)
    entry = works.get(f"{found[0]}.resource") if found else None
    if leaf.form and (entry is None or leaf.form == "lines"):
        return
    place = f"{leaf.line.label}.{leaf.leaf.path}"
    if leaf.form and entry is not None and found:
        place = entry[0].place.removesuffix(".resource") + leaf.leaf.path[found.end() :]
    tally.present(place, leaf.offset)
    tally.ignore(place, _ENVELOPE)


def _piece(whole: tuple[Sent, Names], where: tuple[int, str], rows: Sequence[Entry]) -> Piece:
    sent, names = whole
    first, form = where
    texts = [sent.text[slice(*entry.span)] for entry in rows]
    wrapped = 0 if rows[0].inside else len(_WRAP)
    if wrapped:
        texts = [f"{_WRAP}{text}}}" for text in texts]
    own = {entry.url for entry in rows}
    pointers = [_pointer(url, names) for url in _links(texts, names) if url not in own]
    head = '{"resourceType":"Bundle","type":"collection","entry":['
    body = f"{head}{','.join([*texts, *pointers])}]}}".encode()
    shift = sent.ruler.at(rows[0].span[0]) - len(head) - wrapped
    place = rows[0].place if len(rows) == 1 else f"{rows[0].place} to {rows[-1].place}"
    return Piece(f"application/fhir+json; first={first}; form={form}", body, place, shift)


def _links(texts: Sequence[str], names: Names) -> Iterator[str]:
    """The names of other entries that a piece speaks of, each once."""
    found = dict.fromkeys(match for text in texts for match in _URL.findall(text))
    return (link for link in found if link in names.ids)


def _pointer(url: str, names: Names) -> str:
    return json.dumps({"fullUrl": url, "link": [{"relation": "self", "url": names.pointer(url)}]})


def _begin(media_type: str) -> tuple[int, str]:
    """Where a piece begins in the whole, and whether that was a Bundle or lines; nothing for a whole message."""
    parameters = _parameters(media_type)
    first = parameters.get("first", "")
    return (int(first), parameters.get("form", "")) if first.isdigit() else (0, "")


def _parameters(media_type: str) -> dict[str, str]:
    header = Header()
    header["content-type"] = media_type
    return {str(name).lower(): str(value) for name, value in (header.get_params() or [])[1:]}
