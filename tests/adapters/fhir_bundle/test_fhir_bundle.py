"""Native FHIR: ids, links and patients' numbers of the house, everything else as sent, every leaf accounted for."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import fhir_bundle
from adapters.contract import Fate, Untranslatable
from adapters.draft import resource_id
from adapters.fhir_bundle import versions
from fhir_gateway.exchange.division import joined
from fhir_gateway.fhir.definitions import resource_types, types

PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"text": "An"}]}
OBSERVATION = {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "Hb"}}
URN = "urn:uuid:5f2b7c1e-3a51-4d0e-9d5c-0a1c9a6f1a01"
SOURCE = "urn:vn:quang-ninh:ba-che:fhir"
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"


def number(kind, value, system=""):
    row = {"type": {"coding": [{"system": TYPES, "code": kind}]}, "value": value}
    return {**row, "system": system} if system else row


def about(reference, **more):
    return {**OBSERVATION, "subject": {"reference": reference, **more}}


def target(translation, made):
    return made(translation, "Observation")["subject"]


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (URN, URN),
        ("", "Patient/p1"),
        ("", "Patient/p1/_history/3"),
        ("http://his.example/fhir/Patient/p1", "http://his.example/fhir/Patient/p1"),
        ("http://his.example/fhir/Patient/p1", "http://his.example/fhir/Patient/p1/_history/2"),
        ("http://his.example/fhir/Patient/p1", "Patient/p1"),
        ("", "Patient?identifier=urn:x|77"),
    ],
)
def test_a_link_inside_the_message_leads_to_the_new_id(translate, bundle, made, url, link):
    patient = {**PATIENT, "identifier": [{"system": "urn:x", "value": "77"}]}
    done = translate(bundle("collection", (url, patient), about(link)))
    assert target(done, made) == {"reference": f"urn:uuid:{made(done, 'Patient')['id']}"}


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("Patient/9", {"type": "Patient", "identifier": {"system": f"{SOURCE}:Patient", "value": "9"}}),
        (
            "http://elsewhere.example/fhir/Patient/p1",
            {
                "type": "Patient",
                "identifier": {"system": "urn:ietf:rfc:3986", "value": "http://elsewhere.example/fhir/Patient/p1"},
            },
        ),
        ("Patient?identifier=urn:x|78", {"identifier": {"system": "urn:x", "value": "78"}}),
    ],
)
def test_a_link_out_of_the_message_becomes_logical(translate, bundle, made, link, expected):
    assert target(translate(bundle("collection", PATIENT, about(link))), made) == expected


def test_a_logical_link_keeps_its_own_identifier_and_what_was_sent(translate, bundle, made):
    own = {"system": "urn:x", "value": "5"}
    done = translate(bundle("collection", about("Patient/9", identifier=own)))
    assert target(done, made)["identifier"] == own
    assert target(done, made)["extension"][0]["valueUri"] == "Patient/9"
    places = {account.place: account.targets for account in done.ledger}
    assert places["Bundle.entry[0].resource.subject.reference"][0].endswith("#subject.extension[0].valueUri")


def test_a_contained_resource_is_left_as_it_is(translate, bundle, made):
    inner = {"resourceType": "Patient", "id": "x"}
    done = translate(bundle("collection", {**about("#x"), "contained": [inner]}))
    assert (target(done, made), made(done, "Observation")["contained"]) == ({"reference": "#x"}, [inner])


def test_a_hospital_that_sends_everything_keeps_its_relative_links(translate, bundle, made):
    quirks = {"fhir_ids": "source"}
    first = translate(PATIENT, quirks=quirks)
    second = translate(bundle("collection", about("Patient/p1")), quirks=quirks)
    assert target(second, made) == {"reference": f"Patient/{made(first, 'Patient')['id']}"}


def test_ids_are_of_the_house_and_the_sources_id_stays(translate, made):
    patient = made(translate(PATIENT), "Patient")
    assert patient["id"] == resource_id("ba-che", "Patient", "fhir:p1")
    assert patient["identifier"] == [{"system": f"{SOURCE}:Patient", "value": "p1"}]
    composition = made(
        translate({"resourceType": "Composition", "id": "c", "identifier": {"value": "7"}}), "Composition"
    )
    assert composition["meta"]["tag"] == [{"system": f"{SOURCE}:Composition", "code": "c"}]
    binary = made(translate({"resourceType": "Binary", "id": "b", "contentType": "text/plain"}), "Binary")
    assert binary["meta"]["tag"][0]["code"] == "b"


def test_a_patient_is_known_by_the_hospitals_number_as_in_every_other_format(translate, made):
    patient = made(translate({**PATIENT, "identifier": [number("MR", "00123")]}), "Patient")
    assert patient["id"] == resource_id("ba-che", "Patient", "00123")
    assert patient["identifier"][0]["system"] == "urn:vn:quang-ninh:ba-che:mrn"


@pytest.mark.parametrize(
    ("row", "system"),
    [
        (number("NI", "022886001234"), "cccd"),
        (number("NI", "123456789"), "cmnd"),
        (number("PPN", "B123"), "passport"),
        (number("NIIP", "DN4222212345678"), "bhyt"),
        (number("SB", "2222123456"), "bhxh"),
    ],
)
def test_a_patients_number_gets_the_system_of_its_sort(translate, made, row, system):
    assert made(translate({**PATIENT, "identifier": [row]}), "Patient")["identifier"][0]["system"].endswith(
        f"/{system}"
    )


def test_a_number_of_a_foreign_system_stays_beside_the_recognised_one(translate, made, coding):
    foreign = {"system": "http://his.example/cccd", "value": "022886001234"}
    codes = {"fhir-system": {"http://his.example/cccd": coding("x", "cccd")}}
    rows = made(translate({**PATIENT, "identifier": [foreign]}, codes=codes), "Patient")["identifier"]
    assert rows[0] == foreign
    assert [row["system"].rpartition("/")[2] for row in rows if row["value"] == foreign["value"]] == ["cccd", "cccd"]


def test_digits_keep_their_text(translate, made):
    text = (
        b'{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":7.20}}'
    )
    assert str(made(translate(text), "Observation")["valueQuantity"]["value"]) == "7.20"


@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        ({"resourceType": "ReferralRequest"}, "ReferralRequest", "of FHIR STU3"),
        ({"resourceType": "Transport"}, "Transport", "of FHIR R5"),
        ({"resourceType": "Encounter", "class": [{}]}, "Encounter.class", "of FHIR R5"),
        ({"resourceType": "Condition", "assertedDate": "2020"}, "Condition.assertedDate", "of FHIR STU3"),
        ({"resourceType": "Person"}, "Person", "links patients to persons itself"),
        ({"resourceType": "Provenance", "signature": []}, "Provenance.signature", "by the gateway alone"),
        ({"resourceType": "Cat"}, "Cat.resourceType", "not one of R4"),
        ({"a": 1}, "resource.resourceType", "no FHIR resource"),
        ({"resourceType": "Bundle", "type": "history"}, "Bundle.type", "collection"),
        ({"resourceType": "Bundle", "type": "batch"}, "Bundle", "holds no resource"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{}]}, "Bundle.entry[0].resource", "has no resource"),
        (b"[1]", "message", "JSON object"),
        (b'{"resourceType":"Patient","id":"1","id":"2"}', "line 1, column 36", "same member twice"),
        (b'{"resourceType":"Patient","x":"\\ud800"}', "line 1, column 31", "no character"),
        (b'{"resourceType":"Patient","x":"\xff"}', "byte 31", "UTF-8"),
        (b"{" * 3, "line 1, column 2", "cut off"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_place(translate, content, where, reason):
    with pytest.raises(Untranslatable, match=reason) as refused:
        translate(content)
    assert refused.value.where == where


def test_what_deletes_is_refused(translate, bundle):
    content = bundle("transaction", PATIENT)
    content["entry"].append({"request": {"method": "DELETE", "url": "Patient/p2"}})
    with pytest.raises(Untranslatable) as refused:
        translate(content)
    assert refused.value.where == "Bundle.entry[1].request.method"


def test_a_version_declared_in_the_content_type_counts(translate):
    assert translate(PATIENT, media_type="application/fhir+json; fhirVersion=4.0").ledger
    with pytest.raises(Untranslatable, match="FHIR R5 by its Content-Type"):
        translate(PATIENT, media_type="application/fhir+json; fhirVersion=5.0")


def test_two_entries_of_one_record_are_refused(translate, bundle):
    with pytest.raises(Untranslatable, match="the same record"):
        translate(bundle("collection", PATIENT, PATIENT))


def test_what_a_search_says_of_itself_is_passed_over(translate, bundle):
    content = bundle("searchset", PATIENT)
    content["entry"].append({"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}})
    assert len(translate(content).bundle["entry"]) == 1


def test_a_transaction_is_whole_or_nothing_and_a_batch_is_not(message, bundle):
    assert fhir_bundle.divide(message(bundle("transaction", PATIENT, OBSERVATION)), 1) == ()
    assert fhir_bundle.divide(message(bundle("document", PATIENT, OBSERVATION)), 1) == ()
    assert len(fhir_bundle.divide(message(bundle("batch", PATIENT, OBSERVATION)), 1)) == 2


@pytest.mark.parametrize("form", ["bundle", "lines"])
@pytest.mark.parametrize("most", [1, 2])
def test_pieces_joined_say_the_same_as_the_whole(message, bundle, form, most):
    patient = {**PATIENT, "name": [{"text": "Nguyễn"}], "identifier": [number("MR", "00123")]}
    rows = [(URN, patient), about("Patient/p1"), {**about("Patient/p1"), "id": "o2"}]
    if form == "bundle":
        whole = message(bundle("collection", *rows))
    else:
        lines = [json.dumps(r[1] if isinstance(r, tuple) else r, ensure_ascii=False) for r in rows]
        whole = message("\n".join(lines).encode(), media_type="application/fhir+ndjson")
    pieces = fhir_bundle.divide(whole, most)
    done = [(p, fhir_bundle.translate(message(p.body, media_type=p.media_type))) for p in pieces]
    one, parts = fhir_bundle.translate(whole), joined(done)
    named = {entry["resource"]["id"] for entry in one.bundle["entry"]}
    assert {entry["resource"]["id"] for entry in parts.bundle["entry"]} == named
    kept = {(a.place, a.targets) for a in one.ledger if a.fate is Fate.MAPPED}
    assert {(a.place, a.targets) for a in parts.ledger if a.fate is Fate.MAPPED} == kept
    if most == 1:
        offsets = {a.place: a.offset for a in one.ledger}
        assert all(offsets[a.place] == a.offset for a in parts.ledger)
    subjects = {json.dumps(e["resource"]["subject"]) for e in parts.bundle["entry"] if "subject" in e["resource"]}
    (patient_id,) = [e["resource"]["id"] for e in one.bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
    assert all(patient_id in subject for subject in subjects)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=5)
values = st.recursive(
    st.one_of(words, st.booleans(), st.integers(-(10**6), 10**6), st.decimals(-1000, 1000, places=2).map(float)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=12,
)


def leaves(value):
    if isinstance(value, dict):
        return sum(leaves(item) for item in value.values())
    if isinstance(value, list):
        return sum(leaves(item) for item in value)
    return 1


@settings(deadline=None, max_examples=120)
@given(st.dictionaries(words.map("x{}".format), values, max_size=5))
def test_every_leaf_is_in_the_ledger_once_with_its_byte(translate, content):
    """Whatever stands in a resource: the gate says later whether it is R4."""
    resource = {"resourceType": "Basic", "id": "b", **content}
    body = json.dumps(resource, ensure_ascii=False).encode()
    done = translate(body)
    assert len(done.ledger) == leaves(resource) == len({account.place for account in done.ledger})
    for account in done.ledger:
        assert body[account.offset : account.offset + 1] in b'"-0123456789tf'
    assert all(account.fate is Fate.MAPPED for account in done.ledger)


def test_nothing_that_r4_has_is_taken_for_another_version():
    known = types()
    for (kind, element), version in versions._OTHERS.items():
        if element:
            assert element not in known[kind]["elements"], f"{kind}.{element} is not of {version} alone"
            assert f"{element}[x]" not in known[kind]["elements"] or element == "medication"
        else:
            assert kind not in known, f"{kind} is not of {version} alone"
    assert {row["type"] for row in versions._rows("types")} == set(resource_types()) - {"Resource", "DomainResource"}


def test_an_entry_that_cannot_be_taken_does_not_keep_the_others_out(message, bundle):
    content = bundle("batch", PATIENT, {"resourceType": "Transport"}, {"x": 1}, OBSERVATION)
    content["entry"].append({"request": {"method": "DELETE", "url": "Patient/p2"}})
    with pytest.raises(Untranslatable):
        fhir_bundle.translate(message(content))
    refused = []
    for piece in fhir_bundle.divide(message(content), 1):
        try:
            fhir_bundle.translate(message(piece.body, media_type=piece.media_type))
        except Untranslatable as fault:
            refused.append(fault.where)
    assert refused == [
        "Bundle.entry[1].resource",
        "Bundle.entry[2].resource.resourceType",
        "Bundle.entry[4].request.method",
    ]
