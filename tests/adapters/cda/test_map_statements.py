"""Clinical statements: negation, absence and unknown kinds never turn into their opposite or into nothing."""

SNOMED = "2.16.840.1.113883.6.96"
LOINC = 'codeSystem="2.16.840.1.113883.6.1"'


def observation(content: str, flags: str = "") -> str:
    return f'<entry><observation classCode="OBS" moodCode="EVN" {flags}>{content}</observation></entry>'


def test_a_negated_problem_is_refuted(case, made):
    conditions = made(case("consultation-note"), "Condition")
    refuted = [
        one for one in conditions if one.get("verificationStatus", {}).get("coding", [{}])[0].get("code") == "refuted"
    ]

    assert [one["code"]["coding"][0]["code"] for one in refuted] == ["73211009"]


def test_a_negated_finding_leaves_no_code_that_reads_as_present(document, translate, made):
    entry = observation(
        f'<code code="1"/><value xsi:type="CD" code="271807003" codeSystem="{SNOMED}" displayName="Rash"/>',
        'negationInd="true"',
    )
    found = made(translate(document(entry, loinc="29545-1")), "Observation")[0]

    assert found["valueCodeableConcept"] == {"text": "negated: Rash (271807003)"}


def test_no_known_allergy_is_not_an_allergy(document, translate, made):
    content = f'<code code="ASSERTION"/><value xsi:type="CD" code="416098002" codeSystem="{SNOMED}"/>{{}}'
    who = '<participant><participantRole><playingEntity><code code="7980" displayName="penicillin"/></playingEntity>'
    one = observation(content.format(f"{who}</participantRole></participant>"), 'negationInd="true"')
    none = observation(content.format(""), 'negationInd="true"')
    found = made(translate(document(one + none, loinc="48765-2")), "AllergyIntolerance")

    assert found[0]["code"] == {"text": "no known allergy to 7980 penicillin"}
    assert found[1]["code"]["coding"][0]["code"] == "409137002"


def test_a_problem_said_to_be_active_that_has_an_end_is_inactive(document, translate, made):
    status = f"""<entryRelationship><observation><code code="33999-4"/><value xsi:type="CD" code="55561003"
    codeSystem="{SNOMED}"/></observation></entryRelationship>"""
    time = '<effectiveTime><low value="2020"/><high value="2021"/></effectiveTime><value xsi:type="CD" code="1"/>'
    translation = translate(document(observation(time + status) + observation(time)))
    active, ended = made(translation, "Condition")

    assert (active["clinicalStatus"]["coding"][0]["code"], active["abatementDateTime"]) == ("inactive", "2021")
    assert (ended["clinicalStatus"]["coding"][0]["code"], ended["abatementDateTime"]) == ("resolved", "2021")
    assert len(translation.notices) == 1


def test_a_text_reference_brings_the_words_of_the_narrative(document, translate, made):
    value = '<value xsi:type="CD" nullFlavor="OTH"><originalText><reference value="#p"/></originalText></value>'
    found = made(translate(document(observation(value), text='<paragraph ID="p">Đau đầu</paragraph>')), "Condition")[0]

    assert found["code"] == {"text": "Đau đầu"}


def test_a_known_part_inside_an_unknown_template_is_mapped(document, translate, made):
    inner = '<observation moodCode="EVN"><value xsi:type="CD" code="1"/></observation>'
    around = f'<templateId root="1.2.3.4"/><entryRelationship>{inner}</entryRelationship>'
    entry = f'<entry><act moodCode="EVN">{around}</act></entry>'

    assert len(made(translate(document(entry)), "Condition")) == 1


def test_an_unmapped_entry_is_told_with_its_place(case):
    places = [notice.where.rpartition("/")[2] for notice in case("unknown-template").notices]

    assert places == ["entry[2]", "entry[3]"]


def test_a_section_of_unknown_kind_keeps_its_narrative_and_its_parts(case, made):
    section = made(case("unknown-template"), "Composition")[0]["section"][0]

    assert "da niêm mạc hồng" in section["text"]["div"]
    assert "alert" not in section["section"][0]["text"]["div"]


def test_an_asked_for_medicine_is_a_request_and_a_taken_one_a_statement(case, made):
    translation = case("mother-discharge")

    assert [one["intent"] for one in made(translation, "MedicationRequest")] == ["order"]
    assert len(made(translation, "MedicationStatement")) == 1


def test_a_ministry_diagnosis_code_gets_the_who_code_beside_it(case, made):
    codings = [one["code"]["coding"] for one in made(case("mother-discharge"), "Condition")]

    assert [[coding["code"] for coding in pair] for pair in codings] == [["O82.0", "O82.0"], ["O990", "O99.0"]]


