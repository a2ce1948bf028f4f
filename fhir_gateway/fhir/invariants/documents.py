"""Rules about Bundles and the documents they carry.

https://hl7.org/fhir/R4/bundle.html
"""

from fhir_gateway.fhir.invariants.rule import Element, Rule, distinct, has, listed
from fhir_gateway.fhir.reference import parse

_REQUESTS = ("batch", "transaction", "history")
_RESPONSES = ("batch-response", "transaction-response", "history")


def _inside(entry: Element) -> Element:
    """The resource of an entry, which is checked elsewhere: what it is cannot be relied on here."""
    resource = entry.get("resource")
    return resource if isinstance(resource, dict) else {}


def _version(entry: Element) -> str:
    meta = _inside(entry).get("meta")
    return str(meta.get("versionId")) if isinstance(meta, dict) else ""


def _first_is(bundle: Element, kind: str, resource_type: str) -> bool:
    if bundle.get("type") != kind:
        return True
    entries = listed(bundle, "entry")
    return bool(entries) and _inside(entries[0]).get("resourceType") == resource_type


def _every_entry_has(bundle: Element, name: str, kinds: tuple[str, ...]) -> bool:
    return all(has(entry, name) == (bundle.get("type") in kinds) for entry in listed(bundle, "entry"))


def _is_identified(bundle: Element) -> bool:
    identifier = bundle.get("identifier", {})
    return bundle.get("type") != "document" or (has(identifier, "system") and has(identifier, "value"))


def _full_urls(bundle: Element) -> bool:
    found = [(entry["fullUrl"], _version(entry)) for entry in listed(bundle, "entry") if "fullUrl" in entry]
    return bundle.get("type") == "history" or distinct(found)


def _called_by_ids(bundle: Element) -> bool:
    """Messages are left alone: HL7's own examples of them call a resource by another id."""
    return bundle.get("type") == "message" or all(map(_is_called_by_its_id, listed(bundle, "entry")))


def _is_called_by_its_id(entry: Element) -> bool:
    """A new resource, which is posted, has no id yet that its fullUrl could disagree with."""
    if has(entry, "request"):
        return True
    called, resource = parse(entry.get("fullUrl", "")), _inside(entry)
    if called.form != "absolute" or not called.id or "id" not in resource:
        return True
    return (called.type, called.id) == (resource.get("resourceType"), resource["id"])


RULES: dict[str, tuple[Rule, ...]] = {
    "Bundle": (
        Rule(
            "bdl-1",
            "only a searchset or history has a total",
            lambda b: not has(b, "total") or b.get("type") in ("searchset", "history"),
        ),
        Rule(
            "bdl-2",
            "only a searchset has entry.search",
            lambda b: b.get("type") == "searchset" or not any(has(entry, "search") for entry in listed(b, "entry")),
        ),
        Rule(
            "bdl-3",
            "entry.request belongs to every entry of a batch, transaction or history and to no other",
            lambda b: _every_entry_has(b, "request", _REQUESTS),
        ),
        Rule(
            "bdl-4",
            "entry.response belongs to every entry of a response or history and to no other",
            lambda b: _every_entry_has(b, "response", _RESPONSES),
        ),
        Rule("bdl-7", "a fullUrl is used twice", _full_urls),
        Rule("Bundle.entry.fullUrl", "a fullUrl disagrees with the id of its resource", _called_by_ids),
        Rule("bdl-9", "a document needs an identifier with system and value", _is_identified),
        Rule("bdl-10", "a document needs a timestamp", lambda b: b.get("type") != "document" or "timestamp" in b),
        Rule("bdl-11", "a document starts with a Composition", lambda b: _first_is(b, "document", "Composition")),
        Rule("bdl-12", "a message starts with a MessageHeader", lambda b: _first_is(b, "message", "MessageHeader")),
    ),
    "Bundle.entry": (
        Rule(
            "bdl-5",
            "an entry needs a resource, a request or a response",
            lambda e: has(e, "resource", "request", "response"),
        ),
        Rule("bdl-8", "a fullUrl names no version", lambda e: "/_history/" not in e.get("fullUrl", "")),
    ),
    "Composition.section": (
        Rule("cmp-1", "text, entries or sections are required", lambda s: has(s, "text", "entry", "section")),
        Rule("cmp-2", "emptyReason excludes entries", lambda s: not (has(s, "emptyReason") and has(s, "entry"))),
    ),
}
