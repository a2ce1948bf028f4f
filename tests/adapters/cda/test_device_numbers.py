"""Device numbers read apart."""

import pytest

from adapters.cda.device_numbers import read_apart


def test_each_part_of_the_number_goes_to_its_element():
    product, told = read_apart("(01)08930000000017(11)250300(17)300131(10)L-7(21)S8")

    assert product == "08930000000017"
    assert told == {
        "lotNumber": "L-7",
        "manufactureDate": "2025-03",
        "expirationDate": "2030-01-31",
        "serialNumber": "S8",
    }


@pytest.mark.parametrize("number", ["", "+H123PARTNO/ABC", "(99)1", "(17)300231", "(11)2503"])
def test_what_is_not_such_a_number_says_nothing(number):
    assert read_apart(number) == ("", {})


def test_an_implant_has_its_lot_and_its_last_day(document, translate, made, r4_problems):
    role = """<participantRole><id root="2.16.840.1.113883.3.3719" extension="(01)08930000000017(17)300131(10)L-7"/>
    <playingDevice><code code="704708004" displayName="Stent"/></playingDevice></participantRole>"""
    entry = f"""<entry><procedure moodCode="EVN"><code code="1"/><participant typeCode="DEV">{role}</participant>
    </procedure></entry>"""
    translation = translate(document(entry, loinc="47519-4"))
    thing = made(translation, "Device")[0]

    assert thing["udiCarrier"][0]["deviceIdentifier"] == "08930000000017"
    assert (thing["lotNumber"], thing["expirationDate"]) == ("L-7", "2030-01-31")
    assert r4_problems(translation) == []
