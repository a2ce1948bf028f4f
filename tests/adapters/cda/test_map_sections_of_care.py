"""Payers, directives, equipment, notes, pictures, visits, families, goals: each becomes its own kind of resource."""

import base64

import pytest

T = "2.16.840.1.113883.10.20.22.4."
PERSON = '<id root="1.2" extension="P"/><assignedPerson><name>Phạm An</name></assignedPerson>'


def test_a_policy_is_a_coverage_with_its_insurer_and_number(document, translate, made, r4_problems):
    inside = """<statusCode code="active"/><performer><templateId root="2.16.840.1.113883.10.20.22.4.87"/>
    <assignedEntity>
    <representedOrganization><name>BHXH Quảng Ninh</name></representedOrganization></assignedEntity></performer>
    <participant typeCode="COV"><time><low value="2026"/></time><participantRole><id root="1.3" extension="GD4"/>
    <code code="SELF"/></participantRole></participant>"""
    entry = f"""<entry><act moodCode="EVN"><templateId root="{T}60"/><entryRelationship><act moodCode="EVN">
    <templateId root="{T}61"/>{inside}</act></entryRelationship></act></entry>"""
    translation = translate(document(entry, loinc="48768-6"))
    found = made(translation, "Coverage")[0]

    assert (found["payor"][0]["display"], found["subscriberId"]) == ("BHXH Quảng Ninh", "GD4")
    assert (found["period"], found["relationship"]["coding"][0]["code"]) == ({"start": "2026"}, "SELF")
    assert r4_problems(translation) == []


def test_an_advance_directive_is_a_consent(document, translate, made, r4_problems):
    entry = f"""<entry><observation moodCode="EVN"><templateId root="{T}48"/><code code="75278-2"/><effectiveTime>
    <low value="2020"/></effectiveTime><value xsi:type="CD" code="304253006" displayName="Không hồi sức"/>
    </observation></entry>"""
    translation = translate(document(entry, loinc="42348-3"))
    found = made(translation, "Consent")[0]

    assert (found["scope"]["coding"][0]["code"], found["policyRule"]["text"]) == ("adr", "Không hồi sức")
    assert found["provision"]["period"] == {"start": "2020"}
    assert r4_problems(translation) == []


def test_equipment_is_a_device_that_the_patient_uses(document, translate, made, r4_problems):
    entry = f"""<entry><supply moodCode="EVN"><templateId root="{T}50"/><effectiveTime><high value="2026"/>
    </effectiveTime>
    <participant typeCode="PRD"><participantRole><templateId root="{T}37"/><id root="1.4" extension="D1"/>
    <playingDevice>
    <code code="58938008" displayName="Xe lăn"/></playingDevice><scopingEntity><desc>Hãng A</desc></scopingEntity>
    </participantRole></participant></supply></entry>"""
    translation = translate(document(entry, loinc="46264-8"))
    thing, use = made(translation, "Device")[0], made(translation, "DeviceUseStatement")[0]

    assert (thing["type"]["text"], thing["manufacturer"]) == ("Xe lăn", "Hãng A")
    assert use["device"] == {"reference": f"urn:uuid:{thing['id']}"}
    assert r4_problems(translation) == []


def test_two_kinds_of_things_with_one_number_are_two_devices(document, translate, made, r4_problems):
    entry = f"""<entry><supply moodCode="EVN"><templateId root="{T}50"/><participant typeCode="PRD"><participantRole>
    <templateId root="{T}37"/><id root="1.4" extension="D1"/><playingDevice>
    <code code="{{code}}" codeSystem="2.16.840.1.113883.6.96" displayName="{{name}}"/></playingDevice>
    </participantRole></participant></supply></entry>"""
    things = (("58938008", "Xe lăn"), ("87405001", "Gậy"), ("58938008", "Xe lăn"))
    written = "".join(entry.format(code=code, name=name) for code, name in things)
    translation = translate(document(written, loinc="46264-8"))

    assert [thing["type"]["text"] for thing in made(translation, "Device")] == ["Xe lăn", "Gậy"]
    assert r4_problems(translation) == []


def test_a_note_is_a_document_with_the_words_of_the_narrative(document, translate, made, r4_problems):
    entry = f"""<entry><act moodCode="EVN"><code code="34109-9"><translation code="11506-3"
    codeSystem="2.16.840.1.113883.6.1"/></code><text><reference value="#n"/></text><statusCode code="completed"/>
    <author><time value="20260105083000"/><assignedAuthor>{PERSON}</assignedAuthor></author></act></entry>"""
    translation = translate(document(entry, loinc="11506-3", text='<paragraph ID="n">Bệnh nhân ổn</paragraph>'))
    found = made(translation, "DocumentReference")[0]

    assert found["type"]["coding"][0]["code"] == "11506-3"
    assert (found["date"], found["author"][0]["display"]) == ("2026-01-05T08:30:00+07:00", "Phạm An")
    assert base64.b64decode(found["content"][0]["attachment"]["data"]).decode() == "Bệnh nhân ổn"
    assert r4_problems(translation) == []


