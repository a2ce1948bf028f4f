"""How and when a medicine is taken, and what the pharmacy gives."""

import pytest

PIVL = '<effectiveTime xsi:type="PIVL_TS" operator="A"><period>{}</period></effectiveTime>'


@pytest.fixture
def dosage(document, translate, made):
    """The one dosage of an ordered medicine with these parts."""

    def read(parts: str) -> dict:
        entry = f'<entry><substanceAdministration moodCode="INT">{parts}</substanceAdministration></entry>'
        return made(translate(document(entry, loinc="10160-0")), "MedicationRequest")[0]["dosageInstruction"][0]

    return read


def test_every_four_to_six_hours_has_a_longest_period(dosage):
    repeat = dosage(PIVL.format('<low value="4" unit="h"/><high value="6" unit="h"/>'))["timing"]["repeat"]

    assert [str(repeat[name]) for name in ("frequency", "period", "periodMax", "periodUnit")] == ["1", "4", "6", "h"]


@pytest.mark.parametrize(
    ("event", "offset", "expected"),
    [
        ("ACM", '<offset><low value="1" unit="h"/></offset>', {"when": ["ACM"], "offset": 60}),
        ("HS", '<offset value="30" unit="min"/>', {"when": ["HS"], "offset": 30}),
        ("CM", '<offset value="30" unit="min"/>', {"when": ["CM"]}),
    ],
)
def test_an_event_of_the_day_says_when(dosage, event, offset, expected):
    times = f'<effectiveTime xsi:type="EIVL_TS" operator="A"><event code="{event}"/>{offset}</effectiveTime>'

    assert dosage(times)["timing"]["repeat"] == expected


def test_a_dose_may_be_a_range(dosage):
    rate = dosage('<doseQuantity><low value="1" unit="mg"/><high value="2" unit="mg"/></doseQuantity>')["doseAndRate"]

    assert (str(rate[0]["doseRange"]["low"]["value"]), str(rate[0]["doseRange"]["high"]["value"])) == ("1", "2")


def test_a_precondition_makes_it_as_needed(dosage):
    assert dosage('<precondition><criterion><value nullFlavor="UNK"/></criterion></precondition>')["asNeededBoolean"]
    pain = (
        '<precondition><criterion><value xsi:type="CD" code="22253000" displayName="Đau"/></criterion></precondition>'
    )
    assert dosage(pain)["asNeededCodeableConcept"]["text"] == "Đau"


def test_the_first_dispense_is_no_repeat(document, translate, made, r4_problems):
    supply = """<entryRelationship><supply moodCode="{}"><statusCode code="completed"/><repeatNumber value="3"/>{}
    </supply></entryRelationship>"""
    asked = supply.format(
        "INT", '<effectiveTime><high value="20260301"/></effectiveTime><quantity value="30" unit="{viên}"/>'
    )
    gave = supply.format("EVN", '<effectiveTime value="20260106"/><quantity value="10"/>')
    entry = f'<entry><substanceAdministration moodCode="INT">{asked}{gave}</substanceAdministration></entry>'
    translation = translate(document(entry, loinc="10160-0"))
    request, dispense = made(translation, "MedicationRequest")[0], made(translation, "MedicationDispense")[0]

    assert request["dispenseRequest"]["numberOfRepeatsAllowed"] == 2
    assert request["dispenseRequest"]["validityPeriod"] == {"end": "2026-03-01"}
    assert dispense["authorizingPrescription"] == [{"reference": f"urn:uuid:{request['id']}"}]
    assert (dispense["status"], dispense["whenHandedOver"], str(dispense["quantity"]["value"])) == (
        "completed",
        "2026-01-06",
        "10",
    )
    assert r4_problems(translation) == []


def test_a_vehicle_and_a_form_make_the_medicine_a_resource(document, translate, made, r4_problems):
    parts = """<administrationUnitCode code="TAB" displayName="viên nén"/><participant typeCode="CSM"><participantRole>
    <playingEntity><code code="324049" displayName="aerosol"/></playingEntity></participantRole></participant>"""
    entry = f'<entry><substanceAdministration moodCode="INT">{parts}</substanceAdministration></entry>'
    translation = translate(document(entry, loinc="10160-0"))
    medicine = made(translation, "Medication")[0]

    assert medicine["form"]["text"] == "viên nén"
    assert medicine["ingredient"][0]["isActive"] is False
    assert r4_problems(translation) == []


def test_what_was_given_in_the_hospital_is_an_administration(document, translate, made, r4_problems):
    parts = '<statusCode code="completed"/><effectiveTime value="20260105"/><doseQuantity value="2" unit="mg"/>'
    entry = f'<entry><substanceAdministration moodCode="EVN">{parts}</substanceAdministration></entry>'
    translation = translate(document(entry, loinc="29549-3"))
    given = made(translation, "MedicationAdministration")[0]

    assert (given["status"], given["effectiveDateTime"], str(given["dosage"]["dose"]["value"])) == (
        "completed",
        "2026-01-05",
        "2",
    )
    assert made(translation, "MedicationStatement") == []
    assert r4_problems(translation) == []


def test_a_period_written_without_its_zero_is_read(dosage):
    repeat = dosage('<effectiveTime xsi:type="PIVL_TS"><period value=".5" unit="d"/></effectiveTime>')["timing"][
        "repeat"
    ]

    assert (str(repeat["period"]), repeat["periodUnit"]) == ("0.5", "d")