def test_a_new_version_of_a_document_updates_its_facts(fixtures, translate, made):
    message = (fixtures / "mother-discharge" / "message.xml").read_text(encoding="utf-8")
    newer = message.replace('<versionNumber value="1"/>', '<versionNumber value="2"/>').replace(
        "SN-RV-0002-1", "SN-RV-0002-2"
    )
    first, second = translate(message), translate(newer)

    assert [one["id"] for one in made(first, "Observation")] == [one["id"] for one in made(second, "Observation")]
    assert made(first, "Composition")[0]["id"] != made(second, "Composition")[0]["id"]


def test_the_file_of_an_unstructured_body_is_kept_whole(case, made):
    translation = case("unstructured")
    attachment = made(translation, "DocumentReference")[0]["content"][0]["attachment"]
    binary = made(translation, "Binary")[0]

    assert attachment["url"] == f"urn:uuid:{binary['id']}"
    assert (binary["contentType"], attachment["size"]) == ("application/pdf", 193)


def test_a_file_that_is_not_base64_is_told_and_left_out(fixtures, translate, made):
    message = (fixtures / "unstructured" / "message.xml").read_text(encoding="utf-8")
    translation = translate(message.replace('representation="B64">', 'representation="B64">*'))

    assert made(translation, "Binary") == []
    assert "base64" in translation.notices[0].text


def test_what_a_goal_is_made_of_is_wished_and_not_observed(document, translate, made, r4_problems):
    part = f"""<entryRelationship typeCode="COMP"><observation moodCode="GOL"><code code="29463-7" {LOINC}/>
    <value xsi:type="PQ" value="60" unit="kg"/></observation></entryRelationship>"""
    preferred = f"""<entryRelationship><observation moodCode="EVN"><code code="225773000"/>
    <value xsi:type="CD" code="394849002" codeSystem="{SNOMED}" displayName="Ưu tiên cao"/></observation>
    </entryRelationship>"""
    entry = f"""<entry><observation moodCode="GOL"><code code="289169006" codeSystem="{SNOMED}"/>
    {part}{preferred}</observation></entry>"""
    translation = translate(document(entry, loinc="61146-7"))
    (goal,) = made(translation, "Goal")

    assert (str(goal["target"][0]["detailQuantity"]["value"]), goal["target"][0]["detailQuantity"]["unit"]) == (
        "60",
        "kg",
    )
    assert goal["target"][0]["measure"]["coding"][0]["code"] == "29463-7"
    assert goal["priority"]["text"] == "Ưu tiên cao"
    assert [one["code"]["coding"][0]["code"] for one in made(translation, "Observation")] == ["225773000"]
    assert r4_problems(translation) == []


def test_how_far_a_goal_is_reached_is_told(document, translate, made, r4_problems):
    progress = f"""<entryRelationship><observation moodCode="EVN">
    <templateId root="2.16.840.1.113883.10.20.22.4.110"/><code code="ASSERTION"/>
    <value xsi:type="CD" code="385651009" codeSystem="{SNOMED}" displayName="Đang tiến triển"/></observation>
    </entryRelationship>"""
    entry = f'<entry><observation moodCode="GOL"><code code="1"/>{progress}</observation></entry>'
    translation = translate(document(entry, loinc="61146-7"))

    assert made(translation, "Goal")[0]["achievementStatus"]["text"] == "Đang tiến triển"
    assert r4_problems(translation) == []


def test_what_is_planned_inside_a_plan_is_a_request_based_on_it(document, translate, made, r4_problems):
    inner = '<procedure moodCode="INT"><code code="2"/></procedure>'
    asked = '<act moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.20"/><text>Nhịn ăn</text></act>'
    nested = "".join(f"<entryRelationship>{one}</entryRelationship>" for one in (inner, asked))
    entry = f"""<entry><act moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.39"/><code code="1"/>
    {nested}</act></entry>"""
    translation = translate(document(entry, loinc="18776-5"))
    whole, step = made(translation, "ServiceRequest")

    assert (whole["patientInstruction"], step["code"]["coding"][0]["code"]) == ("Nhịn ăn", "2")
    assert step["basedOn"] == [{"reference": f"urn:uuid:{whole['id']}"}]
    assert len(made(translation, "CarePlan")[0]["activity"]) == 2
    assert r4_problems(translation) == []


def test_a_section_without_a_known_code_is_known_by_its_template(document, translate, made):
    entry = '<entry><observation moodCode="EVN"><code code="718-7"/></observation></entry>'
    written = document(entry, loinc="33051-4").replace(
        "<section>", '<section><templateId root="2.16.840.1.113883.10.20.22.2.3.1"/>'
    )

    assert made(translate(written), "Observation")[0]["category"][0]["coding"][0]["code"] == "laboratory"


def test_a_number_whose_root_is_no_oid_is_still_the_senders_number(document, translate, made):
    entry = observation('<id root="XN-2026-7"/><code code="718-7"/>')
    found = made(translate(document(entry, loinc="30954-2")), "Observation")[0]

    assert found["identifier"] == [{"value": "XN-2026-7"}]
