"""Where links lead inside the whole that is checked."""

from fhir_gateway.fhir.profile.surroundings import Surroundings

CONTAINED = {"resourceType": "Organization", "id": "o"}
PATIENT = {"resourceType": "Patient", "id": "p", "contained": [CONTAINED]}
OTHER = {"resourceType": "Patient", "id": "q"}
BUNDLE = {
    "resourceType": "Bundle",
    "entry": [
        {"fullUrl": "http://a/fhir/Patient/p", "resource": PATIENT},
        {"fullUrl": "http://a/fhir/Patient/q", "resource": OTHER},
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "List"}},
    ],
}
FIRST, SECOND, THIRD = (f"Bundle.entry[{place}].resource" for place in range(3))


def leads(path: str, reference: str) -> str | None:
    found = Surroundings(BUNDLE).resolve(path, reference)
    return found[0] if found else None


def test_a_relative_link_is_on_the_server_of_its_own_entry():
    assert leads(f"{FIRST}.link[0].other", "Patient/q") == SECOND
    assert leads(f"{FIRST}.link[0].other", "http://a/fhir/Patient/q/_history/2") == SECOND
    assert leads(f"{THIRD}.subject", "Patient/q") is None


def test_a_link_to_a_version_leads_to_the_entry_of_that_version():
    def versioned(number: str) -> dict:
        return {"fullUrl": "http://a/fhir/Patient/q", "resource": {**OTHER, "meta": {"versionId": number}}}

    bundle = {**BUNDLE, "entry": [BUNDLE["entry"][0], versioned("1"), versioned("2")]}
    found = [Surroundings(bundle).resolve(FIRST, f"Patient/q/_history/{number}") for number in "123"]
    assert [one[0] if one else None for one in found] == [SECOND, THIRD, None]


def test_a_link_by_urn_is_the_same_from_everywhere():
    assert leads(f"{FIRST}.x", "urn:uuid:1") == THIRD
    assert leads(f"{FIRST}.x", "urn:uuid:2") is None


def test_a_local_link_leads_into_its_own_resource_alone():
    assert leads(f"{FIRST}.managingOrganization", "#o") == f"{FIRST}.contained[0]"
    assert leads(f"{FIRST}.contained[0].partOf", "#") == FIRST
    assert leads(f"{SECOND}.managingOrganization", "#o") is None


def test_a_link_from_nowhere_is_known_by_what_it_ends_with():
    around = Surroundings(BUNDLE)

    assert around.anywhere("Patient/q") == OTHER
    assert around.anywhere("#o") == CONTAINED
    assert around.anywhere("Patient/none") is None
