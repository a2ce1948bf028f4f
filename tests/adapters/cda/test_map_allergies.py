"""Allergies: reactions, severity, an end, a substance without a code."""

SNOMED = 'codeSystem="2.16.840.1.113883.6.96"'
PART = """<entryRelationship typeCode="{}"><observation><templateId root="2.16.840.1.113883.10.20.22.4.{}"/>
<value xsi:type="CD" code="{}" codeSystem="2.16.840.1.113883.6.96"/>{}</observation></entryRelationship>"""


def allergy(inside: str, status: str = "active") -> str:
    return (
        f'<entry><act moodCode="EVN"><statusCode code="{status}"/><entryRelationship><observation moodCode="EVN">'
        f'<templateId root="2.16.840.1.113883.10.20.22.4.7"/>{inside}</observation></entryRelationship></act></entry>'
    )


def test_a_severity_of_the_whole_counts_for_reactions_that_have_none(document, translate, made):
    own = PART.format("SUBJ", "8", "24484000", "")
    inside = (
        PART.format("MFST", "9", "1", own)
        + PART.format("MFST", "9", "2", "")
        + PART.format("SUBJ", "8", "255604002", "")
    )
    reactions = made(translate(document(allergy(inside), loinc="48765-2")), "AllergyIntolerance")[0]["reaction"]

    assert [one["severity"] for one in reactions] == ["severe", "mild"]


def test_a_severity_without_a_reaction_is_kept(document, translate, made, r4_problems):
    translation = translate(document(allergy(PART.format("SUBJ", "8", "24484000", "")), loinc="48765-2"))
    reaction = made(translation, "AllergyIntolerance")[0]["reaction"][0]

    assert reaction["severity"] == "severe"
    assert r4_problems(translation) == []


def test_an_allergy_that_ended_says_when(document, translate, made):
    inside = '<effectiveTime><low value="2001"/><high value="2010"/></effectiveTime>'
    found = made(translate(document(allergy(inside, "completed"), loinc="48765-2")), "AllergyIntolerance")[0]

    assert found["extension"][0]["valueDateTime"] == "2010"
    assert (found["onsetDateTime"], found["clinicalStatus"]["coding"][0]["code"]) == ("2001", "inactive")


def test_a_substance_that_has_only_a_name_is_known_by_it(document, translate, made):
    entity = '<playingEntity><code nullFlavor="UNK"/><name>Tôm</name></playingEntity>'
    inside = f"<participant><participantRole>{entity}</participantRole></participant>"
    found = made(translate(document(allergy(inside), loinc="48765-2")), "AllergyIntolerance")[0]

    assert found["code"] == {"text": "Tôm"}


def test_a_severity_set_beside_the_allergy_counts_for_it_and_is_no_allergy(document, translate, made):
    inside = """<templateId root="2.16.840.1.113883.10.20.22.4.8"/><code code="SEV"/>
    <value xsi:type="CD" code="24484000" codeSystem="2.16.840.1.113883.6.96"/>"""
    entry = allergy(PART.format("MFST", "9", "1", "")).replace(
        "</act>", f"<entryRelationship><observation>{inside}</observation></entryRelationship></act>"
    )
    (found,) = made(translate(document(entry, loinc="48765-2")), "AllergyIntolerance")

    assert found["reaction"][0]["severity"] == "severe"


def test_the_words_on_a_coded_reaction_describe_it(document, translate, made, r4_problems):
    inside = PART.format("MFST", "9", "247472004", "<text>Nổi mề đay sau 30 phút</text>")
    translation = translate(document(allergy(inside), loinc="48765-2"))
    reaction = made(translation, "AllergyIntolerance")[0]["reaction"][0]

    assert reaction["description"] == "Nổi mề đay sau 30 phút"
    assert r4_problems(translation) == []
