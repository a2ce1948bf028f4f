"""What a Subscription asks, read from R4 with the extensions of the backport."""

import pytest

from fhir_gateway.problem import Invalid
from fhir_gateway.subscriptions.endpoints import Endpoints, header
from fhir_gateway.subscriptions.terms import terms
from fhir_gateway.subscriptions.topics import basic, topics


def test_every_shipped_topic_can_be_subscribed_to_and_filtered_by_all_it_offers(wanted):
    for topic in topics().values():
        asked = terms(wanted(criteria=topic.url))
        assert asked.types == frozenset(topic.types)
        assert not asked.classic
        for parameter in topic.filters:
            offered = [type_ for type_ in topic.types if _takes(wanted, topic, type_, parameter)]
            assert offered, f"{topic.url} cannot be filtered by {parameter}"


def _takes(wanted, topic, type_, parameter):
    try:
        terms(wanted(criteria=topic.url, filters=[f"{type_}?{parameter}=x"]))
    except Invalid:
        return False
    return True


def test_a_topic_is_written_down_as_a_basic_of_its_kind():
    for topic in topics().values():
        resource = basic(topic)
        assert resource["code"]["coding"][0]["code"] == "SubscriptionTopic"
        assert resource["extension"][0]["valueUri"] == topic.url


def test_a_filter_of_one_type_leaves_the_others_of_the_topic_alone(wanted):
    asked = terms(wanted(criteria="urn:fhir-gateway:topic:new-results", filters=["Observation?patient=a"]))
    sizes = {one.trigger.resource: len(one.current) for one in asked.watched}
    assert sizes == {"Observation": 2, "DiagnosticReport": 1}


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "https://hospital.vn/",
        "ftp://his.hospital.vn/",
        "http://his.hospital.vn/",
        "https://his.hospital.vn@evil.example/",
        "https://localhost.evil.example/",
        "https://evil.example/#his.hospital.vn",
        "https://[::1",
        "http://127.0.0.1/",
        "",
    ],
)
def test_an_address_nobody_allowed_is_refused(url):
    with pytest.raises(Invalid):
        Endpoints(("*.hospital.vn",)).must_allow(url)


def test_an_allowed_host_and_in_development_this_machine_are_taken():
    Endpoints(("*.hospital.vn",)).must_allow("https://his.hospital.vn/notify?x=1")
    Endpoints(("his.hospital.vn:8443",)).must_allow("https://HIS.hospital.vn:8443/notify")
    Endpoints((), loopback=True).must_allow("http://127.0.0.1:9000/hook")


@pytest.mark.parametrize("line", ["no colon", "X-A: b\r\nX-C: d", "Content-Length: 5", "host: x", ": x", "X: ä"])
def test_a_header_that_would_break_the_request_is_refused(line):
    with pytest.raises(Invalid):
        header(line)
