"""How a message completes what is stored, element by element."""

from datetime import UTC, datetime

import pytest

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
