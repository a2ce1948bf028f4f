"""Profiles: each demand kept and broken."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.profile.check import Shelf, faults

PROFILE, OTHER, EXTENSION = "http://x/p", "http://x/other", "http://x/ext"
CORE = "http://hl7.org/fhir/StructureDefinition/"
UCUM = "http://unitsofmeasure.org"


def profile(*elements: dict[str, Any], url: str = PROFILE, type_: str = "Patient", base: str = "") -> dict[str, Any]:
    placed = [{"path": one["id"].split(":")[0], **one} for one in elements]
    facts = {"resourceType": "StructureDefinition", "url": url, "type": type_, "derivation": "constraint"}
    return {**facts, "baseDefinition": base or f"{CORE}{type_}", "differential": {"element": placed}}


def found(resource: dict[str, Any], *elements: dict[str, Any], **more: Any) -> set[tuple[str, str, str]]:
    shelf = Shelf({PROFILE: profile(*elements), **more.get("profiles", {})}, more.get("value_sets", {}))
    kind = {"resourceType": "Patient", **resource}
    return {(one.where or "", one.code, one.severity) for one in faults(kind, PROFILE, shelf)}


@pytest.mark.parametrize(
    ("element", "good", "bad", "fault"),
    [
        ({"id": "Patient.birthDate", "min": 1}, {"birthDate": "1980"}, {}, ("Patient.birthDate", "required")),
        ({"id": "Patient.name", "max": "1"}, {"name": [{}]}, {"name": [{}, {}]}, ("Patient.name", "structure")),
        ({"id": "Patient.photo", "max": "0"}, {}, {"photo": [{}]}, ("Patient.photo", "structure")),
        (
            {"id": "Patient.active", "fixedBoolean": True},
            {"active": True},
            {"active": False},
            ("Patient.active", "value"),
        ),
        (
            {"id": "Patient.maritalStatus", "patternCodeableConcept": {"coding": [{"code": "M"}]}},
            {"maritalStatus": {"coding": [{"code": "S"}, {"code": "M", "system": "s"}]}},
            {"maritalStatus": {"coding": [{"code": "S"}]}},
            ("Patient.maritalStatus", "value"),
        ),
        (
            {"id": "Patient.deceased[x]", "type": [{"code": "boolean"}]},
            {"deceasedBoolean": True},
            {"deceasedDateTime": "2020"},
            ("Patient.deceasedDateTime", "structure"),
        ),
        (
            {"id": "Patient.language", "maxLength": 2},
            {"language": "vi"},
            {"language": "vi-VN"},
            ("Patient.language", "too-long"),
        ),
        (
            {"id": "Patient.multipleBirth[x]", "maxValueInteger": 3},
            {"multipleBirthInteger": 3},
            {"multipleBirthInteger": 4},
            ("Patient.multipleBirthInteger", "value"),
        ),
        (
            {
                "id": "Patient.managingOrganization",
                "type": [{"code": "Reference", "targetProfile": [f"{CORE}Organization"]}],
            },
            {"managingOrganization": {"reference": "Organization/1"}},
            {"managingOrganization": {"reference": "Location/1"}},
            ("Patient.managingOrganization", "structure"),
        ),
        (
            {"id": "Patient.contact.name", "min": 1},
            {"contact": [{"name": {}}]},
            {"contact": [{}]},
            ("Patient.contact[0].name", "required"),
        ),
        (
            {"id": "Patient.name.family", "min": 1},
            {},
            {"name": [{"text": "x"}]},
            ("Patient.name[0].family", "required"),
        ),
    ],
)
def test_a_demand_is_kept_and_broken(element, good, bad, fault) -> None:
    assert found(good, element) == set()
    assert found(bad, element) == {(*fault, "error")}


def codes(*allowed: str):
    return {"http://x/vs": lambda system, code: code in allowed}


def bound(strength: str) -> dict[str, Any]:
    return {"id": "Patient.maritalStatus", "binding": {"strength": strength, "valueSet": "http://x/vs"}}


def test_bindings_bind_as_strongly_as_they_say() -> None:
    married, text = {"maritalStatus": {"coding": [{"code": "M"}]}}, {"maritalStatus": {"text": "M"}}

    for strength, severity in (("required", "error"), ("extensible", "warning")):
        assert found(married, bound(strength), value_sets=codes("M")) == set()
        assert found(married, bound(strength), value_sets=codes("S")) == {
            ("Patient.maritalStatus", "code-invalid", severity)
        }
        assert found(text, bound(strength), value_sets=codes("M")) == {
            ("Patient.maritalStatus", "code-invalid", severity)
        }
    assert found(married, bound("preferred"), value_sets=codes("S")) == set()


def test_what_nobody_can_say_is_said_to_be_unchecked() -> None:
    married = {"maritalStatus": {"coding": [{"code": "M"}]}}

    assert found(married, bound("required")) == {("Patient.maritalStatus", "not-supported", "information")}
    assert found({}, {"id": "Patient.name", "type": [{"code": "HumanName", "profile": ["http://x/none"]}]}) == set()
    broken = {"id": "Patient", "constraint": [{"key": "x-1", "severity": "error", "expression": "name.where(("}]}
    assert found({}, broken) == {("Patient", "not-supported", "information")}


def test_invariants_are_asked_of_each_element_with_its_resource() -> None:
    name = {"key": "x-1", "severity": "error", "human": "tên", "expression": "family.matches('^[A-Z]')"}
    active = {"key": "x-2", "severity": "warning", "human": "hoạt động", "expression": "%resource.active.exists()"}
    element = {"id": "Patient.name", "constraint": [name, active]}

    assert found({"active": True, "name": [{"family": "An"}]}, element) == set()
    assert found({"name": [{"family": "An"}, {"family": "bình"}]}, element) == {
        ("Patient.name[0]", "invariant", "warning"),
        ("Patient.name[1]", "invariant", "warning"),
        ("Patient.name[1]", "invariant", "error"),
    }


def sliced(kind: str, path: str, rules: str = "open") -> dict[str, Any]:
    return {"id": "Patient.identifier", "slicing": {"discriminator": [{"type": kind, "path": path}], "rules": rules}}


MRN = (
    {"id": "Patient.identifier:mrn", "path": "Patient.identifier", "sliceName": "mrn", "min": 1, "max": "1"},
    {"id": "Patient.identifier:mrn.system", "path": "Patient.identifier.system", "fixedUri": "urn:mrn"},
    {"id": "Patient.identifier:mrn.value", "path": "Patient.identifier.value", "min": 1},
)


def test_slices_are_counted_and_checked_on_their_own() -> None:
    own, other = {"system": "urn:mrn", "value": "1"}, {"system": "urn:x"}

    assert found({"identifier": [other, own]}, sliced("value", "system"), *MRN) == set()
    assert found({"identifier": [other]}, sliced("value", "system"), *MRN) == {
        ("Patient.identifier", "required", "error")
    }
    assert found({"identifier": [own, own]}, sliced("value", "system"), *MRN) == {
        ("Patient.identifier", "structure", "error")
    }
    assert found({"identifier": [{"system": "urn:mrn"}]}, sliced("value", "system"), *MRN) == {
        ("Patient.identifier[0].value", "required", "error")
    }
    assert found({"identifier": [own, other]}, sliced("value", "system", "closed"), *MRN) == {
        ("Patient.identifier[1]", "structure", "error")
    }


def test_a_slice_is_told_by_its_pattern_by_presence_and_by_a_value_set() -> None:
    kind = {"id": "Patient.identifier:mrn.type", "path": "Patient.identifier.type"}
    pattern = {**kind, "patternCodeableConcept": {"coding": [{"code": "MR"}]}}
    own = {"type": {"coding": [{"code": "MR"}]}, "value": "1"}
    binding = {**kind, "binding": {"strength": "required", "valueSet": "http://x/vs"}}

    assert found({"identifier": [own]}, sliced("pattern", "type"), MRN[0], pattern) == set()
    assert found({"identifier": [{}]}, sliced("pattern", "type"), MRN[0], pattern) != set()
    assert found({"identifier": [own]}, sliced("exists", "value"), *MRN[::2]) == set()
    assert found({"identifier": [{}]}, sliced("exists", "value"), *MRN[::2]) != set()
    assert found({"identifier": [own]}, sliced("value", "type"), MRN[0], binding, value_sets=codes("MR")) == set()


def test_slices_nobody_can_tell_apart_are_said_to_be_unchecked() -> None:
    assert found({"identifier": [{}]}, sliced("value", "assigner.resolve().active"), *MRN) == {
        ("Patient.identifier", "not-supported", "information")
    }


def test_an_extension_is_a_slice_by_its_url_and_keeps_its_own_profile() -> None:
    slicing = {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"}
    wanted = (
        {"id": "Patient.extension", "slicing": slicing},
        {
            "id": "Patient.extension:e",
            "path": "Patient.extension",
            "sliceName": "e",
            "min": 1,
            "type": [{"code": "Extension", "profile": [EXTENSION]}],
        },
    )
    inner = profile({"id": "Extension.value[x]", "type": [{"code": "string"}]}, url=EXTENSION, type_="Extension")
    good = {"extension": [{"url": EXTENSION, "valueString": "x"}]}
    bad = {"extension": [{"url": EXTENSION, "valueInteger": 1}]}

    assert found(good, *wanted, profiles={EXTENSION: inner}) == set()
    assert found({}, *wanted, profiles={EXTENSION: inner}) == {("Patient.extension", "required", "error")}
    assert found(bad, *wanted, profiles={EXTENSION: inner}) == {
        ("Patient.extension[0].valueInteger", "structure", "error")
    }


def test_a_profile_keeps_what_its_base_profile_says() -> None:
    base = profile({"id": "Patient.birthDate", "min": 1}, url=OTHER)
    derived = profile({"id": "Patient.gender", "min": 1}, base=OTHER)
    issues = faults({"resourceType": "Patient"}, PROFILE, Shelf({PROFILE: derived, OTHER: base}))

    assert {one.where for one in issues} == {"Patient.birthDate", "Patient.gender"}


def test_profiles_that_go_round_in_a_ring_end() -> None:
    first, second = profile(base=OTHER), profile(url=OTHER, base=PROFILE)

    assert faults({"resourceType": "Patient"}, PROFILE, Shelf({PROFILE: first, OTHER: second})) == []


def test_a_profile_of_another_type_is_no_profile_of_this() -> None:
    wrong = profile(type_="Observation")

    assert [one.code for one in faults({"resourceType": "Patient"}, PROFILE, Shelf({PROFILE: wrong}))] == ["structure"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "x", "1", "*", "$this", "Patient.name", "url"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["path", "id", "code", "url", "system", "value"]), inner, max_size=3)
    ),
    max_leaves=6,
)
MEMBERS = [
    "min",
    "max",
    "type",
    "binding",
    "slicing",
    "constraint",
    "sliceName",
    "fixedCode",
    "patternCoding",
    "maxLength",
]
ELEMENTS = st.dictionaries(st.sampled_from([*MEMBERS, "path", "id", "minValueInteger"]), JSON, max_size=5)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(ELEMENTS, max_size=4),
    st.sampled_from(["Patient.name", "Patient.identifier", "Patient", "Patient.birthDate"]),
)
def test_no_profile_is_too_odd(elements, path) -> None:
    view = [{"path": path, **one} for one in elements]
    odd = {"type": "Patient", "differential": {"element": view}, "baseDefinition": None}
    resource = {
        "resourceType": "Patient",
        "name": [{"family": "x"}],
        "identifier": [{"value": "1"}],
        "birthDate": "1980",
    }

    faults(resource, PROFILE, Shelf({PROFILE: odd}))


def test_a_type_of_r4_is_a_profile_of_its_own_resources_alone() -> None:
    patient = {"resourceType": "Patient"}

    assert faults(patient, f"{CORE}Patient", Shelf()) == []
    assert faults(patient, f"{CORE}DomainResource", Shelf()) == []
    assert [one.code for one in faults(patient, f"{CORE}Observation", Shelf())] == ["structure"]
    assert [one.code for one in faults(patient, f"{CORE}vitalsigns", Shelf())] == ["not-found"]


PERSON = {"resourceType": "Patient", "id": "p"}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"fullUrl": f"http://a/{one['resourceType']}/{one['id']}", "resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def bundled(resource: dict[str, Any], shelf: Shelf) -> set[tuple[str, str]]:
    return {(one.where or "", one.code) for one in faults(resource, PROFILE, shelf) if one.severity == "error"}


def test_entries_are_slices_by_type_and_by_profile() -> None:
    slicing = {"discriminator": [{"type": "profile", "path": "resource"}], "rules": "closed"}
    named = {"path": "Bundle.entry.resource", "type": [{"code": "Patient", "profile": [OTHER]}]}
    entries = profile(
        {"id": "Bundle.entry", "slicing": slicing},
        {"id": "Bundle.entry:named", "path": "Bundle.entry", "sliceName": "named", "min": 1},
        {"id": "Bundle.entry:named.resource", **named},
        type_="Bundle",
    )
    shelf = Shelf({PROFILE: entries, OTHER: profile({"id": "Patient.name", "min": 1}, url=OTHER)})

    assert bundled(bundle({**PERSON, "name": [{"text": "A"}]}), shelf) == set()
    assert bundled(bundle(PERSON), shelf) == {("Bundle.entry", "required"), ("Bundle.entry[0]", "structure")}


def test_a_reference_keeps_the_profile_of_its_target_where_that_is_at_hand() -> None:
    link = {"id": "Patient.link.other", "type": [{"code": "Reference", "targetProfile": [OTHER]}]}
    entry = {"id": "Bundle.entry.resource", "type": [{"code": "Resource", "profile": ["http://x/linked"]}]}
    shelf = Shelf(
        {
            PROFILE: profile(entry, type_="Bundle"),
            "http://x/linked": profile(link, url="http://x/linked"),
            OTHER: profile({"id": "Patient.name", "min": 1}, url=OTHER),
        }
    )
    first = {**PERSON, "link": [{"other": {"reference": "Patient/q"}, "type": "refer"}]}
    named, nameless = ({"resourceType": "Patient", "id": "q", **more} for more in ({"name": [{"text": "A"}]}, {}))

    assert bundled(bundle(first, named), shelf) == set()
    assert bundled(bundle(first, nameless), shelf) == {("Bundle.entry[0].resource.link[0].other", "structure")}
    assert bundled(bundle(first), shelf) == set()


def test_one_of_several_profiles_is_enough() -> None:
    both = {"id": "Patient.name", "type": [{"code": "HumanName", "profile": [OTHER, EXTENSION]}]}
    profiles = {
        OTHER: profile({"id": "HumanName.family", "min": 1}, url=OTHER, type_="HumanName"),
        EXTENSION: profile({"id": "HumanName.text", "min": 1}, url=EXTENSION, type_="HumanName"),
    }

    assert found({"name": [{"family": "A"}, {"text": "A"}]}, both, profiles=profiles) == set()
    assert found({"name": [{"use": "old"}]}, both, profiles=profiles) == {("Patient.name[0]", "structure", "error")}


def test_slices_without_ids_are_read_by_their_order() -> None:
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "closed"}
    elements = [
        {"path": "Patient.identifier", "slicing": slicing},
        {"path": "Patient.identifier", "sliceName": "a", "max": "1"},
        {"path": "Patient.identifier.system", "fixedUri": "urn:a"},
        {"path": "Patient.identifier", "sliceName": "b"},
        {"path": "Patient.identifier.system", "fixedUri": "urn:b"},
        {"path": "Patient.identifier.value", "min": 1},
    ]
    shelf = Shelf({PROFILE: {**profile(), "differential": {"element": elements}}})
    mine, other = {"system": "urn:a"}, {"system": "urn:b"}

    def check(*identifiers: dict[str, Any]) -> set[tuple[str, str]]:
        return bundled({"resourceType": "Patient", "identifier": list(identifiers)}, shelf)

    assert check(mine, {**other, "value": "1"}) == set()
    assert check(mine, other) == {("Patient.identifier[1].value", "required")}
    assert check(mine, mine) == {("Patient.identifier", "structure")}
    assert check({"system": "urn:c"}) == {("Patient.identifier[0]", "structure")}


def test_what_a_slice_leaves_open_does_not_tell_it_apart() -> None:
    slicing = {"discriminator": [{"type": "value", "path": one} for one in ("system", "use")], "rules": "closed"}
    elements = (
        {"id": "Patient.telecom", "slicing": slicing},
        {"id": "Patient.telecom:mail", "path": "Patient.telecom", "sliceName": "mail"},
        {"id": "Patient.telecom:mail.system", "path": "Patient.telecom.system", "fixedCode": "email"},
        {"id": "Patient.telecom:none", "path": "Patient.telecom", "sliceName": "none"},
        {"id": "Patient.telecom:none.system", "path": "Patient.telecom.system", "fixedCode": "fax"},
        {"id": "Patient.telecom:none.use", "path": "Patient.telecom.use", "max": "0"},
    )

    assert found({"telecom": [{"system": "email", "use": "home"}, {"system": "fax"}]}, *elements) == set()
    assert found({"telecom": [{"system": "fax", "use": "home"}]}, *elements) == {
        ("Patient.telecom[0]", "structure", "error")
    }


def test_quantities_and_dates_are_held_against_bounds_of_their_type() -> None:
    weight = {"id": "Observation.value[x]", "minValueQuantity": {"value": 1, "system": UCUM, "code": "kg"}}
    shelf = Shelf({PROFILE: profile(weight, type_="Observation")})

    def weighs(value: int, code: str) -> set[tuple[str, str]]:
        quantity = {"value": value, "system": UCUM, "code": code}
        return bundled({"resourceType": "Observation", "valueQuantity": quantity}, shelf)

    assert weighs(1500, "g") == set()
    assert weighs(900, "g") == {("Observation.valueQuantity", "value")}
    assert weighs(900, "m") == set()


def test_an_invariant_knows_the_resource_it_stands_in_and_what_contains_that() -> None:
    said = "%resource is Organization and %rootResource is Patient"
    name = {"id": "Patient.contained.name", "constraint": [{"key": "x-1", "severity": "error", "expression": said}]}
    contained = {"resourceType": "Organization", "id": "o", "name": "A"}

    assert found({"contained": [contained]}, name) == set()
    assert found({"contained": [{**PERSON, "name": [{}]}]}, name) == {
        ("Patient.contained[0].name[0]", "invariant", "error")
    }


def test_an_invariant_may_ask_for_value_sets_and_links() -> None:
    link = {"key": "x-1", "severity": "error", "expression": "managingOrganization.resolve().name = 'A'"}
    code = {"key": "x-2", "severity": "error", "expression": "language.memberOf('http://x/vs')"}
    root = {"id": "Patient", "constraint": [link, code]}
    organization = {"resourceType": "Organization", "id": "o", "name": "A"}
    patient = {"contained": [organization], "managingOrganization": {"reference": "#o"}, "language": "vi"}
    sets = {"http://x/vs": lambda _, code: code == "vi"}

    assert found(patient, root, value_sets=sets) == set()
    assert found({**patient, "language": "fr"}, root, value_sets=sets) == {("Patient", "invariant", "error")}
    assert found(patient, root) == {("Patient", "not-supported", "information")}


SECTION = "http://x/section"
PART = {"url": f"{CORE}elementdefinition-profile-element", "valueString": "Patient.contact:kin"}


def test_a_slice_is_told_apart_by_what_the_profile_of_its_type_says():
    slicing = {"discriminator": [{"type": "pattern", "path": "relationship"}], "rules": "closed"}
    kind = [{"code": "BackboneElement", "profile": [SECTION], "_profile": [{"extension": [PART]}]}]
    elements = (
        {"id": "Patient.contact", "slicing": slicing},
        {"id": "Patient.contact:kin", "sliceName": "kin", "min": 1, "type": kind},
    )
    pattern = {"coding": [{"code": "N"}]}
    library = profile(
        {"id": "Patient.contact:kin", "sliceName": "kin"},
        {
            "id": "Patient.contact:kin.relationship",
            "path": "Patient.contact.relationship",
            "patternCodeableConcept": pattern,
        },
        {"id": "Patient.contact:kin.name", "path": "Patient.contact.name", "min": 1},
        url=SECTION,
    )
    kin = {"relationship": [{"coding": [{"code": "N"}]}]}
    shelf = {"profiles": {SECTION: library}}
    assert found({"contact": [{**kin, "name": {"text": "x"}}]}, *elements, **shelf) == set()
    assert found({"contact": [kin]}, *elements, **shelf) == {("Patient.contact[0].name", "required", "error")}
    assert ("Patient.contact", "required", "error") in found({}, *elements, **shelf)


def test_extensions_are_told_apart_by_their_address_where_a_profile_does_not_say_how():
    elements = (
        {"id": "Patient.extension:a", "sliceName": "a", "min": 1},
        {"id": "Patient.extension:a.url", "path": "Patient.extension.url", "fixedUri": "http://x/a"},
    )
    assert found({"extension": [{"url": "http://x/a", "valueString": "x"}]}, *elements) == set()
    assert found({"extension": [{"url": "http://x/b"}]}, *elements) == {("Patient.extension", "required", "error")}


def test_what_an_element_holds_is_of_the_type_that_the_profile_names():
    kind = [{"code": "Resource", "profile": [f"{CORE}Organization"]}]
    element = {"id": "Patient.contained", "type": kind}
    assert found({"contained": [{"resourceType": "Organization"}]}, element) == set()
    assert {one[0] for one in found({"contained": [{"resourceType": "Device"}]}, element)} == {"Patient.contained[0]"}
