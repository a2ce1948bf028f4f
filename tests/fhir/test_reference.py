"""Links found, read and pointed elsewhere."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.reference import Link, Target, at_home, links, parse, references, rewrite

URN = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("Patient/1", Target("relative", "Patient", "1")),
        ("Patient/1/_history/2", Target("relative", "Patient", "1", "2")),
        ("https://a.vn/fhir/Patient/1", Target("absolute", "Patient", "1", base="https://a.vn/fhir")),
        ("https://a.vn/Patient/1/_history/3", Target("absolute", "Patient", "1", "3", base="https://a.vn")),
        ("https://a.vn/page", Target("absolute")),
        (URN, Target("urn", id=URN[9:])),
        ("urn:oid:1.2.3", Target("urn", id="1.2.3")),
        ("urn:hl7ii:1.2:3", Target("urn", id="1.2:3")),
        ("#p1", Target("contained", id="p1")),
        ("#", Target("contained")),
        ("Patient?identifier=a|b", Target("conditional", "Patient", query="identifier=a|b")),
        ("Foo/1", Target("unknown")),
        ("Patient/a b", Target("unknown")),
        ("Patient", Target("unknown")),
        ("resource:0", Target("absolute")),
        ("Patient:1", Target("unknown")),
        ("x/Patient/1", Target("relative", "Patient", "1", base="x")),
        ("", Target("unknown")),
    ],
)
def test_a_link_is_read_into_its_parts(text: str, target: Target) -> None:
    assert parse(text) == target


def test_a_target_names_its_resource() -> None:
    assert parse("https://a.vn/fhir/Patient/1/_history/2").reference == "Patient/1"


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40))
def test_any_text_can_be_read_as_a_link(text: str) -> None:
    assert parse(text).form


OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "contained": [{"resourceType": "Patient", "id": "p", "managingOrganization": {"reference": URN}}],
    "extension": [{"url": "http://a.vn/e", "valueReference": {"reference": "Device/1"}}],
    "identifier": [{"system": "http://a.vn/i", "value": URN}],
    "text": {"status": "generated", "div": f"<div><a href=\"{URN}\">x</a><img src='{URN}#a'/>{URN}</div>"},
    "subject": {"reference": "#p", "display": URN},
    "hasMember": [{"reference": "Observation/2"}, {"display": "none"}],
    "_status": {"extension": [{"url": "http://a.vn/f", "valueUri": URN}]},
}


def test_links_are_found_with_their_paths() -> None:
    assert list(links(OBSERVATION)) == [
        Link("Observation.contained[0].managingOrganization", "Reference", URN),
        Link("Observation.extension[0].url", "uri", "http://a.vn/e"),
        Link("Observation.extension[0].valueReference", "Reference", "Device/1"),
        Link("Observation.identifier[0].system", "uri", "http://a.vn/i"),
        Link("Observation.subject", "Reference", "#p"),
        Link("Observation.hasMember[0]", "Reference", "Observation/2"),
        Link("Observation._status.extension[0].url", "uri", "http://a.vn/f"),
        Link("Observation._status.extension[0].valueUri", "uri", URN),
    ]


def test_references_are_the_links_between_resources() -> None:
    assert [link.target for link in references(OBSERVATION)] == [URN, "Device/1", "#p", "Observation/2"]


def test_rewriting_points_references_uris_and_narrative_elsewhere_and_no_other_text() -> None:
    before = deepcopy(OBSERVATION)
    after = rewrite(OBSERVATION, {URN: "Organization/9", "Device/1": "Device/7"})
    assert before == OBSERVATION
    assert after["contained"][0]["managingOrganization"]["reference"] == "Organization/9"
    assert after["extension"][0]["valueReference"]["reference"] == "Device/7"
    assert after["_status"]["extension"][0]["valueUri"] == "Organization/9"
    assert after["identifier"][0]["value"] == URN
    assert after["subject"]["display"] == URN
    assert after["text"]["div"] == (f"<div><a href=\"Organization/9\">x</a><img src='Organization/9#a'/>{URN}</div>")


def test_an_attachment_follows_its_binary() -> None:
    document = {"resourceType": "DocumentReference", "content": [{"attachment": {"url": URN, "title": URN}}]}
    attachment = rewrite(document, {URN: "Binary/1"})["content"][0]["attachment"]
    assert attachment == {"url": "Binary/1", "title": URN}


def test_a_conditional_reference_is_replaced_as_a_whole() -> None:
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient?identifier=a|b"}}
    after = rewrite(condition, {"Patient?identifier=a|b": "Patient/1"})
    assert after["subject"]["reference"] == "Patient/1"


def test_a_bundle_inside_is_a_scope_of_its_own() -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"fullUrl": URN, "resource": OBSERVATION}]}
    assert rewrite(bundle, {URN: "x"}) == bundle
    assert list(links(bundle)) == []


def test_without_a_mapping_nothing_is_copied() -> None:
    assert rewrite(OBSERVATION, {}) is OBSERVATION


def test_an_address_of_this_server_becomes_type_and_id_where_it_is_a_reference() -> None:
    base = "http://gateway/fhir"
    sent = {
        "resourceType": "List",
        "url": f"{base}/List/1",
        "subject": {"reference": f"{base}/Patient/1/_history/2"},
        "entry": [
            {"item": {"reference": f"{base}/Nothing/1"}},
            {"item": {"reference": "http://gateway/fhirs/Patient/1"}},
            {"item": {"reference": "Patient/2"}},
        ],
        "contained": [{"resourceType": "Bundle", "entry": [{"link": {"reference": f"{base}/Patient/3"}}]}],
    }

    nearer = at_home(sent, base)

    assert nearer == sent | {"subject": {"reference": "Patient/1/_history/2"}}
    assert sent["subject"] != nearer["subject"]
