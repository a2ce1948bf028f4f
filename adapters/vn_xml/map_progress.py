"""XML5, the course of illness: each note a ClinicalImpression; vital signs written in it become Observations.

Nurses write the signs as CSST<M75_T37_HA120/70_NT18_SP98>; only this form is read, free words stay words.
https://hl7.org/fhir/R4/clinicalimpression.html
"""

import re

from adapters.contract import Resource
from adapters.vn_xml.codes import UCUM, decimal_of, loinc
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.fields import rows_of
from adapters.vn_xml.map_visit import observation, vital_signs
from adapters.vn_xml.records import Record

SIGNS = re.compile(r"CSST\s*<([^<>]*)>")
SIGN = re.compile(r"([A-Z]{1,2})\s*(\d+(?:[.,]\d+)?)(?:/(\d+))?")
_SIGNS = {row["sign"]: row for row in rows_of("vital_signs")}


def progress(episode: Episode) -> list[str]:
    """All notes; returns the keys of the vital sign Observations."""
    return [key for row in episode.dossier.rows("XML5") for key in _note(episode, row)]


def _note(episode: Episode, row: Record) -> list[str]:
    key = episode.row_key(row)
    target = episode.begin(row, "ClinicalImpression", key)
    when = episode.time(row, "THOI_DIEM_DBLS", f"{target}#effectiveDateTime")
    authors = episode.staff(row, "NGUOI_THUC_HIEN", f"{target}#assessor")
    signs = _vital_signs(episode, row, key, when)
    elements: Resource = {
        "status": "completed",
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "effectiveDateTime": when,
        "assessor": authors[0] if authors else None,
        "summary": row.take("DIEN_BIEN_LS", f"{target}#summary"),
        "finding": _stage(row, target),
        "supportingInfo": [*(episode.link("Observation", sign) for sign in signs), *authors[1:]],
        "note": _remarks(row, target),
    }
    episode.put("ClinicalImpression", key, elements)
    return signs


def _stage(row: Record, target: str) -> list[Resource]:
    text = row.take("GIAI_DOAN_BENH", f"{target}#finding[0]")
    return [{"itemCodeableConcept": {"text": text}}] if text else []


def _remarks(row: Record, target: str) -> list[Resource]:
    labelled = (("HOI_CHAN", "Hội chẩn"), ("PHAU_THUAT", "Phẫu thuật, thủ thuật"))
    words = ((title, row.take(name, f"{target}#note")) for name, title in labelled)
    return [{"text": f"{title}: {text}"} for title, text in words if text]


def _vital_signs(episode: Episode, row: Record, key: str, when: str) -> list[str]:
    found: list[str] = []
    for block in SIGNS.findall(row.text("DIEN_BIEN_LS")):
        for part in block.split("_"):
            sign = SIGN.fullmatch(part.strip())
            value = _sign(sign) if sign else None
            if sign and value:
                found.append(_add_sign(episode, row, f"{key}|{sign.group(1)}|{len(found)}", value, when))
    return found


def _sign(sign: re.Match[str]) -> Resource | None:
    """Code and value of one sign; None for a sign that is no measurement (care level) or is unknown."""
    name, number, lower = sign.groups()
    if name == "HA" and lower:
        return _blood_pressure(number, lower)
    row = _SIGNS.get(name)
    amount = decimal_of(number)
    if row is None or amount is None or lower:
        return None
    value = {"value": amount, "unit": row["unit"], "system": UCUM, "code": row["ucum"]}
    return {"code": loinc(row["loinc"], row["display"]), "valueQuantity": value}


def _blood_pressure(upper: str, lower: str) -> Resource:
    parts = (("8480-6", "Systolic blood pressure", upper), ("8462-4", "Diastolic blood pressure", lower))
    components = [
        {
            "code": loinc(code, display),
            "valueQuantity": {"value": decimal_of(number), "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
        }
        for code, display, number in parts
    ]
    return {"code": loinc("85354-9", "Blood pressure panel with all children optional"), "component": components}


def _add_sign(episode: Episode, row: Record, key: str, value: Resource, when: str) -> str:
    target = episode.target("Observation", key)
    path = "component" if "component" in value else "valueQuantity"
    row.take("DIEN_BIEN_LS", f"{target}#{path}")
    elements = observation(episode, value.pop("code"), {**value, "category": [vital_signs()]}, when=when)
    episode.put("Observation", key, elements)
    return key
