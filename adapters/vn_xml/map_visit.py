"""What XML1 says beside patient, visit and diagnoses: weight, blood group, procedures, treatment, re-visit days."""

from adapters.contract import Resource
from adapters.vn_xml.codes import ICD9_CM, decimal_of, loinc, quantity
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.map_patient import is_newborn
from adapters.vn_xml.map_services import detailed_rows
from adapters.vn_xml.times import date_of

OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
NOT_WEIGHED = "0: nobody was weighed"
BIRTH_WEIGHT = loinc("8339-4", "Birth weight Measured", "Cân nặng khi sinh")


def visit_details(episode: Episode) -> None:
    """Everything else of the head row."""
    _weight(episode)
    _blood_group(episode)
    _children_weights(episode)
    _procedures(episode)
    _treatment(episode)
    _revisits(episode)


def observation(episode: Episode, code: Resource, value: Resource, *, when: str = "") -> Resource:
    """The elements of a final Observation about the patient of the episode."""
    return {
        "status": "final",
        "code": code,
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "effectiveDateTime": when,
        **value,
    }


def vital_signs() -> Resource:
    """The category of Observations of vital signs."""
    return {"coding": [{"system": OBSERVATION_CATEGORY, "code": "vital-signs"}]}


def _weight(episode: Episode) -> None:
    key = f"{episode.key}|weight"
    amount = decimal_of(episode.head.text("CAN_NANG")) if episode.head.text("CAN_NANG") else None
    if amount == 0:
        episode.head.ignore("CAN_NANG", NOT_WEIGHED)
    if not amount:
        return
    target = episode.target("Observation", key)
    episode.head.take("CAN_NANG", f"{target}#valueQuantity.value")
    when = episode.time(episode.head, "NGAY_VAO", f"{target}#effectiveDateTime")
    value = {"valueQuantity": quantity(amount, "kg"), "category": [vital_signs()]}
    code = loinc("29463-7", "Body weight", "Cân nặng")
    episode.add("Observation", key, observation(episode, code, value, when=when))


def _blood_group(episode: Episode) -> None:
    key = f"{episode.key}|blood-group"
    group = episode.head.take("NHOM_MAU", f"{episode.target('Observation', key)}#valueCodeableConcept.text")
    if group:
        code = loinc("882-1", "ABO and Rh group [Type] in Blood", "Nhóm máu")
        episode.add("Observation", key, observation(episode, code, {"valueCodeableConcept": {"text": group}}))


def _children_weights(episode: Episode) -> None:
    """Grams, one a child. On the mother's own row the weight is hers to report, but it is not her birth weight."""
    own = is_newborn(episode)
    code = BIRTH_WEIGHT if own else {"text": "Cân nặng con khi sinh"}
    for index, grams in enumerate(episode.head.many("CAN_NANG_CON"), 1):
        amount = decimal_of(grams) if grams else None
        if not amount:
            continue
        key = f"{episode.key}|birth-weight|{index}"
        episode.head.take("CAN_NANG_CON", f"{episode.target('Observation', key)}#valueQuantity.value")
        value = {"valueQuantity": quantity(amount, "g")}
        episode.add("Observation", key, observation(episode, code, value))
    if not episode.head.text("CAN_NANG_CON").strip("0.,; "):
        episode.head.ignore("CAN_NANG_CON", NOT_WEIGHED)


def _procedures(episode: Episode) -> None:
    """ICD-9-CM codes; one that an XML3 row states with its time is mapped there, not twice."""
    detailed = {code for row in detailed_rows(episode) for code in row.many("MA_PTTT_QT")}
    for code in dict.fromkeys(episode.head.many("MA_PTTT_QT")):
        key = f"{episode.key}|px|{code}"
        if code and code not in detailed:
            episode.head.take("MA_PTTT_QT", f"{episode.target('Procedure', key)}#code.coding[0].code")
            elements = {
                "status": "completed",
                "code": {"coding": [{"system": ICD9_CM, "code": code}]},
                "subject": episode.patient(),
                "encounter": episode.encounter(),
            }
            episode.add("Procedure", key, elements)


def _treatment(episode: Episode) -> None:
    key = f"{episode.key}|treatment"
    if episode.head.table != "XML1":
        return
    take = episode.head.into(episode.target("CarePlan", key))
    method, advice = take("PP_DIEU_TRI", "description"), take("GHI_CHU", "note[0].text")
    if not (method or advice):
        return
    elements = {
        "status": "completed" if episode.head.text("NGAY_RA") else "active",
        "intent": "plan",
        "title": "Phương pháp điều trị",
        "description": method,
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "note": [{"text": advice}],
    }
    episode.add("CarePlan", key, elements)


def _revisits(episode: Episode) -> None:
    """Each day of NGAY_TAI_KHAM; a re-visit slip (XML14) says its day with an hour and a doctor, and wins for it."""
    slips = {
        date_of(row.text("NGAY_HEN_KL")[:8]): f"{episode.key}|XML14|{index}"
        for index, row in enumerate(episode.dossier.rows("XML14"), 1)
    }
    for text in episode.head.many("NGAY_TAI_KHAM"):
        day = date_of(text[:8])
        key = slips.get(day) or f"{episode.key}|revisit|{text}"
        if day:
            episode.head.take("NGAY_TAI_KHAM", f"{episode.target('Appointment', key)}#requestedPeriod[0].start")
        if day and day not in slips:
            episode.add("Appointment", key, revisit(episode, day))
        elif text and not day:
            episode.head.note("NGAY_TAI_KHAM", "not a date of the form yyyyMMdd")


def revisit(episode: Episode, when: str) -> Resource:
    """A proposed Appointment: FHIR asks a booked one for its end, which no field gives."""
    followup = {"system": "http://terminology.hl7.org/CodeSystem/v2-0276", "code": "FOLLOWUP"}
    return {
        "status": "proposed",
        "appointmentType": {"coding": [followup], "text": "Tái khám"},
        "requestedPeriod": [{"start": when}],
        "participant": [{"actor": episode.patient(), "status": "needs-action"}],
    }
