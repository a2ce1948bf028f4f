"""Observations: vital signs as FHIR's profiles have them, specimens, times of reports, pregnancy."""

LOINC = 'codeSystem="2.16.840.1.113883.6.1"'


def vital(code: str, value: str, when: str = "20260105") -> str:
    return f"""<component><observation moodCode="EVN"><id root="1.2" extension="{code}-{when}"/>
    <code code="{code}" {LOINC}/>
    <statusCode code="completed"/><effectiveTime value="{when}"/><value xsi:type="PQ" value="{value}" unit="mm[Hg]"/>
    </observation></component>"""


def organizer(parts: str) -> str:
    return f'<entry><organizer moodCode="EVN"><code code="46680005"/>{parts}</organizer></entry>'


def test_the_two_pressures_of_one_moment_are_one_blood_pressure(document, translate, made, r4_problems):
    parts = vital("8480-6", "120") + vital("8462-4", "80") + vital("8480-6", "130", "20260106")
    translation = translate(document(organizer(parts), loinc="8716-3"))
    pressure, alone, panel = made(translation, "Observation")

    assert panel["code"]["coding"][-1]["code"] == "85353-1"
    assert pressure["code"]["coding"][0]["code"] == "85354-9"
    assert [str(one["valueQuantity"]["value"]) for one in pressure["component"]] == ["120", "80"]
    assert len(pressure["identifier"]) == 2
    assert "valueQuantity" not in pressure
    assert str(alone["valueQuantity"]["value"]) == "130"
    assert len(panel["hasMember"]) == 2
    assert r4_problems(translation) == []


def test_a_saturation_has_both_of_its_codes(document, translate, made):
    found = made(translate(document(organizer(vital("59408-5", "98")), loinc="8716-3")), "Observation")[0]

    assert [one["code"] for one in found["code"]["coding"]] == ["59408-5", "2708-6"]


def test_a_report_without_a_time_spans_those_of_its_results(document, translate, made):
    parts = vital("1", "5", "20260106") + vital("2", "5", "20260104")
    found = made(translate(document(organizer(parts), loinc="30954-2")), "DiagnosticReport")[0]

    assert found["effectivePeriod"] == {"start": "2026-01-04", "end": "2026-01-06"}


def test_the_specimen_of_a_report_is_that_of_its_results(document, translate, made, r4_problems):
    taken = """<specimen><specimenRole><id root="1.2" extension="S1"/><specimenPlayingEntity><code code="119297000"
    displayName="Máu"/></specimenPlayingEntity></specimenRole></specimen><component><procedure><code code="17636008"/>
    <effectiveTime value="20260104"/><targetSiteCode code="368208006"/></procedure></component>"""
    translation = translate(document(organizer(taken + vital("1", "5")), loinc="30954-2"))
    specimen = made(translation, "Specimen")[0]
    link = {"reference": f"urn:uuid:{specimen['id']}"}

    assert (specimen["type"]["text"], specimen["collection"]["collectedDateTime"]) == ("Máu", "2026-01-04")
    assert made(translation, "DiagnosticReport")[0]["specimen"] == [link]
    assert made(translation, "Observation")[0]["specimen"] == link
    assert r4_problems(translation) == []


def test_a_pregnancy_says_when_the_child_is_due(document, translate, made):
    entry = f"""<entry><observation moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.15.3.8"/>
    <code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><value xsi:type="CD" code="77386006"/><entryRelationship>
    <observation><code code="11778-8" {LOINC}/><value xsi:type="TS" value="20260901"/></observation></entryRelationship>
    </observation></entry>"""
    (found,) = made(translate(document(entry, loinc="29762-2")), "Observation")

    assert found["code"]["coding"][0]["code"] == "82810-3"
    assert found["component"][0]["valueDateTime"] == "2026-09-01"


def test_not_knowing_of_a_pregnancy_is_an_answer(document, translate, made):
    entry = """<entry><observation moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.15.3.8"/>
    <code code="ASSERTION"/><value xsi:type="CD" nullFlavor="UNK"/></observation></entry>"""
    (found,) = made(translate(document(entry, loinc="29762-2")), "Observation")

    assert found["valueCodeableConcept"]["coding"][0]["code"] == "UNK"
    assert "dataAbsentReason" not in found


def test_an_amount_in_units_of_its_own_is_kept(document, translate, made, r4_problems):
    value = """<value xsi:type="PQ" nullFlavor="OTH">
    <translation value="30"><originalText>viên</originalText></translation>
    </value>"""
    entry = f'<entry><observation moodCode="EVN"><code code="X"/>{value}</observation></entry>'
    translation = translate(document(entry, loinc="29545-1"))
    (found,) = made(translation, "Observation")

    assert (str(found["valueQuantity"]["value"]), found["valueQuantity"]["unit"]) == ("30", "viên")
    assert r4_problems(translation) == []


def test_a_code_that_is_only_translated_has_the_words_of_its_translation(document, translate, made):
    value = """<value xsi:type="CD" nullFlavor="OTH"><translation code="J18" codeSystem="2.16.840.1.113883.6.3"
    displayName="Viêm phổi"/></value>"""
    entry = f'<entry><observation moodCode="EVN"><code code="X"/>{value}</observation></entry>'
    (found,) = made(translate(document(entry, loinc="29545-1")), "Observation")

    assert found["valueCodeableConcept"]["text"] == "Viêm phổi"
    assert found["valueCodeableConcept"]["coding"][0]["code"] == "J18"


def test_a_file_as_a_value_is_a_media_that_the_observation_comes_from(document, translate, made, r4_problems):
    entry = """<entry><observation moodCode="EVN"><code code="11502-2"/>
    <value xsi:type="ED" mediaType="application/pdf" representation="B64">JVBERg==</value></observation></entry>"""
    translation = translate(document(entry, loinc="30954-2"))
    file, found = made(translation, "Media")[0], made(translation, "Observation")[0]

    assert file["content"] == {"contentType": "application/pdf", "data": "JVBERg=="}
    assert found["derivedFrom"] == [{"reference": f"urn:uuid:{file['id']}"}]
    assert "valueString" not in found
    assert r4_problems(translation) == []
