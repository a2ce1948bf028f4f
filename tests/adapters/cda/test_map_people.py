"""Who is who: the mother is never the child, and each number goes to its own system."""

import json

MOTHERS = {"SN0002", "022994009002", "GD4229999900002"}
OID = "2.16.840.1.113883.19."


def test_the_newborn_carries_no_number_of_the_mother(case, made):
    translation = case("newborn-birth-record")
    child = made(translation, "Patient")[0]

    assert len(made(translation, "Patient")) == 1
    assert {one["value"] for one in child["identifier"]} == {"SN0003", "TE1220000012345"}
    assert not any(number in json.dumps(child, default=str) for number in MOTHERS)
    assert "link" not in child


def test_the_mother_is_a_related_person_with_her_own_numbers(case, made):
    translation = case("newborn-birth-record")
    mothers = made(translation, "RelatedPerson")

    assert len(mothers) == 1
    assert mothers[0]["relationship"][0]["coding"][0]["code"] == "MTH"
    assert {one["value"] for one in mothers[0]["identifier"]} == MOTHERS
    assert mothers[0]["patient"]["reference"].removeprefix("urn:uuid:") == made(translation, "Patient")[0]["id"]


def test_the_mothers_name_on_the_newborn_is_temporary(case, made):
    assert [name["use"] for name in made(case("newborn-birth-record"), "Patient")[0]["name"]] == ["temp"]
    assert [name["use"] for name in made(case("mother-discharge"), "Patient")[0]["name"]] == ["usual"]


def test_a_number_of_the_mother_among_the_childs_own_stays_with_her(fixtures, translate, made):
    message = (fixtures / "newborn-birth-record" / "message.xml").read_text(encoding="utf-8")
    child = f'<id root="{OID}22.3.1" extension="SN0003"/>'
    mixed = message.replace(child, f'<id root="{OID}84.1" extension="022994009002"/>{child}', 1)
    translation = translate(mixed)

    assert "022994009002" not in json.dumps(made(translation, "Patient"), default=str)


def test_mother_and_newborn_have_different_keys(case, made):
    ids = {made(case(name), "Patient")[0]["id"] for name in ("mother-discharge", "newborn-birth-record")}

    assert len(ids) == 2


def test_two_documents_of_one_patient_meet_in_one_resource(case, made):
    first, second = case("mother-discharge"), case("consultation-note")

    assert made(first, "Patient")[0]["id"] == made(second, "Patient")[0]["id"]
    assert made(first, "Encounter")[0]["id"] == made(second, "Encounter")[0]["id"]
    assert made(first, "Composition")[0]["id"] != made(second, "Composition")[0]["id"]


def test_the_shape_of_a_citizen_number_decides_its_kind(document, translate, made, hospital):
    numbers = {"022994009002": "cccd", "100123456": "cmnd", "C1234567": "passport"}
    ids = "".join(f'<id root="{OID}84.1" extension="{number}"/>' for number in numbers)
    patient = made(translate(document(role=f"{ids}<patient/>")), "Patient")[0]

    found = {one["value"]: one["system"] for one in patient["identifier"]}
    assert found == {number: hospital.systems[key] for number, key in numbers.items()}


def test_ten_digits_on_an_insurance_card_are_the_social_insurance_number(document, translate, made, hospital):
    role = f'<id root="{OID}84.2" extension="0123456789"/><patient/>'

    assert made(translate(document(role=role)), "Patient")[0]["identifier"][0]["system"] == hospital.systems["bhxh"]


def test_the_place_of_a_number_that_is_absent_makes_no_identifier(document, translate, made):
    role = f'<id root="{OID}84.1" nullFlavor="NASK"/><id root="{OID}22.3.1" extension="1"/><patient/>'

    assert [one["value"] for one in made(translate(document(role=role)), "Patient")[0]["identifier"]] == ["1"]


def test_another_facility_is_named_by_its_code_alone(document, translate, made):
    other = f'<id root="{OID}84.6" extension="01929"/><name>Bệnh viện Bạch Mai</name>'
    header = f"""<custodian><assignedCustodian><representedCustodianOrganization>{other}
    </representedCustodianOrganization></assignedCustodian></custodian>"""
    translation = translate(document(header=header))

    assert made(translation, "Composition")[0]["custodian"]["identifier"]["value"] == "01929"
    assert made(translation, "Organization") == []


def test_a_person_described_twice_keeps_what_each_description_tells(document, translate, made):
    author = """<author><time value="2026"/><assignedAuthor><id root="1.2" extension="D"/>{}
    <assignedPerson><name>A B</name></assignedPerson></assignedAuthor></author>"""
    header = author.format('<telecom value="tel:1"/>') + author.format('<telecom value="mailto:a@b.vn"/>')
    practitioners = made(translate(document(header=header)), "Practitioner")

    assert [[one["value"] for one in person["telecom"]] for person in practitioners] == [["1", "a@b.vn"]]
    assert [len(person["name"]) for person in practitioners] == [1]


def test_documents_without_any_number_never_share_a_resource(document, translate):
    bare = '<id root="2.16.840.1.113883.19.22.3.4" extension="D1"/>'
    role = "<patient><name>{}</name></patient>"
    header = "<componentOf><encompassingEncounter><effectiveTime/></encompassingEncounter></componentOf>"
    texts = [document(role=role.format(name), header=header).replace(bare, "") for name in ("A", "B")]
    first, second = ({entry["fullUrl"] for entry in translate(text).bundle["entry"]} for text in texts)

    assert first
    assert not first & second


def test_an_organisation_is_part_of_the_one_it_belongs_to(document, translate, made, r4_problems):
    whole = '<wholeOrganization><id root="1.2" extension="W"/><name>Sở Y tế</name></wholeOrganization>'
    house = f"""<id root="1.2" extension="O"/><name>Trạm y tế</name><asOrganizationPartOf>{whole}
    </asOrganizationPartOf>"""
    header = f"""<custodian><assignedCustodian><representedCustodianOrganization>{house}
    </representedCustodianOrganization></assignedCustodian></custodian>"""
    translation = translate(document(header=header))
    named = {one["name"]: one for one in made(translation, "Organization")}

    assert named["Trạm y tế"]["partOf"]["reference"] == f"urn:uuid:{named['Sở Y tế']['id']}"
    assert r4_problems(translation) == []


def test_a_performer_of_whom_only_the_profession_is_told_is_somebody(document, translate, made, r4_problems):
    entry = """<entry><encounter moodCode="EVN"><performer><assignedEntity><id nullFlavor="UNK"/>
    <code code="59058001" displayName="Bác sĩ đa khoa"/></assignedEntity></performer></encounter></entry>"""
    translation = translate(document(entry, loinc="46240-8"))

    assert made(translation, "Practitioner")[0]["qualification"][0]["code"]["text"] == "Bác sĩ đa khoa"
    assert len(made(translation, "Encounter")[0]["participant"]) == 1
    assert r4_problems(translation) == []


def test_from_where_a_patient_came_is_told(document, translate, made, r4_problems):
    source = '<admissionReferralSourceCode xmlns="urn:hl7-org:sdtc" code="emd" displayName="Cấp cứu"/>'
    header = f"""<componentOf><encompassingEncounter><id root="1.2" extension="V1"/>{source}
    </encompassingEncounter></componentOf>"""
    translation = translate(document(header=header))

    assert made(translation, "Encounter")[0]["hospitalization"]["admitSource"]["text"] == "Cấp cứu"
    assert r4_problems(translation) == []
