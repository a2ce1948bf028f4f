"""What a transfer slip (XML13, decision 3176) and a re-visit slip (XML14) say, read from the records of a case.

https://hl7.org/fhir/R4/servicerequest.html

The reverse of adapters/vn_xml: a code goes back as the sender wrote it, found by the list it stands in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from fhir_gateway.exchange.parts import LICENCE, facility_code
from fhir_gateway.fhir.resource import Resource

Facts = dict[str, str]
EPISODE = "http://fhir.hl7.org.vn/core/sid/ma-lk"
ICD10 = ("vn-icd10", "sid/icd-10")
CARDS = ("/sid/bhyt", "/sid/bhyt-tam", "/sid/bhxh")
BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
GENDERS = {"male": "1", "female": "2", "unknown": "3", "other": "3"}
#: LOINC codes of the sections that the transfer slip is made of.
SECTIONS = {
    "DAU_HIEU_LS": "29545-1",
    "CHAN_DOAN_RV": "29308-4",
    "QT_BENHLY": "8648-8",
    "TOMTAT_KQ": "30954-2",
    "PP_DIEUTRI": "29554-3",
    "TINH_TRANG_CT": "10184-0",
    "HUONG_DIEU_TRI": "18776-5",
}
NOTES = {
    "PHUONGTIEN_VC": "Phương tiện vận chuyển",
    "HOTEN_NGUOI_HT": "Người hộ tống",
    "CHUCDANH_NGUOI_HT": "Chức danh người hộ tống",
}
NUMBERS = {"SO_HOSO": "so-ho-so", "SO_CHUYENTUYEN": "so-chuyen-tuyen", "GIAY_CHUYEN_TUYEN": "giay-chuyen-tuyen"}


@dataclass(frozen=True, slots=True)
class Case:
    """The records a slip is written from; ``held`` finds the others they cite by ``Type/id``."""

    task: Resource
    request: Resource
    composition: Resource = field(default_factory=dict)
    appointment: Resource = field(default_factory=dict)
    held: Mapping[str, Resource] = field(default_factory=dict)

    def cited(self, link: Mapping[str, Any] | None) -> Resource:
        return self.held.get(str((link or {}).get("reference", "")), {})

    @property
    def patient(self) -> Resource:
        return self.cited(self.request.get("subject"))

    @property
    def encounter(self) -> Resource:
        return self.cited(self.request.get("encounter"))


def transfer(case: Case) -> Facts:
    """The elements of XML13, in the order of decision 3176; what the case does not say is empty."""
    request = case.request
    found = {
        "MA_LK": episode(case),
        **{name: _number(request, kind) for name, kind in NUMBERS.items()},
        "MA_CSKCB": facility_code(case.task.get("requester")),
        "MA_CSKCB_DI": ";".join(_before(request)),
        "MA_CSKCB_DEN": facility_code(next(iter(request.get("performer", ())), None))
        or facility_code(case.task.get("owner")),
        **_person(case.patient),
        **_card(case),
        **_visit(case),
        **_sections(case.composition),
        **_diagnoses(case),
        "MA_LOAI_RV": code_of(
            [case.encounter.get("hospitalization", {}).get("dischargeDisposition", {})], "ma-loai-rv"
        ),
        "MA_LYDO_CT": code_of(request.get("reasonCode", ()), "ma-lydo-ct"),
        **{name: _note(request, label) for name, label in NOTES.items()},
        "MA_BAC_SI": ";".join(_staff(case, [request.get("requester"), *request.get("supportingInfo", ())])),
        "MA_TTDV": ";".join(_staff(case, [row.get("party") for row in case.composition.get("attester", ())])),
    }
    if not found["CHAN_DOAN_RV"]:
        found["CHAN_DOAN_RV"] = _main_words(case)
    return {name: found.get(name, "") for name in ORDER13}


def revisit(case: Case) -> Facts:
    """The elements of XML14; of the appointment that the other hospital gave, or that the sender proposed."""
    slip = case.appointment
    given = any(link.get("reference") == f"ServiceRequest/{case.request['id']}" for link in slip.get("basedOn", ()))
    start = slip.get("start") or next((p.get("start", "") for p in slip.get("requestedPeriod", ())), "")
    people = [row.get("actor") for row in slip.get("participant", ())]
    found = {
        "MA_LK": episode(case),
        "SO_GIAYHEN_KL": next((str(i["value"]) for i in slip.get("identifier", ()) if i.get("value")), ""),
        "MA_CSKCB": facility_code(case.task.get("owner" if given else "requester")),
        **_person(case.patient),
        **_card(case),
        **_visit(case),
        "NGAY_HEN_KL": moment(start),
        "CHAN_DOAN_RV": str(slip.get("comment", "")) or _main_words(case),
        **_diagnoses(case),
        "MA_DOITUONG_KCB": code_of(case.encounter.get("type", ()), "ma-doituong-kcb"),
        "MA_BAC_SI": ";".join(_staff(case, people)),
        "MA_TTDV": ";".join(_staff(case, slip.get("supportingInformation", ()))),
        "NGAY_CT": moment(str(slip.get("created", "")))[:8],
    }
    return {name: found.get(name, "") for name in ORDER14}


ORDER13 = (
    "MA_LK", "SO_HOSO", "SO_CHUYENTUYEN", "GIAY_CHUYEN_TUYEN", "MA_CSKCB", "MA_CSKCB_DI", "MA_CSKCB_DEN", "HO_TEN",
    "NGAY_SINH", "GIOI_TINH", "MA_QUOCTICH", "MA_DANTOC", "MA_NGHE_NGHIEP", "DIA_CHI", "MA_THE_BHYT", "GT_THE_DEN",
    "NGAY_VAO", "NGAY_VAO_NOI_TRU", "NGAY_RA", "DAU_HIEU_LS", "CHAN_DOAN_RV", "QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI",
    "MA_BENH_CHINH", "MA_BENH_KT", "MA_BENH_YHCT", "TINH_TRANG_CT", "MA_LOAI_RV", "MA_LYDO_CT", "HUONG_DIEU_TRI",
    "PHUONGTIEN_VC", "HOTEN_NGUOI_HT", "CHUCDANH_NGUOI_HT", "MA_BAC_SI", "MA_TTDV", "DU_PHONG",
)  # fmt: skip
ORDER14 = (
    "MA_LK", "SO_GIAYHEN_KL", "MA_CSKCB", "HO_TEN", "NGAY_SINH", "GIOI_TINH", "DIA_CHI", "MA_THE_BHYT", "GT_THE_DEN",
    "NGAY_VAO", "NGAY_VAO_NOI_TRU", "NGAY_RA", "NGAY_HEN_KL", "CHAN_DOAN_RV", "MA_BENH_CHINH", "MA_BENH_KT",
    "MA_BENH_YHCT", "MA_DOITUONG_KCB", "MA_BAC_SI", "MA_TTDV", "NGAY_CT", "DU_PHONG",
)  # fmt: skip


def episode(case: Case) -> str:
    """The sender's key of the stay; of a sender without one, the number of its visit or of the request itself."""
    numbers = case.encounter.get("identifier", ())
    own = next((str(i["value"]) for i in numbers if i.get("system") == EPISODE and i.get("value")), "")
    return own or next((str(i["value"]) for i in numbers if i.get("value")), case.request["id"])