def test_a_picture_is_kept_and_a_broken_one_is_told(document, translate, made, r4_problems):
    entry = """<entry><observationMedia moodCode="EVN"><value mediaType="image/png" representation="B64">{}</value>
    </observationMedia></entry>"""
    good, bad = translate(document(entry.format("aGk="))), translate(document(entry.format("a")))

    assert made(good, "Media")[0]["content"] == {"contentType": "image/png", "data": "aGk="}
    assert r4_problems(good) == []
    assert made(bad, "Media") == []
    assert "not valid base64: the picture is left out" in [notice.text for notice in bad.notices]


def test_a_visit_names_its_place_people_and_diagnoses(document, translate, made, r4_problems):
    entry = f"""<entry><encounter moodCode="EVN"><id root="1.5" extension="V1"/><code code="99213"
    codeSystem="2.16.840.1.113883.6.12"/><effectiveTime value="20260105"/><performer><assignedEntity>{PERSON}
    </assignedEntity></performer><participant typeCode="LOC"><participantRole><code code="1160-1"/><playingEntity>
    <name>Phòng khám 1</name></playingEntity></participantRole></participant><entryRelationship><act>
    <templateId root="{T}80"/>
    <entryRelationship><observation><value xsi:type="CD" code="J18"/></observation></entryRelationship></act>
    </entryRelationship></encounter></entry>"""
    translation = translate(document(entry, loinc="46240-8"))
    visit, diagnosis = made(translation, "Encounter")[0], made(translation, "Condition")[0]

    assert (visit["status"], visit["class"]["code"], visit["type"][0]["coding"][0]["code"]) == (
        "finished",
        "AMB",
        "99213",
    )
    assert visit["location"][0]["location"]["display"] == "Phòng khám 1"
    assert visit["participant"][0]["individual"]["display"] == "Phạm An"
    assert diagnosis["encounter"] == {"reference": f"urn:uuid:{visit['id']}"}
    assert diagnosis["category"][0]["coding"][0]["code"] == "encounter-diagnosis"
    assert r4_problems(translation) == []


def test_a_relative_had_it_at_an_age_and_died_of_it(document, translate, made, r4_problems):
    part = '<entryRelationship><observation><templateId root="{}"/>{}</observation></entryRelationship>'
    age = part.format(T + "31", '<value xsi:type="PQ" value="57" unit="a"/>')
    death = part.format(T + "47", '<value xsi:type="CD" code="419099009"/>')
    entry = f"""<entry><organizer moodCode="EVN"><subject><relatedSubject><code code="FTH"/></relatedSubject></subject>
    <component><observation><value xsi:type="CD" code="22298006"/>{age}{death}</observation></component>
    </organizer></entry>"""
    translation = translate(document(entry, loinc="10157-6"))
    found = made(translation, "FamilyMemberHistory")[0]

    assert found["deceasedBoolean"] is True
    assert (str(found["condition"][0]["onsetAge"]["value"]), found["condition"][0]["contributedToDeath"]) == (
        "57",
        True,
    )
    assert r4_problems(translation) == []


def test_a_goal_says_how_much_and_by_when(document, translate, made, r4_problems):
    entry = """<entry><observation moodCode="GOL"><code code="3141-9"/><statusCode code="active"/><effectiveTime>
    <low value="20260101"/><high value="20260601"/></effectiveTime><value xsi:type="PQ" value="60" unit="kg"/>
    </observation></entry>"""
    translation = translate(document(entry, loinc="61146-7"))
    found = made(translation, "Goal")[0]

    assert (found["startDate"], found["target"][0]["dueDate"]) == ("2026-01-01", "2026-06-01")
    assert str(found["target"][0]["detailQuantity"]["value"]) == "60"
    assert r4_problems(translation) == []


def test_a_refused_vaccine_says_why_and_a_reaction_is_observed(document, translate, made, r4_problems):
    part = '<entryRelationship><observation><templateId root="{}"/>{}</observation></entryRelationship>'
    refusal = part.format(T + "53", '<code code="PATOBJ" codeSystem="2.16.840.1.113883.5.8"/>')
    reaction = part.format(T + "9", '<effectiveTime value="20260106"/><value xsi:type="CD" code="247472004"/>')
    entry = '<entry><substanceAdministration moodCode="EVN" negationInd="{}">{}</substanceAdministration></entry>'
    translation = translate(document(entry.format("true", refusal) + entry.format("false", reaction), loinc="11369-6"))
    refused, given = made(translation, "Immunization")

    assert (refused["status"], refused["statusReason"]["coding"][0]["code"]) == ("not-done", "PATOBJ")
    assert given["reaction"][0]["date"] == "2026-01-06"
    assert r4_problems(translation) == []


