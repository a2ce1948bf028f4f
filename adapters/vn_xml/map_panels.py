"""XML6 (HIV care), XML15 (tuberculosis) and the figures of XML12 to panels: one Observation a row, a component a field.

Which field is what stands in codes/panel_fields.csv. What reveals HIV is an Observation of its own, so that it can be
labelled and withheld without the rest.
https://hl7.org/fhir/R4/observation-definitions.html#Observation.component
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import UCUM, decimal_of, national
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.fields import rows_of
from adapters.vn_xml.records import Record
from adapters.vn_xml.repeats import repeats
from adapters.vn_xml.sensitivity import restrict
from adapters.vn_xml.times import date_of

PANELS = {row["panel"]: row for row in rows_of("panels")}
FIELDS_OF: dict[str, list[dict[str, str]]] = {name: [] for name in PANELS}
for _row in rows_of("panel_fields"):
    FIELDS_OF[_row["panel"]].append(_row)
_WORDS = {(row["table"], row["element"], row["code"]): row["display"] for row in rows_of("panel_codes")}

#: A hospital's quirk ``secret_tables = "left-out"`` keeps them out of the gateway altogether.
LEFT_OUT = "secret category: this hospital leaves its HIV tables out"
UNITS = {"percent": ("%", "%"), "days": ("ngày", "d")}


def care_panels(episode: Episode) -> None:
    """Each row of XML6 and XML15."""
    episode.part = "XML15"
    for row in episode.dossier.rows("XML15"):
        key = episode.row_key(row)
        panel(episode, row, "tuberculosis", key)
        _secret(episode, row, "tuberculosis-hiv", key)
        repeats(episode, row)
    episode.part = "XML6"
    for row in episode.dossier.rows("XML6"):
        _secret(episode, row, "hiv", episode.row_key(row))
        repeats(episode, row)


def _secret(episode: Episode, row: Record, name: str, key: str) -> None:
    fields = [field["element"] for field in FIELDS_OF[name]]
    if episode.hospital.quirks.get("secret_tables") == "left-out":
        for element in fields:
            row.ignore(element, LEFT_OUT)
        return
    if panel(episode, row, name, f"{key}|{name}"):
        episode.labels.add(PANELS[name]["label"])


def panel(episode: Episode, row: Record, name: str, key: str, *, of_visit: bool = True) -> Resource | None:
    """One panel of a row, labelled where it is secret; None when the row says nothing of it."""
    if not any(row.text(field["element"]) for field in FIELDS_OF[name]):
        return None
    target = episode.begin(row, "Observation", key, of_visit=of_visit)
    components: list[Resource] = []
    for field in FIELDS_OF[name]:
        components += _component(episode, row, field, f"{target}#component[{len(components)}]")
    elements: Resource = {
        "status": "final",
        "code": {"text": PANELS[name]["title"]},
        "subject": episode.patient(),
        "encounter": episode.encounter() if of_visit else None,
        "component": components,
    }
    resource = episode.add("Observation", key, elements)
    restrict(resource, {PANELS[name]["label"]})
    return resource


def _component(episode: Episode, row: Record, field: dict[str, str], target: str) -> list[Resource]:
    """The component of one field; a text that is not of the field's kind stays a text and is told."""
    text = row.text(field["element"])
    if not text:
        return []
    value = _value(episode, row, field)
    if not value:
        row.note(field["element"], f"not a {field['kind']}; kept as text")
        value = {"valueString": text}
    row.take(field["element"], f"{target}.{next(iter(value))}")
    coding = {"system": "urn:vn:byt:element", "code": field["element"]}
    return [{"code": {"coding": [coding], "text": field["label"]}, **value}]


def _value(episode: Episode, row: Record, field: dict[str, str]) -> Resource:
    name, text = field["element"], row.text(field["element"])
    if field["kind"] == "date":
        day = date_of(text)
        return {"valueDateTime": day} if day else {}
    if field["kind"] in UNITS:
        unit, ucum = UNITS[field["kind"]]
        number = decimal_of(text)
        quantity = {"value": number, "unit": unit, "system": UCUM, "code": ucum}
        return {"valueQuantity": quantity} if number is not None and number.is_finite() else {}
    if field["kind"] == "facility":
        coding = [{"system": episode.hospital.systems["facility"], "code": text}]
        return {"valueCodeableConcept": {"coding": coding, "text": text}}
    return {"valueCodeableConcept": _codes(episode, row, name)}


def _codes(episode: Episode, row: Record, name: str) -> Resource:
    """The codes of a field, which may be a ``;`` list, with the words of their national list."""
    found = []
    for code in filter(None, row.many(name)):
        words = _WORDS.get((row.table, name, code), "")
        found.append({"system": national(episode.hospital, name), "code": code, "display": words})
    return {"coding": found, "text": ", ".join(c["display"] for c in found if c["display"]) or row.text(name)}
