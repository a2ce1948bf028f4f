"""Vaccinations: why one was not given, what the patient was told."""

VACCINE = """<consumable><manufacturedProduct><manufacturedMaterial>
<code code="88" codeSystem="2.16.840.1.113883.12.292"/><name>Vắc-xin cúm</name>
</manufacturedMaterial></manufacturedProduct></consumable>"""
NOT_GIVEN = 'moodCode="EVN" negationInd="true"'


def shot(content: str, flags: str = 'moodCode="EVN"') -> str:
    return f"<entry><substanceAdministration {flags}>{VACCINE}{content}</substanceAdministration></entry>"


def test_the_reason_of_a_refusal_is_known_by_its_relation_too(document, translate, made, r4_problems):
    why = """<entryRelationship typeCode="RSON"><observation moodCode="EVN"><code code="ASSERTION"/>
    <value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CD" code="91936005" displayName="Dị ứng"/>
    </observation></entryRelationship>"""
    translation = translate(document(shot(why, NOT_GIVEN), loinc="11369-6"))
    found = made(translation, "Immunization")[0]

    assert (found["status"], found["statusReason"]["text"]) == ("not-done", "Dị ứng")
    assert "reasonCode" not in found
    assert r4_problems(translation) == []


def test_what_the_patient_was_told_is_kept(document, translate, made, r4_problems):
    told = """<entryRelationship typeCode="SUBJ"><act moodCode="INT">
    <templateId root="2.16.840.1.113883.10.20.22.4.20"/><code code="171044003" displayName="Tư vấn tiêm chủng"/>
    <text>Có thể sốt nhẹ ba ngày.</text></act></entryRelationship>"""
    translation = translate(document(shot(told), loinc="11369-6"))
    found = made(translation, "Immunization")[0]

    assert found["education"] == [{"documentType": "Tư vấn tiêm chủng"}]
    assert found["note"] == [{"text": "Có thể sốt nhẹ ba ngày."}]
    assert r4_problems(translation) == []


def test_a_vaccine_goes_by_the_name_that_the_sender_gives_it(document, translate, made):
    found = made(translate(document(shot(""), loinc="11369-6")), "Immunization")[0]

    assert (found["vaccineCode"]["coding"][0]["code"], found["vaccineCode"]["text"]) == ("88", "Vắc-xin cúm")
