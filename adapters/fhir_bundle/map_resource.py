"""A resource as sent into one of the house: its id, its links, its patient's numbers change, nothing else.

https://hl7.org/fhir/R4/references.html
"""

import re
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Hospital, Resource
from adapters.fhir_bundle.keys import Names, kind_of, source_system
from adapters.fhir_bundle.versions import identifiers

SENT_REFERENCE = "urn:vn:quang-ninh:fhir-gateway:sent-reference"
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_CARD = re.compile(r"[A-Z]{2}[0-9A-Z]\d{12}")
_CITIZEN = frozenset({"NI", "NN", "NNVNM"})
_INSURANCE = frozenset({"NIIP", "HC", "SB", "SS", "JHN"})


@dataclass(slots=True)
class Work:
    """One resource while it is rewritten; ``moved`` says where leaves went that did not stay, ``left`` why one did."""

    names: Names
    moved: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    @property
    def hospital(self) -> Hospital:
        return self.names.hospital

    def resource(self, sent: Resource, identity: str) -> Resource:
        """The resource under its new id."""
        kind = sent["resourceType"]
        made: Resource = self._value(sent, "")
        made["id"] = identity
        self._meta(made)
        if isinstance(sent.get("id"), str):
            self._keep_id(made, kind, sent["id"])
        if kind == "Patient":
            self._classify(made)
        return made

    def _meta(self, made: Resource) -> None:
        for name in ("versionId", "lastUpdated", "source"):
            self.left[f"meta.{name}"] = "the gateway keeps its own versions, times and sources"
        meta = made.get("meta")
        if isinstance(meta, dict):
            made["meta"] = {name: value for name, value in meta.items() if f"meta.{name}" not in self.left}
            if not made["meta"]:
                del made["meta"]

    def _keep_id(self, made: Resource, kind: str, source: str) -> None:
        """The source's id stays as an identifier, or as a tag where the type has none."""
        mark = {"system": source_system(self.hospital, kind), "value": source}
        many = identifiers(kind)
        given = made.get("identifier")
        if many == "many" and (given is None or isinstance(given, list)):
            made["identifier"] = [*(given or []), mark]
            self.moved["id"] = f"identifier[{len(given or [])}].value"
        elif many == "one" and given is None:
            made["identifier"] = mark
            self.moved["id"] = "identifier.value"
        else:
            meta = made.setdefault("meta", {})
            tags = meta.get("tag", []) if isinstance(meta, dict) else []
            if isinstance(tags, list) and isinstance(meta, dict):
                meta["tag"] = [*tags, {"system": mark["system"], "code": source}]
                self.moved["id"] = f"meta.tag[{len(tags)}].code"

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [self._value(item, f"{path}[{n}]") for n, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        made = {name: self._value(item, f"{path}.{name}" if path else name) for name, item in value.items()}
        if isinstance(value.get("reference"), str):
            return self._reference(made, path)
        if isinstance(value.get("url"), str):
            meant = self.names.meant(value["url"])
            return {**made, "url": self._link(meant)} if meant else made
        return made

    def _reference(self, made: Resource, path: str) -> Resource:
        """A Reference: to a resource of this message by its new id, to anything else by identifier."""
        link = made["reference"]
        if link.startswith("#"):
            return made
        meant = self.names.meant(link)
        if meant:
            return {**made, "reference": self._link(meant)}
        rest = {name: value for name, value in made.items() if name != "reference"}
        at = f"{path}." if path else ""
        if "identifier" in rest:
            marks = rest.get("extension", [])
            self.moved[f"{at}reference"] = f"{at}extension[{len(marks)}].valueUri"
            return {**rest, "extension": [*marks, {"url": SENT_REFERENCE, "valueUri": link}]}
        self.moved[f"{at}reference"] = f"{at}identifier.value"
        kind = {"type": kind_of(link)} if kind_of(link) and "type" not in rest else {}
        return {**kind, "identifier": self.names.logical(link), **rest}

    def _link(self, meant: tuple[str, str]) -> str:
        """By ``urn:uuid`` to what is in the message, by its own address to what another piece of it brings."""
        return f"urn:uuid:{meant[1]}" if meant in self.names.here else "/".join(meant)

    def _classify(self, made: Resource) -> None:
        """A patient's numbers get the house's systems by type and shape; a foreign system's own row stays."""
        rows = made.get("identifier")
        if not isinstance(rows, list):
            return
        more = []
        for row in rows:
            sort = self._sort(row) if isinstance(row, dict) and isinstance(row.get("value"), str) else ""
            if not sort or row.get("system") == self.hospital.systems[sort]:
                continue
            if row.get("system"):
                more.append(_classified(self.hospital, sort, row["value"]))
            else:
                row.update({**_classified(self.hospital, sort, row["value"]), **row})
        known = {(row.get("system"), row.get("value")) for row in rows if isinstance(row, dict)}
        rows.extend(row for row in more if (row["system"], row["value"]) not in known)

    def _sort(self, row: Resource) -> str:
        """Which of the house's systems a number belongs to; empty for a number of somebody else's."""
        own = self.hospital.codes.get("fhir-system", {}).get(str(row.get("system", "")))
        if own:
            return own.code if own.code in self.hospital.systems else ""
        if row.get("system") in self.hospital.systems.values():
            return ""
        codings = row["type"].get("coding", []) if isinstance(row.get("type"), dict) else []
        codes = {str(coding.get("code")) for coding in codings if isinstance(coding, dict)}
        return _sort_of(codes, row["value"])


def _sort_of(codes: set[str], value: str) -> str:
    digits = value.isascii() and value.isdigit()
    if codes & {"MR"}:
        return "mrn"
    if codes & _CITIZEN:
        return {12: "cccd", 9: "cmnd"}.get(len(value), "") if digits else ""
    if codes & {"PPN"}:
        return "passport"
    if codes & _INSURANCE:
        return "bhyt" if _CARD.fullmatch(value) else "bhxh" if digits and len(value) == 10 else ""
    return ""


def _classified(hospital: Hospital, sort: str, value: str) -> Resource:
    kind = {"mrn": "MR", "cccd": "NI", "cmnd": "NI", "passport": "PPN"}.get(sort, "NIIP")
    use = {"mrn": "usual", "cccd": "official", "bhyt-temporary": "temp"}.get(sort, "secondary")
    coding = [{"system": _TYPES, "code": kind}]
    return {"use": use, "type": {"coding": coding}, "system": hospital.systems[sort], "value": value}