def test_a_reason_that_is_a_problem_of_the_document_is_linked_to_it(document, translate, made):
    reason = f"""<entryRelationship typeCode="RSON"><observation><templateId root="{T}19"/>
    <id root="1.2" extension="7"/>
    <value xsi:type="CD" code="38341003"/></observation></entryRelationship>"""
    entries = f"""<entry><procedure moodCode="EVN">{reason}</procedure></entry><entry><observation moodCode="EVN">
    <id root="1.2" extension="7"/><value xsi:type="CD" code="38341003"/></observation></entry>"""
    translation = translate(document(entries))
    problem = made(translation, "Condition")[0]

    assert made(translation, "Procedure")[0]["reasonReference"] == [{"reference": f"urn:uuid:{problem['id']}"}]


def test_a_translation_of_a_code_is_kept_with_its_own_words(document, translate, made):
    value = """<value xsi:type="CD" code="233604007" codeSystem="2.16.840.1.113883.6.96" displayName="Viêm phổi">
    <translation code="J18.9" codeSystem="2.16.840.1.113883.6.90" displayName="Pneumonia"/></value>"""
    entry = f'<entry><observation moodCode="EVN">{value}</observation></entry>'
    codings = made(translate(document(entry)), "Condition")[0]["code"]["coding"]

    assert [(one["code"], one["display"]) for one in codings] == [("233604007", "Viêm phổi"), ("J18.9", "Pneumonia")]


@pytest.mark.parametrize(("function", "role"), [("ATTPHYS", "ATND"), ("DISPHYS", "DIS"), ("PCP", "PPRF")])
def test_what_somebody_was_there_for_is_a_participation(document, translate, made, r4_problems, function, role):
    entry = f"""<entry><encounter moodCode="EVN"><id root="1.5" extension="V1"/><code code="99213"
    codeSystem="2.16.840.1.113883.6.12"/><effectiveTime value="20260105"/><performer><functionCode code="{function}"
    codeSystem="2.16.840.1.113883.5.88"/><assignedEntity>{PERSON}</assignedEntity></performer></encounter></entry>"""
    translation = translate(document(entry, loinc="46240-8"))

    codes = made(translation, "Encounter")[0]["participant"][0]["type"][0]["coding"]
    assert [one["code"] for one in codes] == [function, role]
    assert r4_problems(translation) == []


def test_an_age_without_a_unit_of_time_is_not_called_mapped(document, translate, made, r4_problems):
    age = f'<entryRelationship><observation><templateId root="{T}31"/><value xsi:type="PQ" value="57" unit="mg"/>'
    entry = f"""<entry><organizer moodCode="EVN"><subject><relatedSubject><code code="FTH"/></relatedSubject></subject>
    <component><observation><value xsi:type="CD" code="22298006"/>{age}</observation></entryRelationship></observation>
    </component></organizer></entry>"""
    translation = translate(document(entry, loinc="10157-6"))

    assert "onsetAge" not in made(translation, "FamilyMemberHistory")[0]["condition"][0]
    (account,) = (one for one in translation.ledger if one.place.endswith("entryRelationship/observation/value/@value"))
    assert account.targets == ()


def test_a_policy_knows_its_turn_and_how_its_insurer_is_reached(document, translate, made, r4_problems):
    insurer = """<performer><assignedEntity><id root="1.3" extension="B1"/><telecom value="tel:0203000001"/>
    <representedOrganization><name>BHXH Quảng Ninh</name></representedOrganization></assignedEntity></performer>"""
    policy = f'<act moodCode="EVN"><templateId root="{T}61"/>{insurer}</act>'
    entry = f"""<entry><act moodCode="EVN"><templateId root="{T}60"/><entryRelationship><sequenceNumber value="2"/>
    {policy}</entryRelationship></act></entry>"""
    translation = translate(document(entry, loinc="48768-6"))
    (payer,) = made(translation, "Organization")

    assert made(translation, "Coverage")[0]["order"] == 2
    assert (payer["identifier"][0]["value"], payer["telecom"][0]["value"]) == ("B1", "0203000001")
    assert r4_problems(translation) == []


def test_a_directive_has_the_kind_of_its_paper_and_the_day_it_was_written_down(document, translate, made, r4_problems):
    wish = f"""<component><observation moodCode="EVN"><templateId root="{T}48"/><code code="75278-2"/>
    <value xsi:type="CD" code="304253006"/></observation></component>"""
    author = f'<author><time value="20260105"/><assignedAuthor>{PERSON}</assignedAuthor></author>'
    entry = f"""<entry><organizer moodCode="EVN"><templateId root="{T}108"/><code code="45473-6"
    codeSystem="2.16.840.1.113883.6.1"/>{author}{wish}</organizer></entry>"""
    translation = translate(document(entry, loinc="42348-3"))
    (found,) = made(translation, "Consent")

    assert [one["coding"][0]["code"] for one in found["category"]] == ["acd", "45473-6"]
    assert found["dateTime"] == "2026-01-05"
    assert r4_problems(translation) == []
