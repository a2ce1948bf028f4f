"""PRB, one line of a problem list, to Condition; IAM, an allergy with its own number, to AllergyIntolerance.

https://www.hl7.eu/HL7v2x/v251/std251/ch12.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, code, table
from adapters.hl7v2.datatypes import coded, entity, from_table, icd10, practitioner, time
from adapters.hl7v2.names import name_text, person_name, spoken_name
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene

_LIST = {
    "coding": [
        {"system": f"{TERMINOLOGY}condition-category", "code": "problem-list-item", "display": "Problem List Item"}
    ]
}
_ERROR = {"coding": [{"system": f"{TERMINOLOGY}condition-ver-status", "code": "entered-in-error"}]}
_GONE = frozenset({"inactive", "remission", "resolved"})
_DELETED = frozenset({"DE", "D"})


def map_problem(scene: Scene, prb: Segment) -> Resource:
    key = scene.key("Condition", "PRB", scene.patient_key, prb.peek(4) or prb.peek(3) or prb.peek(3, 2))
    at = scene.at("Condition", key)
    ended = time(scene, prb.value(9), f"{at}abatementDateTime")
    wrong = scene.event.trigger == "PC3" or prb.peek(1).upper() in _DELETED
    prb.take(1, f"{at}verificationStatus" if wrong else f"{at}clinicalStatus")
    return scene.add(
        "Condition",
        key,
        {
            "identifier": [entity(scene, prb.value(4), f"{at}identifier[0]", scene.system("document"))],
            # con-5: a statement made in error has no clinical status.
            "clinicalStatus": None if wrong else _course(prb, bool(ended), at),
            "verificationStatus": _ERROR if wrong else _named(prb.value(13), "confirmation", f"{at}verificationStatus"),
            "category": [_LIST],
            "code": _code(scene, prb, at),
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            "onsetDateTime": time(scene, prb.value(16), f"{at}onsetDateTime"),
            "abatementDateTime": ended,
            "recordedDate": time(scene, prb.value(7), f"{at}recordedDate")
            or time(scene, prb.value(2), f"{at}recordedDate"),
        },
    )


def _course(prb: Segment, ended: bool, at: str) -> Resource:
    """PRB-14 where it agrees with the date of the end (con-4), else what that date says."""
    told = table("problem-course").get(prb.peek(14).upper())
    if told and (not ended or told.code in _GONE):
        return _named(prb.value(14), "course", f"{at}clinicalStatus") or {}
    if told:
        prb.notice(14, "a problem said to go on has an end: it is kept as resolved")
    return {"coding": [{"system": f"{TERMINOLOGY}condition-clinical", "code": "resolved" if ended else "active"}]}


def _named(value: Value, name: str, at: str) -> Resource | None:
    """A status by FHIR's own words for it, which senders use in these fields; another list's code stays unmapped."""
    known = table(f"problem-{name}").get(value.peek().upper())
    if known is None:
        return None
    value.take_all(at)
    return {"coding": [{"system": known.system, "code": known.code, "display": known.display}], "text": value.peek(2)}


def _code(scene: Scene, prb: Segment, at: str) -> Resource | None:
    """PRB-3, with the ICD-10 of the Ministry and of WHO where it is one."""
    concept = coded(scene, prb.value(3), f"{at}code", "diagnosis")
    if concept and "coding" in concept and prb.peek(3, 3).upper() in ("", "I10", "ICD10", "ICD-10", "I10VN"):
        standard = icd10(scene, concept["coding"][0]["code"])
        for coding in standard[:1]:
            said = concept["coding"][0]
            coding.update({name: said[name] for name in ("display", "version") if name in said})
        concept["coding"] = standard + concept["coding"][bool(standard) :]
    return concept


def map_identified_allergy(scene: Scene, iam: Segment) -> Resource:
    key = scene.key("AllergyIntolerance", scene.patient_key, iam.peek(7) or iam.peek(3) or iam.peek(3, 2))
    at = scene.at("AllergyIntolerance", key)
    category = code("v2-0127", iam.peek(2))
    kind = code("v2-0127-type", iam.peek(2))
    for name, known in (("category[0]", category), ("type", kind)):
        if known:
            iam.take(2, f"{at}{name}")
    return scene.add(
        "AllergyIntolerance",
        key,
        {
            "identifier": [entity(scene, iam.value(7), f"{at}identifier[0]", scene.system("document"))],
            **_statuses(iam, at),
            "type": kind,
            "category": [category],
            "code": _substance(scene, iam, at),
            "patient": scene.patient(),
            "encounter": scene.encounter(),
            **_onset(scene, iam, at),
            "recordedDate": time(scene, iam.value(13), f"{at}recordedDate"),
            "recorder": practitioner(scene, iam.value(18), f"{at}recorder"),
            "asserter": _teller(scene, iam, f"{at}asserter.display"),
            "note": [{"text": iam.take(8, f"{at}note[0].text")}] if iam.peek(8) else [],
            **_reaction(iam, at),
        },
    )


def _substance(scene: Scene, iam: Segment, at: str) -> Resource | None:
    """IAM-3 with the code a clinician knows it by (IAM-27) beside it."""
    concept = coded(scene, iam.value(3), f"{at}code", "allergy")
    before = len(concept.get("coding", ())) if concept else 0
    other = coded(scene, iam.value(27), f"{at}code", "allergy", before) if iam.value(27) else None
    if not concept or not other:
        return concept or other
    codings = [*concept.get("coding", ()), *other.get("coding", ())]
    return {"coding": codings, "text": concept.get("text", "") or other.get("text", "")}


def _onset(scene: Scene, iam: Segment, at: str) -> Resource:
    moment = time(scene, iam.value(11), f"{at}onsetDateTime")
    return {"onsetDateTime": moment} if moment else {"onsetString": iam.take(12, f"{at}onsetString")}


def _teller(scene: Scene, iam: Segment, at: str) -> Resource | None:
    """Who told of it: a relative where IAM-15 says which one, else the name alone."""
    text, said = name_text(iam.value(14)), spoken_name(iam.value(14), at)
    if not said or not iam.value(15) or iam.peek(15).upper() in ("SEL", "SELF"):
        return {"display": said} if said else None
    for known in scene.made("RelatedPerson"):
        if text in [name.get("text") for name in known.get("name", ())]:
            iam.value(15).take_all(f"RelatedPerson/{known['id']}#relationship[0]")
            return {"reference": f"urn:uuid:{known['id']}", "display": said}
    key = scene.key("RelatedPerson", scene.patient_key, iam.peek(15), text)
    at = scene.at("RelatedPerson", key)
    relation = from_table(scene, iam.value(15), f"{at}relationship[0]", "v2-0063")
    teller = person_name(iam.value(14), f"{at}name[0]")
    scene.add("RelatedPerson", key, {"patient": scene.patient(), "relationship": [relation], "name": [teller]})
    return {**scene.reference("RelatedPerson", key), "display": said}


def _statuses(iam: Segment, at: str) -> Resource:
    """How sure it is (IAM-17) and whether it still holds; the action D takes back what was sent."""
    verified = "entered-in-error" if iam.peek(6).upper() == "D" else code("v2-0438", iam.peek(17).upper())
    iam.take(6, f"{at}verificationStatus" if iam.peek(6).upper() == "D" else f"{at}clinicalStatus")
    if code("v2-0438", iam.peek(17).upper()):
        iam.value(17).take_all(f"{at}verificationStatus")
    system = f"{TERMINOLOGY}allergyintolerance-"
    clinical = "inactive" if iam.peek(17).upper() == "I" else "active"
    said = {"verificationStatus": {"coding": [{"system": f"{system}verification", "code": verified}]}}
    # ait-2: a statement made in error has no clinical status.
    holds = {"clinicalStatus": {"coding": [{"system": f"{system}clinical", "code": clinical}]}}
    return {**({} if verified == "entered-in-error" else holds), **(said if verified else {})}


def _reaction(iam: Segment, at: str) -> Resource:
    said = [value for value in iam.values(5) if value.peek()]
    texts = [value.take(1, f"{at}reaction[0].manifestation[{n}]") for n, value in enumerate(said)]
    severity = code("v2-0128", iam.peek(4).upper())
    critical = code("v2-0128-criticality", iam.peek(4).upper())
    shown = [{"text": text} for text in texts if text]
    if severity and shown:
        iam.take(4, f"{at}reaction[0].severity")
        return {"reaction": [{"manifestation": shown, "severity": severity}]}
    if critical:
        iam.take(4, f"{at}criticality")
    return {"criticality": critical, "reaction": [{"manifestation": shown}] if shown else []}
