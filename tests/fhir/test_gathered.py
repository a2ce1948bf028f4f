"""Bundles as a whole: addresses, and documents that hold what they speak of."""

from typing import Any

from fhir_gateway.fhir.gathered import faults
from fhir_gateway.fhir.profile.surroundings import Surroundings

COMPOSITION = {"resourceType": "Composition", "id": "c", "subject": {"reference": "Patient/p"}, "section": []}


def document(*entries: dict[str, Any], kind: str = "document") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(resource: dict[str, Any], address: str | None) -> dict[str, Any]:
    return {"resource": resource, **({"fullUrl": address} if address else {})}


def found(bundle: dict[str, Any]) -> list[tuple[str | None, str]]:
    return [(one.where, one.severity) for one in faults(bundle, Surroundings(bundle))]


def test_a_document_holds_what_its_composition_refers_to():
    first = entry(COMPOSITION, "http://a/Composition/c")
    patient = entry({"resourceType": "Patient", "id": "p"}, "http://a/Patient/p")

    assert found(document(first, patient)) == []
    assert found(document(first)) == [("Bundle.entry[0].resource.subject", "error")]
    assert found(document(first, patient, kind="collection")) == []


def test_a_document_holds_nothing_that_no_link_leads_to():
    first = entry(COMPOSITION, "http://a/Composition/c")
    patient = entry({"resourceType": "Patient", "id": "p"}, "http://a/Patient/p")
    stray = entry({"resourceType": "Patient", "id": "s"}, "http://a/Patient/s")
    back = entry({"resourceType": "List", "id": "l", "subject": {"reference": "Patient/p"}}, "http://a/List/l")

    assert found(document(first, patient, back)) == []
    assert found(document(first, patient, stray)) == [("Bundle.entry[2]", "warning")]


def test_entries_have_absolute_addresses():
    patient = {"resourceType": "Patient", "id": "p"}

    assert found(document(entry(patient, None), kind="collection")) == [("Bundle.entry[0].fullUrl", "error")]
    assert found(document(entry(patient, "Patient/p"), kind="collection")) == [("Bundle.entry[0].fullUrl", "error")]
    assert found(document(entry(patient, None), kind="transaction")) == []


def test_an_address_with_an_id_is_of_a_resource_that_has_it():
    nameless = entry({"resourceType": "Patient"}, "http://a/Patient/p")

    assert found(document(nameless, kind="collection")) == [("Bundle.entry[0].fullUrl", "error")]
    assert found(document(entry({"resourceType": "Patient"}, "urn:uuid:1"), kind="collection")) == []


def test_other_resources_are_none_of_its_business():
    assert found({"resourceType": "Patient"}) == []


def results(url: str, *pairs: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    entries = [
        {"fullUrl": f"urn:x:{place}", "resource": one, "search": {"mode": mode}}
        for place, (mode, one) in enumerate(pairs)
    ]
    return {"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "self", "url": url}], "entry": entries}


def test_results_are_of_the_type_that_was_searched_and_have_ids():
    patient, group = {"resourceType": "Patient", "id": "p"}, {"resourceType": "Group", "id": "g"}
    told = {"resourceType": "OperationOutcome"}
    url = "http://a/fhir/Patient?name=a"
    assert found(results(url, ("match", patient), ("include", group), ("outcome", told))) == []
    assert found(results("http://a/fhir?_type=Group", ("match", group))) == []
    assert found(results(url, ("match", group))) == [("Bundle.entry[0].resource", "error")]
    assert found(results(url, ("outcome", group))) == [("Bundle.entry[0].resource", "error")]
    assert found(results(url, ("match", {"resourceType": "Patient"}))) == [("Bundle.entry[0].resource.id", "error")]
