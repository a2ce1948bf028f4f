"""Procedures: why they were done, how they went, what was taken."""

FOUND = """<entryRelationship typeCode="{}"><observation moodCode="EVN"><code code="ASSERTION"/>
<value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CD" code="{}" displayName="{}"/></observation>
</entryRelationship>"""


def test_a_reason_is_known_by_its_relation_too(document, translate, made, r4_problems):
    inside = FOUND.format("RSON", "59621000", "Tăng huyết áp")
    entry = f'<entry><procedure moodCode="EVN"><code code="1"/>{inside}</procedure></entry>'
    translation = translate(document(entry, loinc="47519-4"))

    assert made(translation, "Procedure")[0]["reasonCode"][0]["text"] == "Tăng huyết áp"
    assert made(translation, "Observation") == []
    assert r4_problems(translation) == []


def test_an_outcome_is_said_and_stays_an_observation(document, translate, made, r4_problems):
    inside = FOUND.format("OUTC", "385669000", "Thành công")
    entry = f'<entry><procedure moodCode="EVN"><code code="1"/>{inside}</procedure></entry>'
    translation = translate(document(entry, loinc="47519-4"))

    assert made(translation, "Procedure")[0]["outcome"]["text"] == "Thành công"
    assert len(made(translation, "Observation")) == 1
    assert r4_problems(translation) == []


def test_the_side_of_the_body_is_not_lost(document, translate, made, r4_problems):
    site = """<targetSiteCode code="72696002" displayName="Gối"><qualifier><name code="272741003"/>
    <value code="7771000" displayName="Trái"/></qualifier></targetSiteCode>"""
    entry = f'<entry><procedure moodCode="EVN"><code code="1"/>{site}</procedure></entry>'
    translation = translate(document(entry, loinc="47519-4"))

    assert made(translation, "Procedure")[0]["bodySite"][0]["text"] == "Gối (Trái)"
    assert r4_problems(translation) == []


def test_what_was_taken_during_it_is_a_specimen(document, translate, made, r4_problems):
    role = """<specimenRole><id root="1.2" extension="S1"/><specimenPlayingEntity>
    <code code="309226005" displayName="Polyp"/></specimenPlayingEntity></specimenRole>"""
    entry = f'<entry><procedure moodCode="EVN"><code code="1"/><specimen>{role}</specimen></procedure></entry>'
    translation = translate(document(entry, loinc="47519-4"))

    assert made(translation, "Specimen")[0]["type"]["text"] == "Polyp"
    assert len(made(translation, "Composition")[0]["section"][0]["entry"]) == 2
    assert r4_problems(translation) == []
