"""Care teams: of a section, and of the header."""

T = "2.16.840.1.113883.10.20.22.4."
NURSE = '<id root="1.2" extension="N1"/><assignedPerson><name>Lê Bình</name></assignedPerson>'
DOCTOR = '<id root="1.2" extension="P1"/><assignedPerson><name>Phạm An</name></assignedPerson>'


def member(function: str, entity: str, since: str = "2025") -> str:
    return f"""<component><act moodCode="EVN"><templateId root="{T}500.1"/><effectiveTime><low value="{since}"/>
    </effectiveTime><performer><functionCode xmlns="urn:hl7-org:sdtc" {function}/>
    <assignedEntity>{entity}</assignedEntity></performer></act></component>"""


def test_a_team_names_its_members_with_their_tasks_and_times(document, translate, made, r4_problems):
    members = member('code="PCP" displayName="Bác sĩ gia đình"', DOCTOR) + member('code="CC"', NURSE, "2026")
    kind = """<component><observation moodCode="EVN"><value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:type="CD" code="LA28866-4" displayName="Nhóm theo đợt điều trị"/></observation></component>"""
    entry = f"""<entry><organizer moodCode="EVN"><templateId root="{T}500"/><id root="1.3" extension="T1"/>
    <code code="86744-0"><originalText>Nhóm A</originalText></code><statusCode code="active"/>
    <effectiveTime><low value="2025"/></effectiveTime>{members}{kind}</organizer></entry>"""
    translation = translate(document(entry, loinc="85847-2"))
    found = made(translation, "CareTeam")[0]

    assert (found["name"], found["status"], found["period"]) == ("Nhóm A", "active", {"start": "2025"})
    assert [one["member"]["display"] for one in found["participant"]] == ["Phạm An", "Lê Bình"]
    assert found["participant"][0]["role"][0]["text"] == "Bác sĩ gia đình"
    assert found["participant"][1]["period"] == {"start": "2026"}
    assert found["category"][0]["coding"][0]["code"] == "LA28866-4"
    assert r4_problems(translation) == []


def test_those_whom_the_header_names_with_a_task_are_a_team(document, translate, made, r4_problems):
    performers = f"""<performer><functionCode code="ATTPHYS" displayName="Bác sĩ điều trị"/><time><low value="2024"/>
    </time><assignedEntity>{DOCTOR}</assignedEntity></performer>
    <performer><assignedEntity>{NURSE}</assignedEntity></performer>"""
    header = f"<documentationOf><serviceEvent>{performers}</serviceEvent></documentationOf>"
    translation = translate(document(header=header))
    team = made(translation, "CareTeam")[0]["participant"]

    assert [(one["member"]["display"], one["period"]["start"]) for one in team] == [("Phạm An", "2024")]
    assert team[0]["role"][0]["text"] == "Bác sĩ điều trị"
    assert r4_problems(translation) == []


def test_a_header_without_tasks_makes_no_team(document, translate, made):
    header = f"""<documentationOf><serviceEvent><performer><assignedEntity>{DOCTOR}</assignedEntity></performer>
    </serviceEvent></documentationOf>"""

    assert made(translate(document(header=header)), "CareTeam") == []
