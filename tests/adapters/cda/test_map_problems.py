"""Problems: status, end, age, evidence, and the notes made on them."""

SNOMED = 'codeSystem="2.16.840.1.113883.6.96"'


def concern(inside: str, status: str = "active") -> str:
    return (
        f'<entry><act moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><statusCode code="{status}"/>'
        f'<entryRelationship typeCode="SUBJ"><observation moodCode="EVN">{inside}</observation></entryRelationship>'
        "</act></entry>"
    )


def clinical(condition: dict) -> str:
    return condition["clinicalStatus"]["coding"][0]["code"]


def test_the_concern_gives_the_status_of_a_problem_that_has_none(document, translate, made):
    value = '<value xsi:type="CD" code="1"/>'
    closed = made(translate(document(concern(value, "completed"))), "Condition")[0]
    open_ = made(translate(document(concern(value))), "Condition")[0]

    assert (clinical(closed), clinical(open_)) == ("inactive", "active")


def test_an_end_of_unknown_date_is_an_end(document, translate, made, r4_problems):
    time = '<effectiveTime><low value="2020"/><high nullFlavor="UNK"/></effectiveTime><value xsi:type="CD" code="1"/>'
    translation = translate(document(concern(time)))
    found = made(translation, "Condition")[0]

    assert clinical(found) == "resolved"
    assert found["_abatementDateTime"]["extension"][0]["valueCode"] == "unknown"
    assert r4_problems(translation) == []


def test_the_age_at_onset_stands_where_no_date_does(document, translate, made):
    age = f"""<value xsi:type="CD" code="1"/><entryRelationship><observation><code code="445518008" {SNOMED}/>
    <value xsi:type="PQ" value="65" unit="a"/></observation></entryRelationship>"""
    found = made(translate(document(concern(age))), "Condition")[0]

    assert (str(found["onsetAge"]["value"]), found["onsetAge"]["code"]) == ("65", "a")
    assert made(translate(document(concern(age))), "Observation") == []


def test_what_supports_a_problem_is_its_evidence_and_the_rest_speaks_of_it(document, translate, made):
    part = '<entryRelationship typeCode="{}"><observation><code code="{}"/></observation></entryRelationship>'
    inside = '<value xsi:type="CD" code="1"/>' + part.format("SPRT", "A") + part.format("REFR", "B")
    translation = translate(document(concern(inside)))
    condition = made(translation, "Condition")[0]
    first, second = made(translation, "Observation")

    assert [one["detail"][0]["reference"] for one in condition["evidence"]] == [f"urn:uuid:{first['id']}"]
    assert second["focus"] == [{"reference": f"urn:uuid:{condition['id']}"}]


def test_the_day_of_the_diagnosis_is_told_beside_the_day_it_was_written(document, translate, made):
    inside = """<value xsi:type="CD" code="1"/><author><time value="20260105"/></author><entryRelationship><act>
    <code code="77975-1"/><effectiveTime value="20260102"/></act></entryRelationship>"""
    found = made(translate(document(concern(inside))), "Condition")[0]

    assert found["recordedDate"] == "2026-01-05"
    assert [one["valueDateTime"] for one in found["extension"]] == ["2026-01-02"]


def test_a_comment_is_a_note_with_its_writer_and_its_words_from_the_narrative(document, translate, made):
    comment = """<value xsi:type="CD" code="1"/><entryRelationship><act><code code="48767-8"/>
    <text><reference value="#c1"/></text><author><time value="20260105"/><assignedAuthor><id root="1.2" extension="P"/>
    <assignedPerson><name>Phạm An</name></assignedPerson></assignedAuthor></author></act></entryRelationship>"""
    text = '<paragraph ID="c1">Theo dõi thêm</paragraph>'
    note = made(translate(document(concern(comment), text=text)), "Condition")[0]["note"][0]

    assert (note["text"], note["time"], note["authorReference"]["display"]) == (
        "Theo dõi thêm",
        "2026-01-05",
        "Phạm An",
    )


def test_the_last_of_several_authors_is_the_recorder_and_the_first_time_the_date(document, translate, made):
    author = """<author><time value="{}"/><assignedAuthor><id root="1.2" extension="{}"/><assignedPerson><name>{}</name>
    </assignedPerson></assignedAuthor></author>"""
    inside = (
        '<value xsi:type="CD" code="1"/>'
        + author.format("20260109", "B", "Sau")
        + author.format("20260101", "A", "Đầu")
    )
    found = made(translate(document(concern(inside))), "Condition")[0]

    assert (found["recorder"]["display"], found["recordedDate"]) == ("Sau", "2026-01-01")


def test_one_id_on_two_values_of_one_test_loses_neither(document, translate, made, r4_problems):
    entry = """<entry><observation moodCode="EVN"><id root="1.2" extension="1"/><code code="X"/>
    <value xsi:type="{}" value="5"{}/></observation></entry>"""
    translation = translate(document(entry.format("PQ", ' unit="g"') + entry.format("INT", ""), loinc="29545-1"))
    found = made(translation, "Observation")

    assert [("valueQuantity" in one, "valueInteger" in one) for one in found] == [(True, False), (False, True)]
    assert r4_problems(translation) == []


def test_an_age_beside_the_diagnosis_of_a_visit_is_its_onset_and_no_problem(document, translate, made, r4_problems):
    age = """<observation moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.31"/><code code="445518008"/>
    <value xsi:type="PQ" value="45" unit="a"/></observation>"""
    problem = f"""<observation moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/>
    <value xsi:type="CD" code="38341003" {SNOMED}/></observation>"""
    relations = "".join(f"<entryRelationship>{one}</entryRelationship>" for one in (problem, age))
    act = f'<act moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.80"/>{relations}</act>'
    entry = f'<entry><encounter moodCode="EVN"><entryRelationship>{act}</entryRelationship></encounter></entry>'
    translation = translate(document(entry, loinc="46240-8"))

    (found,) = made(translation, "Condition")
    assert found["code"]["coding"][0]["code"] == "38341003"
    assert (str(found["onsetAge"]["value"]), found["onsetAge"]["code"]) == ("45", "a")
    assert len(made(translation, "Encounter")[0]["diagnosis"]) == 1
    assert r4_problems(translation) == []