def moment(time: str) -> str:
    """A FHIR date or dateTime as yyyyMMddHHmm: what is not known is zeros, as the format has it."""
    digits = "".join(character for character in time[:16] if character.isdigit())
    return digits.ljust(12, "0") if digits else ""


def code_of(concepts: Iterable[Mapping[str, Any]], system: str) -> str:
    """The code that stands in the list whose name ends so."""
    rows = [row for concept in concepts for row in concept.get("coding", ())]
    return next((str(row["code"]) for row in rows if str(row.get("system", "")).endswith(system) and "code" in row), "")


def _number(request: Resource, kind: str) -> str:
    rows = request.get("identifier", ())
    return next((str(row["value"]) for row in rows if str(row.get("system", "")).endswith(f":{kind}")), "")


def _before(request: Resource) -> list[str]:
    """Facilities before the sender; the sender stands among them as a resource or under its own name."""
    rows = request.get("supportingInfo", ())
    return [facility_code(row) for row in rows if facility_code(row) and "trước khi đến" in str(row.get("display", ""))]


def _person(patient: Resource) -> Facts:
    name: Mapping[str, Any] = next(iter(patient.get("name", ())), {})
    words = [name.get("family", ""), *name.get("given", ())]
    clock = [
        extension["valueDateTime"]
        for extension in patient.get("_birthDate", {}).get("extension", ())
        if extension.get("url") == BIRTH_TIME
    ]
    address: Mapping[str, Any] = next(iter(patient.get("address", ())), {})
    concepts = list(_extension_concepts(patient.get("extension", ())))
    return {
        "HO_TEN": str(name.get("text") or " ".join(filter(None, words))),
        "NGAY_SINH": moment(str(next(iter(clock), patient.get("birthDate", "")))),
        "GIOI_TINH": GENDERS.get(str(patient.get("gender", "")), ""),
        "MA_QUOCTICH": code_of(concepts, "ma-quoctich"),
        "MA_DANTOC": code_of(concepts, "ethnicity-cs") or code_of(concepts, "ma-dantoc"),
        "MA_NGHE_NGHIEP": code_of(concepts, "ma-nghe-nghiep"),
        "DIA_CHI": str(address.get("text", "")),
    }


