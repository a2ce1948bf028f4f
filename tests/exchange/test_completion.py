"""How a message completes what is stored, element by element."""

from datetime import UTC, datetime

import pytest

from adapters.contract import LINK_ENDED
from fhir_gateway.exchange.completion import _fold, says_more
from fhir_gateway.fhir.codec import encode
from fhir_gateway.store.port import Version

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def stored(resource):
    return Version(resource["resourceType"], resource["id"], 1, NOW, encode(resource))


def patient(**elements):
    return {"resourceType": "Patient", "id": "p", **elements}


def test_what_a_message_omits_stays():
    known = stored(patient(address=[{"text": "Tiên Yên"}], gender="male"))
    assert _fold(patient(gender="female"), known) == patient(gender="female", address=[{"text": "Tiên Yên"}])


def test_identifiers_and_links_are_united_each_once():
    mrn, card = {"system": "mrn", "value": "1"}, {"system": "bhyt", "value": "2"}
    known = stored(patient(identifier=[{**mrn, "use": "usual"}, card]))
    assert _fold(patient(identifier=[mrn]), known)["identifier"] == [mrn, card]


def linked(other, kind):
    return {"other": {"reference": f"Patient/{other}"}, "type": kind}


def test_a_link_taken_back_goes_and_every_other_stays():
    known = stored(patient(link=[linked("a", "seealso"), linked("b", "seealso")], extension=[{"url": "ethnicity"}]))
    mark = {"url": LINK_ENDED, "valueReference": {"reference": "Patient/a"}}
    folded = _fold(patient(active=True, extension=[mark]), known)
    assert folded == patient(active=True, link=[linked("b", "seealso")], extension=[{"url": "ethnicity"}])
    assert _fold(patient(extension=[mark]), None) == patient()


def test_a_merge_the_other_way_round_takes_the_first_one_back():
    known = stored(patient(active=False, link=[linked("a", "replaced-by"), linked("b", "replaces")]))
    folded = _fold(patient(active=True, link=[linked("a", "replaces")]), known)
    assert folded == patient(active=True, link=[linked("a", "replaces"), linked("b", "replaces")])


def test_a_choice_given_now_drops_its_other_variant():
    known = stored(patient(deceasedBoolean=True, multipleBirthInteger=2))
    folded = _fold(patient(deceasedDateTime="2026-11-20"), known)
    assert folded == patient(deceasedDateTime="2026-11-20", multipleBirthInteger=2)


def test_the_extension_of_a_primitive_goes_with_its_value():
    known = stored(patient(birthDate="2026-11-18", _birthDate={"extension": [{"url": "t"}]}))
    assert "_birthDate" in _fold(patient(birthDate="2026-11-18"), known)
    assert "_birthDate" not in _fold(patient(birthDate="2026-11-19"), known)


@pytest.mark.parametrize("element", [{"status": "unknown"}, {"class": {"code": "UNK"}}])
def test_not_knowing_never_wins(element):
    name = next(iter(element))
    known = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"}}
    assert _fold({"resourceType": "Encounter", "id": "e", **element}, stored(known))[name] == known[name]


def test_what_one_message_says_alone_is_replaced():
    known = stored({"resourceType": "Observation", "id": "o", "note": [{"text": "old"}]})
    assert "note" not in _fold({"resourceType": "Observation", "id": "o"}, known)


def test_a_shared_resource_that_says_nothing_new_is_not_written_again():
    facility = {"resourceType": "Organization", "id": "f", "name": "Bãi Cháy"}
    known = stored({**facility, "meta": {"versionId": "1"}})
    assert not says_more({**facility, "meta": {"source": "urn:x"}}, known)
    assert says_more({**facility, "name": "Khác"}, known)
