"""Finds the records a slip of a case is written from, as far as the caller may see them."""

import asyncio

from fhir_gateway.exchange import cases, casework
from fhir_gateway.exchange.filing import cited
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.slips.facts import Case, revisit, transfer
from fhir_gateway.exchange.slips.printed import printed
from fhir_gateway.exchange.slips.xml import written
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource, reference
from fhir_gateway.problem import NotFound
from fhir_gateway.search import query as search
from fhir_gateway.security.access import may
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.sight import sees

XML, PDF = "application/xml", "application/pdf"
#: What can be asked for: the table and the media type.
FORMS = {"xml13": ("XML13", XML), "xml14": ("XML14", XML), "xml13.pdf": ("XML13", PDF), "xml14.pdf": ("XML14", PDF)}
#: Found beside what the case cites: the patient's cards and re-visits.
BESIDE = ("Coverage", "Appointment")
LIMIT = "20"


async def slip(house: House, caller: Caller, task: str, form: str) -> tuple[str, bytes]:
    """Media type and content of one form of a case. Raises NotFound for a form, a case or an appointment not there."""
    if form not in FORMS:
        raise NotFound(f"no form of that name; there are {', '.join(FORMS)}", "form")
    table, media_type = FORMS[form]
    case = await _case(house, caller, task)
    if table == "XML14" and not case.appointment:
        raise NotFound("the case has no appointment yet, so there is no re-visit slip", "Task.output")
    facts = transfer(case) if table == "XML13" else revisit(case)
    if media_type == PDF:
        title_of = house.directory.title_of
        return media_type, await asyncio.to_thread(printed, table, facts, case, title_of)
    return media_type, written(table, facts, facts["MA_CSKCB"], house.clock())


async def _case(house: House, caller: Caller, name: str) -> Case:
    """The case with all it cites; the signed document's own Composition tells what was sent."""
    task = (await casework.view(house, caller, name)).task
    reader = may(caller, "read", "ServiceRequest").reader
    wanted = [task["focus"]["reference"], task["for"]["reference"], *cases.outputs(task), *_documents(task)]
    found = await house.store.currents(list(dict.fromkeys(wanted)))
    seen = [v for v in found.values() if not v.deleted and sees(reader, v)]
    first = {version.reference: decode_resource(version.body) for version in seen}
    request = first.get(task["focus"]["reference"])
    if request is None:
        raise NotFound("the referral of this case is not to be seen", "Task.focus")
    held = _unpacked(first, {**first, **await cited(house.store, first, reader)})
    held |= await _beside(house, reader, task["for"]["reference"])
    return Case(task, request, _composition(held, request), _appointment(task, request, held), held)


def _documents(task: Resource) -> list[str]:
    rows = [row.get("valueReference", {}).get("reference", "") for row in task.get("input", ())]
    return [row for row in rows if row.startswith("Bundle/")]


def _unpacked(first: dict[str, Resource], held: dict[str, Resource]) -> dict[str, Resource]:
    """The contents of documents too: a partner's Composition is kept in its signed document alone."""
    inside = {
        reference(entry["resource"]): entry["resource"]
        for bundle in first.values()
        if bundle["resourceType"] == "Bundle"
        for entry in bundle.get("entry", ())
    }
    return {**inside, **held}


async def _beside(house: House, reader: Reader, patient: str) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for kind in BESIDE:
        name = "beneficiary" if kind == "Coverage" else "patient"
        query = search.parse(kind, [(name, patient), ("_count", LIMIT)])
        for version in await house.store.find(query, reader):
            found[version.reference] = decode_resource(version.body)
    return {**found, **await cited(house.store, found, reader)}


def _composition(held: dict[str, Resource], request: Resource) -> Resource:
    own = reference(request)
    return next((r for r in held.values() if r["resourceType"] == "Composition" and own in _events(r)), {})


def _events(composition: Resource) -> list[str]:
    rows = [detail for event in composition.get("event", ()) for detail in event.get("detail", ())]
    return [str(row.get("reference", "")) for row in rows]


def _appointment(task: Resource, request: Resource, held: dict[str, Resource]) -> Resource:
    """What the other hospital gave in answer, else the re-visit that the sender's slip of this stay proposes."""
    answered = [held[ref] for ref in cases.outputs(task) if ref.startswith("Appointment/") and ref in held]
    visit = request.get("encounter", {}).get("reference")
    proposed = [
        resource
        for resource in held.values()
        if resource["resourceType"] == "Appointment"
        and any(link.get("reference") == visit for link in resource.get("supportingInformation", ()))
    ]
    return next(iter([*answered[-1:], *proposed]), {})
