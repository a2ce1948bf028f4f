"""What happened to a case, as the message a hospital's HL7 v2 system reads: RRI^I12, ORU^R01, REF^I12.

https://www.hl7.eu/HL7v2x/v251/std251/ch11.html
An answer to a referral is RRI^I12 (accepted, refused, admitted), the document that ends a case is ORU^R01, a referral
that another hospital of this gateway receives is REF^I12. Encoding signs, character set, version and names are the
receiver's, from ``[outbound]`` of its file. Same reply, same bytes: a second try is the same message.
"""

from collections.abc import Callable, Mapping
from typing import Any

from adapters.contract import Reply, Resource
from adapters.hl7v2 import render_parts as parts
from adapters.hl7v2.write import Field, Pen

_STRUCTURES = {"REF^I12": "REF_I12", "RRI^I12": "RRI_I12", "ORU^R01": "ORU_R01"}
# Table 0283: accepted, pending, rejected; E is a referral that is over without having been taken up.
_STANDING = {"accepted": "A", "in-progress": "A", "completed": "A", "rejected": "R", "failed": "R", "cancelled": "E"}
_TITLES = {"A": "Accepted", "P": "Pending", "R": "Rejected", "E": "Expired"}
_ACCEPTING = frozenset({"referral.accept", "referral.reject", "referral.admit", "referral.fail"})
_ACCEPTING |= {"teleconsult.schedule", "teleconsult.decline"}
_ANSWERING = frozenset({"referral.complete", "teleconsult.answer"})
_EVIDENCE_LIMIT = 200


def message_of(event: str) -> str:
    """The message type a case's event becomes for who referred, or for who receives; empty: nothing is sent."""
    if event in _ACCEPTING:
        return "RRI^I12"
    if event in _ANSWERING:
        return "ORU^R01"
    return "REF^I12" if event.endswith(".open") else ""


def render(reply: Reply) -> bytes:
    """The message in the receiver's own encoding. Raises Untranslatable where its character set cannot hold it."""
    settings = reply.hospital.outbound
    end = {"LF": "\n", "CRLF": "\r\n"}.get(settings.get("segment_end", ""), "\r")
    pen = Pen(settings.get("encoding", "|^~\\&"), settings.get("charset", "UNICODE UTF-8"), end)
    kind = message_of(reply.event)
    _header(pen, reply, kind)
    _WRITERS[kind](pen, _Case(reply))
    return pen.message()


