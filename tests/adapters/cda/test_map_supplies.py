"""What was prescribed beside a medicine, and what was given of it."""

DRUG = """<consumable><manufacturedProduct><manufacturedMaterial><code code="17767" displayName="amlodipine"/>
</manufacturedMaterial></manufacturedProduct></consumable>"""
AUTHOR = """<author><time value="20260105"/><assignedAuthor><id root="1.2" extension="P1"/><assignedPerson>
<name>Phạm An</name></assignedPerson></assignedAuthor></author>"""
ORDER = f"""<entryRelationship><supply moodCode="INT"><id root="1.4" extension="RX1"/><statusCode code="active"/>
<repeatNumber value="3"/><quantity value="30"/>{AUTHOR}</supply></entryRelationship>"""


def taken(mood: str, author: str = "") -> str:
    return f'<entry><substanceAdministration moodCode="{mood}">{DRUG}{author}{ORDER}</substanceAdministration></entry>'


def test_an_order_beside_a_taken_medicine_is_a_request_that_it_is_based_on(document, translate, made, r4_problems):
    translation = translate(document(taken("EVN"), loinc="10160-0"))
    asked, statement = made(translation, "MedicationRequest")[0], made(translation, "MedicationStatement")[0]

    assert asked["identifier"][0]["value"] == "RX1"
    assert asked["medicationCodeableConcept"]["text"] == "amlodipine"
    assert (asked["requester"]["display"], asked["authoredOn"]) == ("Phạm An", "2026-01-05")
    assert asked["dispenseRequest"]["numberOfRepeatsAllowed"] == 2
    assert statement["basedOn"] == [{"reference": f"urn:uuid:{asked['id']}"}]
    assert r4_problems(translation) == []


def test_an_order_inside_a_request_is_its_prescription(document, translate, made, r4_problems):
    translation = translate(document(taken("INT"), loinc="10160-0"))
    asked = made(translation, "MedicationRequest")

    assert [one["groupIdentifier"]["value"] for one in asked] == ["RX1"]
    assert (asked[0]["requester"]["display"], asked[0]["authoredOn"]) == ("Phạm An", "2026-01-05")
    assert r4_problems(translation) == []
