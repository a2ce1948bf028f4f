"""XML1 (or a document that stands alone) to Patient: identifiers, name, birth, sex, origin, address, phone.

https://hl7.org/fhir/R4/patient.html
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import concept, listed, national
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.identifiers import citizen_number, insurance_card, record_number
from adapters.vn_xml.records import Record, Take
from adapters.vn_xml.times import birth_of, days_between

CORE = "http://fhir.hl7.org.vn/core/StructureDefinition"
NATIONALITY = "http://hl7.org/fhir/StructureDefinition/patient-nationality"
BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
STRING_CODING = "http://hl7.org/fhir/StructureDefinition/iso21090-SC-coding"
NEWBORN_DAYS = 28
INFANT_DAYS = 365


def patient(episode: Episode) -> None:
    """The person of the head row."""
    record = episode.head
    target = episode.target("Patient", episode.patient_key)
    take = record.into(target)
    elements: Resource = {
        "identifier": _identifiers(episode, take),
        "name": [human_name(take("HO_TEN", "name[0].text"), _name_use(episode))],
        "gender": gender(record, "GIOI_TINH", f"{target}#gender"),
        **birth(episode, record, "NGAY_SINH", target),
        "extension": _extensions(episode, record, target),
        "address": [address(episode, record, "DIA_CHI", target)],
        "telecom": [{"system": "phone", "value": phone} for phone in [take("DIEN_THOAI", "telecom[0].value")] if phone],
        "deceasedBoolean": True if record.text("KET_QUA_DTRI") in ("5", "8") else None,
        "managingOrganization": episode.own_facility(),
    }
    episode.add("Patient", episode.patient_key, elements)


def human_name(text: str, use: str) -> Resource:
    """The name as written; family and given are a guess: first word, and the rest."""
    words = text.split()
    if not words:
        return {}
    return {"use": use, "text": text, "family": words[0], "given": words[1:]}


def gender(record: Record, name: str, target: str) -> str:
    """The administrative gender; an unknown code is told, and stays unmapped."""
    row = listed("GIOI_TINH", record.text(name))
    if row:
        record.take(name, target)
    elif record.text(name):
        record.note(name, "the code is not in its national list; left unmapped")
    return row.get("standard", "")


def birth(episode: Episode, record: Record, name: str, target: str) -> Resource:
    """birthDate as precise as known, with the time of birth as an extension when it was given."""
    day, time = birth_of(record.text(name), episode.hospital.offset)
    if not day:
        if record.text(name):
            record.note(name, "not a birth date of the form yyyyMMddHHmm; left unmapped")
        return {}
    record.take(name, f"{target}#birthDate")
    clock = {"_birthDate": {"extension": [{"url": BIRTH_TIME, "valueDateTime": time}]}} if time else {}
    return {"birthDate": day, **clock}


def address(episode: Episode, record: Record, name: str, target: str) -> Resource:
    """The address as written; the unit codes stand beside the parts they code, because no part's name is given."""
    place = f"{target}#address[0]"
    found: Resource = {"text": record.take(name, f"{place}.text")}
    for part, field in (("_state", "MATINH_CU_TRU"), ("_district", "MAHUYEN_CU_TRU"), ("_city", "MAXA_CU_TRU")):
        code = record.take(field, f"{place}.{part.lstrip('_')}")
        if code:
            coding = {"system": national(episode.hospital, field), "code": code}
            found[part] = {"extension": [{"url": STRING_CODING, "valueCoding": coding}]}
    return {"use": "home", **found} if len(found) > 1 or found["text"] else {}


def ethnicity(episode: Episode, code: str) -> Resource:
    """The 1979 list (Sán Dìu is 18); another numbering circulates, so the system and the words always stand by."""
    found = concept(episode.hospital, "MA_DANTOC", code)
    if code:
        found["coding"][0]["system"] = episode.hospital.systems["ethnicity"]
    return {"url": f"{CORE}/vn-ext-ethnicity", "valueCodeableConcept": found}


def nationality(episode: Episode, code: str) -> Resource:
    found = concept(episode.hospital, "MA_QUOCTICH", code)
    return {"url": NATIONALITY, "extension": [{"url": "code", "valueCodeableConcept": found}]}


def is_newborn(episode: Episode) -> bool:
    """Under 28 days at arrival, or under a year with a temporary card; a TE1 card alone is any child under six."""
    age = days_between(episode.head.text("NGAY_SINH"), episode.head.text("NGAY_VAO"))
    if age is None:
        return False
    return 0 <= age < NEWBORN_DAYS or (bool(_temporary_card(episode)) and 0 <= age < INFANT_DAYS)


def _temporary_card(episode: Episode) -> str:
    rows = [row for table in ("XML7", "XML8", "XML11") for row in episode.dossier.rows(table)]
    return next((row.text("MA_THE_TAM") for row in rows if row.text("MA_THE_TAM")), "")


def _name_use(episode: Episode) -> str:
    """A newborn's name field may hold a parent's name: temporary when it does, or when nothing proves otherwise."""
    if not is_newborn(episode):
        return "official"
    rows = [row for table in ("XML7", "XML8") for row in episode.dossier.rows(table)]
    parents = {row.text(name).casefold() for row in rows for name in ("HO_TEN_ME", "HO_TEN_CHA")} - {""}
    own = episode.head.text("HO_TEN").casefold()
    return "temp" if not parents or own in parents else "usual"


def _identifiers(episode: Episode, take: Take) -> list[Resource]:
    hospital = episode.hospital
    own = take("MA_BN", "identifier[0].value") or take("MA_YTE", "identifier[0].value")
    numbers = [record_number(hospital, own)]
    numbers += [citizen_number(hospital, take("SO_CCCD", "identifier[1].value"))]
    newborn = is_newborn(episode)
    take("MA_THE_BHYT", "identifier.value")
    for card in episode.head.many("MA_THE_BHYT"):
        temporary = newborn and card.startswith("TE1")
        numbers.append(insurance_card(hospital, card, temporary=temporary))
    cards = episode.head.many("MA_THE_BHYT")
    card = _temporary_card(episode) if newborn else ""
    if card and card not in cards:
        numbers.append(insurance_card(hospital, card, temporary=True))
    return [number for number in numbers if number["value"]]


def _extensions(episode: Episode, record: Record, target: str) -> list[Resource]:
    found = []
    country = record.take("MA_QUOCTICH", f"{target}#extension")
    if country:
        found.append(nationality(episode, country))
    folk = record.take("MA_DANTOC", f"{target}#extension")
    if folk:
        found.append(ethnicity(episode, folk))
        if not listed("MA_DANTOC", folk):
            record.note("MA_DANTOC", "the code is not in the 1979 list; kept as given")
    work = episode.concept(record, "MA_NGHE_NGHIEP", f"{target}#extension")
    if work:
        found.append({"url": f"{CORE}/vn-ext-occupation", "valueCodeableConcept": work})
    return found
