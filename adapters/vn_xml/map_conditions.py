"""Diagnoses of an episode to Conditions, ranked in the Encounter: on admission, main, secondary, traditional.

https://hl7.org/fhir/R4/condition.html
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import icd10, icd10_codes, national
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.sensitivity import label_of_diagnosis, restrict

ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
MOST_SECONDARY = 12


def conditions(episode: Episode) -> list[Resource]:
    """All Conditions of the head row; returns the Encounter.diagnosis that ranks them."""
    found = _main(episode) + _secondary(episode) + _traditional(episode) + _admission(episode)
    return [diagnosis for diagnosis in found if diagnosis]


def condition_keys(episode: Episode) -> list[str]:
    """The keys of the coded Conditions of the episode, main first."""
    codes = [episode.head.text("MA_BENH_CHINH"), *icd10_codes(episode.head, "MA_BENH_KT")]
    return [f"{episode.key}|dx|{code}" for code in dict.fromkeys(codes) if code]


def _condition(episode: Episode, key: str, code: Resource) -> Resource:
    elements = {
        "category": [{"coding": [{"system": CATEGORY, "code": "encounter-diagnosis"}]}],
        "code": code,
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "recordedDate": None,
    }
    return episode.add("Condition", key, elements)


def _ranked(episode: Episode, key: str, role: str, rank: int | None) -> Resource:
    use = {"coding": [{"system": ROLE, "code": role}]}
    return {"condition": episode.link("Condition", key), "use": use, "rank": rank}


def _main(episode: Episode) -> list[Resource]:
    record = episode.head
    code, words = record.text("MA_BENH_CHINH"), record.text("CHAN_DOAN_RV")
    if not code and not words:
        return []
    key = f"{episode.key}|dx|{code}" if code else f"{episode.key}|dx-text"
    target = episode.target("Condition", key)
    record.take("MA_BENH_CHINH", f"{target}#code.coding[0].code")
    record.take("CHAN_DOAN_RV", f"{target}#code.text")
    concept = icd10(episode.hospital, code, words) if code else {"text": words}
    label(episode, _condition(episode, key, concept), code)
    return [_ranked(episode, key, "DD", 1)]


def _secondary(episode: Episode) -> list[Resource]:
    record = episode.head
    codes = [code for code in dict.fromkeys(icd10_codes(record, "MA_BENH_KT")) if code]
    if len(codes) > MOST_SECONDARY:
        record.note("MA_BENH_KT", f"{len(codes)} codes, more than {MOST_SECONDARY}; all kept")
    found = []
    for rank, code in enumerate(codes, 2):
        key = f"{episode.key}|dx|{code}"
        record.take("MA_BENH_KT", f"{episode.target('Condition', key)}#code.coding[0].code")
        if code == record.text("MA_BENH_CHINH"):
            continue
        label(episode, _condition(episode, key, icd10(episode.hospital, code)), code)
        found.append(_ranked(episode, key, "CM", rank))
    return found


def _traditional(episode: Episode) -> list[Resource]:
    found = []
    for code in dict.fromkeys(episode.head.many("MA_BENH_YHCT")):
        if not code:
            continue
        key = f"{episode.key}|dx-yhct|{code}"
        episode.head.take("MA_BENH_YHCT", f"{episode.target('Condition', key)}#code.coding[0].code")
        coding = {"system": national(episode.hospital, "MA_BENH_YHCT"), "code": code}
        _condition(episode, key, {"coding": [coding]})
        found.append(_ranked(episode, key, "CM", None))
    return found


def _admission(episode: Episode) -> list[Resource]:
    key = f"{episode.key}|dx-admission"
    words = episode.head.take("CHAN_DOAN_VAO", f"{episode.target('Condition', key)}#code.text")
    if not words:
        return []
    label(episode, _condition(episode, key, {"text": words}), words)
    return [_ranked(episode, key, "AD", None)]


def label(episode: Episode, resource: Resource, code: str) -> None:
    """Restrict a resource whose ICD-10 code is secret, and remember it for the episode's narratives."""
    found = label_of_diagnosis(code)
    if found:
        restrict(resource, {found})
        episode.labels.add(found)