class _Case:
    """The resources of a reply by what they are to it."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self._held = {f"{r['resourceType']}/{r['id']}": r for r in reply.resources if "id" in r}
        self.task = parts.of_type(reply.resources, "Task")[0]
        self.request = self.at(self.task["focus"]) or {}
        self.patient = self.at(self.task["for"]) or {}
        self.documents = [r for r in reply.resources if r["resourceType"] == "Bundle" and self._is_of_this_step(r)]

    def at(self, reference: Mapping[str, Any] | None) -> Resource | None:
        return self._held.get(str((reference or {}).get("reference", "")))

    def given(self, kind: str) -> Resource:
        """The resource of that kind that the moves brought last."""
        rows = [self.at(row.get("valueReference")) for row in self.task.get("output", ())]
        return ([row for row in rows if row and row["resourceType"] == kind] or [{}])[-1]

    def contents(self) -> list[Resource]:
        """What the documents hold, the Composition first."""
        return [entry["resource"] for document in self.documents for entry in document.get("entry", ())]

    def _is_of_this_step(self, document: Resource) -> bool:
        rows = self.task.get("output" if self.task.get("output") else "input", ())
        return f"Bundle/{document['id']}" in [row.get("valueReference", {}).get("reference") for row in rows]


def _header(pen: Pen, reply: Reply, kind: str) -> None:
    settings = reply.hospital.outbound
    version = settings.get("version", "2.5.1")
    pen.header(
        {
            3: settings.get("sending_application", "FHIRGW"),
            4: settings.get("sending_facility", "QN"),
            5: settings.get("application", "HIS"),
            6: settings.get("facility", reply.hospital.facility_code),
            7: reply.sent.strftime("%Y%m%d%H%M%S%z"),
            9: (*kind.split("^"), _STRUCTURES[kind]),
            10: reply.control,
            11: "P",
            12: version,
            15: "NE",
            16: "AL",
            17: "VNM",
            18: pen.charset,
        }
    )


def _answer(pen: Pen, case: _Case) -> None:
    """RRI^I12: how the referral stands, who takes the patient over, when, and why not."""
    appointment, visit = case.given("Appointment"), case.given("Encounter")
    _referral(pen, case, (str(appointment.get("start", "")), str(appointment.get("end", ""))))
    _providers(pen, case)
    pen.row("PID", _patient(case))
    if visit:
        period = visit.get("period", {})
        number: Field = (parts.number(visit.get("identifier", ())) or str(visit.get("id", ""))[:20],)
        pen.row("PV1", {1: "1", 2: "I", 19: number, 44: parts.stamp(str(period.get("start", "")))})
    for note in parts.notes(_words(case, appointment)):
        pen.row("NTE", note)


def _words(case: _Case, appointment: Mapping[str, Any]) -> list[str]:
    reason = str(case.task.get("statusReason", {}).get("text", ""))
    slot = f"Lịch hẹn: {appointment['start']}" if appointment.get("start") else ""
    return [reason, slot, str(appointment.get("comment", "")), str(appointment.get("description", ""))]


def _referral(pen: Pen, case: _Case, slot: tuple[str, str]) -> None:
    request, task = case.request, case.task
    standing = _STANDING.get(str(task.get("status", "")), "P")
    span = request.get("occurrencePeriod", {})
    urgency = {"stat": "S", "asap": "A", "urgent": "A"}.get(str(request.get("priority", "")), "R")
    pen.row(
        "RF1",
        {
            1: (standing, _TITLES[standing], "HL70283"),
            2: (urgency, "", "HL70280"),
            3: parts.concept(request.get("code")),
            6: (parts.number(request.get("identifier", ())),),
            7: parts.stamp(slot[0] or str(span.get("start", ""))),
            8: parts.stamp(slot[1] or str(span.get("end", ""))),
            9: parts.stamp(str(task.get("lastModified", request.get("authoredOn", "")))),
            10: [parts.concept(reason) for reason in request.get("reasonCode", ())],
            11: (parts.number(task.get("identifier", ())),),
        },
    )


def _providers(pen: Pen, case: _Case) -> None:
    """Who refers (RP) and who is asked (RT), each by its facility code."""
    doctor = case.at(case.request.get("requester")) or {}
    for role, title, end in (("RP", "Referring Provider", "requester"), ("RT", "Referred to Provider", "owner")):
        code, name = parts.facility_of(case.task.get(end))
        known = doctor if role == "RP" and doctor.get("resourceType") == "Practitioner" else {}
        facility: Field = (name, "", "", "", "", "", "", "", "", code)
        number: Field = (parts.number(known.get("identifier", ())), "CCHN") if known else ""
        pen.row("PRD", {1: (role, title, "HL70286"), 2: parts.person(known) if known else "", 7: number, 10: facility})


def _patient(case: _Case) -> dict[int, Field]:
    hospital = case.reply.hospital
    return parts.patient(case.patient, hospital.facility_code, hospital.systems.get("mrn", ""))


def _result(pen: Pen, case: _Case) -> None:
    """ORU^R01: the document that ends the case, its sections as text rows, the results it cites as they are."""
    pen.row("PID", _patient(case))
    contents = case.contents()
    written = (parts.of_type(contents, "Composition") or [{}])[0]
    placer, filler = parts.number(case.request.get("identifier", ())), parts.number(case.task.get("identifier", ()))
    pen.row(
        "ORC", {1: "RE", 2: (placer,), 3: (filler,), 5: "CM", 9: parts.stamp(str(case.task.get("lastModified", "")))}
    )
    doctors = parts.of_type(contents, "Practitioner")
    signed: Field = (parts.packed_person(doctors[0]),) if doctors else ""
    pen.row(
        "OBR",
        {
            1: "1",
            2: (placer,),
            3: (filler,),
            4: parts.concept({**written.get("type", {}), "text": str(written.get("title", ""))}),
            7: parts.stamp(str(written.get("date", ""))),
            22: parts.stamp(str(written.get("date", ""))),
            25: "F",
            32: signed,
        },
    )
    _sections(pen, written, contents)


def _sections(pen: Pen, written: Mapping[str, Any], contents: list[Resource]) -> None:
    place = 0
    for section in written.get("section", ()):
        text = parts.narrative(section)
        if text:
            place += 1
            pen.row("OBX", parts.text_row(place, section, text))
    for one in parts.of_type(contents, "Observation")[:_EVIDENCE_LIMIT]:
        place += 1
        pen.row("OBX", parts.observation(place, one))


def _request(pen: Pen, case: _Case) -> None:
    """REF^I12: a referral received by a hospital of this gateway whose system reads HL7 v2."""
    contents = case.contents()
    _referral(pen, case, ("", ""))
    _providers(pen, case)
    # Comments stand after the providers: after a result they would be comments on it.
    written = (parts.of_type(contents, "Composition") or [{}])[0]
    told = [f"{s.get('title', '')}: {parts.narrative(s)}" for s in written.get("section", ()) if parts.narrative(s)]
    for note in parts.notes(told):
        pen.row("NTE", note)
    pen.row("PID", _patient(case))
    for place, condition in enumerate(parts.of_type(contents, "Condition"), 1):
        pen.row("DG1", parts.diagnosis(place, condition))
    for place, allergy in enumerate(parts.of_type(contents, "AllergyIntolerance"), 1):
        pen.row("AL1", parts.allergy(place, allergy))
    results = parts.of_type(contents, "Observation")[:_EVIDENCE_LIMIT]
    if results:
        pen.row("OBR", {1: "1", 4: ("KQ", "Kết quả kèm theo", "L"), 25: "F"})
    for place, one in enumerate(results, 1):
        pen.row("OBX", parts.observation(place, one))


_WRITERS: dict[str, Callable[[Pen, _Case], None]] = {"REF^I12": _request, "RRI^I12": _answer, "ORU^R01": _result}
