"""XML4, results of tests: one Observation a row, one DiagnosticReport a service, joined to XML3 by MA_DICH_VU.

XML4 has no reference range, flag, specimen or sampling time, so none is given here either.
https://hl7.org/fhir/R4/diagnosticreport.html
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import absent, codings, concept, value_of, worded
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.map_services import Services
from adapters.vn_xml.records import Record
from adapters.vn_xml.sensitivity import label_of_test, restrict
from adapters.vn_xml.times import time_of

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CATEGORIES = {"1": "laboratory", "2": "imaging", "3": "procedure"}
SECTIONS = {"1": "LAB", "2": "RAD", "3": "OTH"}


def results(episode: Episode, services: Services) -> list[str]:
    """All rows of XML4; returns the Observation keys."""
    by_service: dict[str, list[tuple[str, Record]]] = {}
    for row in episode.dossier.rows("XML4"):
        key = _observation(episode, row, services)
        by_service.setdefault(row.text("MA_DICH_VU"), []).append((key, row))
    for code, found in by_service.items():
        _report(episode, code, found, services)
    return [key for found in by_service.values() for key, _ in found]


def _observation(episode: Episode, row: Record, services: Services) -> str:
    key = episode.row_key(row)
    target = episode.begin(row, "Observation", key)
    ordered = services.rows.get(row.text("MA_DICH_VU"))
    value = _value(row, target)
    request = services.requests.get(row.text("MA_DICH_VU"))
    elements: Resource = {
        "basedOn": [episode.link("ServiceRequest", request)] if request else None,
        "status": _status(row, value),
        "category": _category(ordered),
        "code": _code(episode, row, target),
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "effectiveDateTime": time_of(ordered.text("NGAY_TH_YL"), episode.hospital.offset) if ordered else None,
        "issued": episode.instant(row, "NGAY_KQ", f"{target}#issued"),
        "performer": episode.staff(row, "MA_BS_DOC_KQ", f"{target}#performer"),
        **value,
        "note": _note(row, target, value),
    }
    labels = {label_of_test(row.text("TEN_CHI_SO")), _ordered_label(ordered)}
    restrict(episode.put("Observation", key, elements), labels)
    return key


def _ordered_label(ordered: Record | None) -> str:
    return label_of_test(ordered.text("TEN_DICH_VU")) if ordered else ""


def _status(row: Record, value: Resource) -> str:
    if "dataAbsentReason" not in value:
        return "final"
    return "unknown" if row.text("NGAY_KQ") else "registered"


def _category(ordered: Record | None) -> list[Resource]:
    code = CATEGORIES.get(ordered.text("MA_NHOM"), "") if ordered else ""
    return [{"coding": [{"system": CATEGORY, "code": code}]}] if code else []


def _code(episode: Episode, row: Record, target: str) -> Resource:
    """The index code, else the service's; the index name as written."""
    index = row.take("MA_CHI_SO", f"{target}#code.coding[0].code")
    name = row.take("TEN_CHI_SO", f"{target}#code.text")
    if index or name:
        return worded(codings(episode.hospital, "MA_CHI_SO", index), name)
    return episode.concept(row, "MA_DICH_VU", f"{target}#code.coding[0].code") or absent()


def _value(row: Record, target: str) -> Resource:
    """The value as a number, a word or text; a description stands in where there is no value."""
    text = row.text("GIA_TRI")
    if not text:
        words = row.take("MO_TA", f"{target}#valueString")
        return {"valueString": words} if words else _absent()
    found = value_of(text, row.text("DON_VI_DO"))
    kind = next(iter(found))
    row.take("GIA_TRI", f"{target}#{kind}")
    if kind == "valueQuantity":
        row.take("DON_VI_DO", f"{target}#valueQuantity.unit")
    return found


def _absent() -> Resource:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}
    return {"dataAbsentReason": {"coding": [coding]}}


def _note(row: Record, target: str, value: Resource) -> list[Resource]:
    """What found no place in the value: the description beside a value, the unit beside words."""
    found = []
    if row.text("GIA_TRI") and row.text("MO_TA"):
        found.append({"text": row.take("MO_TA", f"{target}#note")})
    if "valueQuantity" not in value and row.text("DON_VI_DO"):
        found.append({"text": f"Đơn vị đo: {row.take('DON_VI_DO', f'{target}#note')}"})
    return found


def _report(episode: Episode, code: str, found: list[tuple[str, Record]], services: Services) -> None:
    key = f"{episode.key}|report|{code}"
    target = episode.target("DiagnosticReport", key)
    ordered = services.rows.get(code)
    request = services.requests.get(code)
    rows = [row for _, row in found]
    elements: Resource = {
        "basedOn": [episode.link("ServiceRequest", request)] if request else None,
        "status": _report_status(rows),
        "category": _section(ordered),
        "code": _report_code(episode, code, rows, ordered, target),
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "issued": _latest(episode, rows, target),
        "resultsInterpreter": _interpreters(episode, rows, target),
        "result": [episode.link("Observation", observation) for observation, _ in found],
        "conclusion": _conclusion(rows, target),
    }
    labels = {label_of_test(row.text("TEN_CHI_SO")) for row in rows}
    restrict(episode.put("DiagnosticReport", key, elements), {*labels, _ordered_label(ordered)})


def _report_status(rows: list[Record]) -> str:
    """Final when every row has a result time; XML4 leaves it empty while a result is pending."""
    timed = [bool(row.text("NGAY_KQ")) for row in rows]
    if all(timed):
        return "final"
    return "partial" if any(timed) else "registered"


def _section(ordered: Record | None) -> list[Resource]:
    code = SECTIONS.get(ordered.text("MA_NHOM"), "") if ordered else ""
    system = "http://terminology.hl7.org/CodeSystem/v2-0074"
    return [{"coding": [{"system": system, "code": code}]}] if code else []


def _report_code(episode: Episode, code: str, rows: list[Record], ordered: Record | None, target: str) -> Resource:
    for row in rows:
        row.take("MA_DICH_VU", f"{target}#code.coding[0].code")
    name = ordered.text("TEN_DICH_VU") if ordered else ""
    return concept(episode.hospital, "MA_DICH_VU", code, name) or absent()


def _latest(episode: Episode, rows: list[Record], target: str) -> str:
    times = [episode.instant(row, "NGAY_KQ", f"{target}#issued") for row in rows]
    return max(times, default="")


def _interpreters(episode: Episode, rows: list[Record], target: str) -> list[Resource]:
    people = [person for row in rows for person in episode.staff(row, "MA_BS_DOC_KQ", f"{target}#resultsInterpreter")]
    return list({person["reference"]: person for person in people}.values())


def _conclusion(rows: list[Record], target: str) -> str:
    words = [row.take("KET_LUAN", f"{target}#conclusion") for row in rows]
    return "\n".join(dict.fromkeys(text for text in words if text))
