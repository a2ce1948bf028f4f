"""What relatives had, and died of."""

import pytest

DEAD = '<value xsi:type="CD" code="419099009" codeSystem="2.16.840.1.113883.6.96"/>'
TEMPLATE = '<templateId root="2.16.840.1.113883.10.20.22.4.47"/>'


@pytest.mark.parametrize("nested", [f"{TEMPLATE}{DEAD}", f'<code code="ASSERTION"/>{DEAD}', '<code code="419099009"/>'])
def test_a_relative_who_died_of_it_is_dead_of_it(document, translate, made, r4_problems, nested):
    illness = f"""<observation moodCode="EVN"><value xsi:type="CD" code="22298006" displayName="Nhồi máu cơ tim"/>
    <entryRelationship typeCode="CAUS"><observation moodCode="EVN">{nested}</observation></entryRelationship>
    </observation>"""
    entry = f"""<entry><organizer moodCode="EVN"><subject><relatedSubject><code code="FTH"/></relatedSubject></subject>
    <component>{illness}</component></organizer></entry>"""
    translation = translate(document(entry, loinc="10157-6"))
    (found,) = made(translation, "FamilyMemberHistory")

    assert (found["deceasedBoolean"], found["condition"][0]["contributedToDeath"]) == (True, True)
    assert r4_problems(translation) == []