def _extension_concepts(extensions: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for extension in extensions:
        if "valueCodeableConcept" in extension:
            yield extension["valueCodeableConcept"]
        yield from _extension_concepts(extension.get("extension", ()))


def _card(case: Case) -> Facts:
    cards = [
        str(row["value"]) for row in case.patient.get("identifier", ()) if str(row.get("system", "")).endswith(CARDS)
    ]
    covers = {
        str(row.get("subscriberId")): str(row.get("period", {}).get("end", ""))
        for row in case.held.values()
        if row["resourceType"] == "Coverage"
    }
    ends = [covers.get(card, "").replace("-", "") for card in cards]
    return {"MA_THE_BHYT": ";".join(cards), "GT_THE_DEN": ";".join(ends) if any(ends) else ""}


def _visit(case: Case) -> Facts:
    period = case.encounter.get("period", {})
    admitted: Mapping[str, Any] = next(iter(case.encounter.get("classHistory", ())), {})
    return {
        "NGAY_VAO": moment(period.get("start", "")),
        "NGAY_VAO_NOI_TRU": moment(admitted.get("period", {}).get("start", "")),
        "NGAY_RA": moment(period.get("end", "") or case.request.get("authoredOn", "")),
    }


def _sections(composition: Resource) -> Facts:
    texts = {}
    for section in composition.get("section", ()):
        for row in section.get("code", {}).get("coding", ()):
            texts[row.get("code")] = plain(section.get("text", {}).get("div", ""))
    return {name: texts.get(code, "") for name, code in SECTIONS.items()}


def _diagnoses(case: Case) -> Facts:
    codes = [code for condition in _conditions(case) if (code := _icd10(condition.get("code", {})))]
    if not codes:
        codes = [code for concept in case.request.get("reasonCode", ()) if (code := _icd10(concept))]
    concepts = [
        resource["code"]
        for resource in case.held.values()
        if resource["resourceType"] == "Condition" and "code" in resource
    ]
    traditional = [code for concept in concepts if (code := code_of([concept], "ma-benh-yhct"))]
    return {
        "MA_BENH_CHINH": codes[0] if codes else "",
        "MA_BENH_KT": ";".join(dict.fromkeys(codes[1:])),
        "MA_BENH_YHCT": ";".join(dict.fromkeys(traditional)),
    }


def _conditions(case: Case) -> list[Resource]:
    """Main first, as the request cites them; else as the visit ranks them."""
    links = case.request.get("reasonReference") or [row["condition"] for row in case.encounter.get("diagnosis", ())]
    return [found for link in links if (found := case.cited(link)).get("resourceType") == "Condition"]


def _icd10(concept: Mapping[str, Any]) -> str:
    rows = [r for r in concept.get("coding", ()) if any(part in str(r.get("system", "")) for part in ICD10)]
    return str(rows[0].get("code", "")) if rows else ""


def _main_words(case: Case) -> str:
    return next((str(c["code"]["text"]) for c in _conditions(case) if c.get("code", {}).get("text")), "")


def _note(request: Resource, label: str) -> str:
    texts = [str(note.get("text", "")) for note in request.get("note", ())]
    return next((text.removeprefix(f"{label}: ") for text in texts if text.startswith(f"{label}: ")), "")


def _staff(case: Case, links: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """The licence numbers of the practitioners among what is linked."""
    codes = []
    for link in links:
        person = case.cited(link)
        if person.get("resourceType") == "Practitioner":
            rows = person.get("identifier", ())
            own = [row for row in rows if row.get("system") == LICENCE] or list(rows)
            codes += [str(row["value"]) for row in own[:1] if row.get("value")]
    return list(dict.fromkeys(codes))


class _Words(HTMLParser):
    """The text of a narrative, paragraphs and breaks as lines; a bold label before a colon stays."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br" or (tag in ("p", "tr", "li") and self.parts):
            self.parts.append("\n")


def plain(div: str) -> str:
    """What a narrative says in plain text."""
    words = _Words()
    words.feed(div)
    words.close()
    return "".join(words.parts).strip()
