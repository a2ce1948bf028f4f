"""For each row of the C-CDA on FHIR tables: the least that has its element, and what it has to become.

https://hl7.org/fhir/us/ccda/
"""

from dataclasses import dataclass

SNOMED = 'codeSystem="2.16.840.1.113883.6.96"'
TEMPLATE = '<templateId root="2.16.840.1.113883.10.20.22.4.'
ID = '<id root="1.2.3" extension="N7"/>'
EVN, INT = 'moodCode="EVN"', 'moodCode="INT"'
PERSON = '<id root="1.2.9" extension="P1"/><assignedPerson><name>Phạm An</name></assignedPerson>'
AUTHOR = f'<author><time value="20260105"/><assignedAuthor>{PERSON}</assignedAuthor></author>'
ORGANIZATION = (
    '<representedOrganization><id root="1.2.8" extension="O1"/><name>Khoa Nội</name></representedOrganization>'
)
ADDRESS, PHONE = "<addr><city>Hạ Long</city></addr>", '<telecom value="tel:0912000001"/>'
REACHABLE = PERSON.replace("<assigned", f"{PHONE}<assigned")
PERFORMER = f"<performer><assignedEntity>{REACHABLE}{ORGANIZATION}</assignedEntity></performer>"


@dataclass(frozen=True)
class Sample:
    """A part put into a small document; ``path`` then holds ``value``, which it does not without the part."""

    content: str
    path: str
    value: str
    flags: str = EVN
    fixed: bool = False


def nested(number: str, content: str, kind: str = "SUBJ") -> str:
    inner = f'{TEMPLATE}{number}"/>{content}'
    return f'<entryRelationship typeCode="{kind}"><observation {EVN}>{inner}</observation></entryRelationship>'


def coded(name: str, code: str, extra: str = SNOMED) -> str:
    return f'<{name} code="{code}" {extra} displayName="chữ {code}"/>'


def value(code: str) -> str:
    return coded('value xsi:type="CD"', code).replace("</value xsi", "</value")


def substance(inner: str) -> str:
    role = f"<participantRole><playingEntity>{inner}</playingEntity></participantRole>"
    return f'<participant typeCode="CSM">{role}</participant>'


def act(number: str, content: str) -> str:
    return f'<entryRelationship><act {EVN}>{TEMPLATE}{number}"/>{content}</act></entryRelationship>'


REACTION = nested("9", "{}" + value("247472004"), "MFST")
NEGATED = EVN + ' negationInd="true"'
MATERIAL = "<manufacturedMaterial>{}</manufacturedMaterial>{}"
DRUG = f"<consumable><manufacturedProduct>{MATERIAL}</manufacturedProduct></consumable>"
AMLODIPINE = DRUG.format(coded("code", "17767"), "")

ALLERGY = {
    9: Sample(ID, "AllergyIntolerance.identifier.value", "N7"),
    10: Sample('<effectiveTime><low value="2024"/></effectiveTime>', "AllergyIntolerance.onsetDateTime", "2024"),
    12: Sample(value("59037007"), "AllergyIntolerance.type", "intolerance"),
    13: Sample(value("414285001"), "AllergyIntolerance.category", "food"),
    15: Sample(AUTHOR + AUTHOR.replace("0105", "0104"), "AllergyIntolerance.recordedDate", "2026-01-04"),
    16: Sample(substance(coded("code", "1191")), "AllergyIntolerance.code.coding.code", "1191"),
    17: Sample(substance(coded("code", "111088007")), "AllergyIntolerance.code.coding.code", "1003774007", NEGATED),
    18: Sample(substance(coded("code", "1191")), "AllergyIntolerance.code.text", "no known allergy to 2.16", NEGATED),
    19: Sample(substance('<code nullFlavor="NA"/>'), "AllergyIntolerance.code.text", "no known allergies", NEGATED),
    21: Sample(nested("28", value("73425007")), "AllergyIntolerance.clinicalStatus.coding.code", "inactive"),
    22: Sample("", "AllergyIntolerance.clinicalStatus.coding.code", "active", fixed=True),
    24: Sample(nested("8", value("24484000")), "AllergyIntolerance.reaction.severity", "severe"),
    26: Sample(REACTION.format(ID), "AllergyIntolerance.reaction.id", "N7"),
    27: Sample(
        REACTION.format('<effectiveTime><low value="2025"/></effectiveTime>'),
        "AllergyIntolerance.reaction.onset",
        "2025",
    ),
    28: Sample(REACTION.format(""), "AllergyIntolerance.reaction.manifestation.coding.code", "247472004"),
    30: Sample(nested("145", value("CRITH")), "AllergyIntolerance.criticality", "high"),
}
DOSE = '<doseQuantity value="0.5" unit="mL"/>'
DOSES = '<doseQuantity><low value="1" unit="mL"/><high value="2" unit="mL"/></doseQuantity>'
IMMUNIZATION = {
    2: Sample("", "MedicationRequest.resourceType", "MedicationRequest", INT),
    3: Sample("", "MedicationRequest.doNotPerform", "True", INT + ' negationInd="true"'),
    4: Sample("", "MedicationRequest.doNotPerform", "False", INT + ' negationInd="false"'),
    5: Sample(ID, "MedicationRequest.identifier.value", "N7", INT),
    7: Sample('<statusCode code="active"/>', "MedicationRequest.status", "active", INT),
    10: Sample(coded("routeCode", "IM"), "MedicationRequest.dosageInstruction.route.coding.code", "IM", INT),
    12: Sample(DOSE, "MedicationRequest.dosageInstruction.doseAndRate.doseQuantity.value", "0.5", INT),
    13: Sample(DOSES, "MedicationRequest.dosageInstruction.doseAndRate.doseRange.high.value", "2", INT),
    16: Sample(AMLODIPINE, "MedicationRequest.medicationCodeableConcept.coding.code", "17767", INT),
    18: Sample(PERFORMER, "MedicationRequest.performer.display", "Phạm An", INT),
    19: Sample(AUTHOR, "MedicationRequest.requester.display", "Phạm An", INT),
    22: Sample("", "Immunization.resourceType", "Immunization", fixed=True),
    23: Sample("", "Immunization.status", "not-done", NEGATED),
    24: Sample("", "Immunization.status", "completed", EVN + ' negationInd="false"', fixed=True),
    25: Sample(ID, "Immunization.identifier.value", "N7"),
    27: Sample('<statusCode code="nullified"/>', "Immunization.status", "entered-in-error"),
    28: Sample('<effectiveTime value="20260105"/>', "Immunization.occurrenceDateTime", "2026-01-05"),
    29: Sample('<repeatNumber value="2"/>', "Immunization.protocolApplied.doseNumberPositiveInt", "2"),
    30: Sample(coded("routeCode", "IM"), "Immunization.route.coding.code", "IM"),
    31: Sample(coded("approachSiteCode", "368208006"), "Immunization.site.coding.code", "368208006"),
    32: Sample(DOSE, "Immunization.doseQuantity.value", "0.5"),
    36: Sample(AMLODIPINE, "Immunization.vaccineCode.coding.code", "17767"),
    37: Sample(DRUG.format("<lotNumberText>L1</lotNumberText>", ""), "Immunization.lotNumber", "L1"),
    38: Sample("", "Immunization._primarySource.extension.valueCode", "unknown", fixed=True),
    39: Sample(PERFORMER, "Immunization.performer.function.coding.code", "AP"),
}
TIMES = '<effectiveTime xsi:type="IVL_TS"><low value="20260105"/><high value="20260107"/></effectiveTime>'
INSTRUCTION = act("20", "<text>Uống sau ăn</text>")
MAKER = "<manufacturerOrganization><name>Dược A</name></manufacturerOrganization>"
MEDICATION = {
    2: Sample(ID, "MedicationRequest.identifier.value", "N7", INT),
    4: Sample('<statusCode code="aborted"/>', "MedicationRequest.status", "stopped", INT),
    5: Sample("", "MedicationRequest.intent", "order", INT, fixed=True),
    7: Sample(
        '<effectiveTime value="20260105"/>', "MedicationRequest.dosageInstruction.timing.event", "2026-01-05", INT
    ),
    8: Sample(TIMES, "MedicationRequest.dosageInstruction.timing.repeat.boundsPeriod.start", "2026-01-05", INT),
    9: Sample(TIMES, "MedicationRequest.dosageInstruction.timing.repeat.boundsPeriod.end", "2026-01-07", INT),
    10: Sample('<repeatNumber value="3"/>', "MedicationRequest.dosageInstruction.timing.repeat.count", "3", INT),
    12: Sample(coded("routeCode", "PO"), "MedicationRequest.dosageInstruction.route.coding.code", "PO", INT),
    14: Sample(DOSE, "MedicationRequest.dosageInstruction.doseAndRate.doseQuantity.value", "0.5", INT),
    15: Sample(
        '<rateQuantity value="90" unit="ml/min"/>',
        "MedicationRequest.dosageInstruction.doseAndRate.rateQuantity.value",
        "90",
        INT,
    ),
    18: Sample(AMLODIPINE, "MedicationRequest.medicationCodeableConcept.coding.code", "17767", INT),
    19: Sample(
        DRUG.format(coded("code", "17767"), MAKER), "MedicationRequest.medicationReference.display", "chữ 17767", INT
    ),
    20: Sample(PERFORMER, "MedicationRequest.performer.display", "Phạm An", INT),
    22: Sample(AUTHOR, "MedicationRequest.requester.display", "Phạm An", INT),
    24: Sample(nested("19", value("38341003"), "RSON"), "MedicationRequest.reasonCode.coding.code", "38341003", INT),
    25: Sample(INSTRUCTION, "MedicationRequest.dosageInstruction.patientInstruction", "Uống sau ăn", INT),
}
CDC = 'codeSystem="2.16.840.1.113883.6.238"'
RACE, ETHNICITY = "Patient.extension.extension.valueCoding.code", "Patient.extension.extension.valueCoding.code"
SDTC = 'xmlns:sdtc="urn:hl7-org:sdtc" '
NEXT_OF_KIN = "<guardian>{}</guardian>"
ORPHANAGE = "<guardianOrganization><name>Trại trẻ</name></guardianOrganization>"
PROVIDER = "<providerOrganization>{}<name>Khoa Nội</name></providerOrganization>"
PATIENT = {
    5: Sample(ID, "Patient.identifier.value", "N7"),
    6: Sample(ADDRESS, "Patient.address.city", "Hạ Long"),
    7: Sample(PHONE, "Patient.telecom.value", "0912000001"),
    9: Sample("<patient><name>Lê Thử</name></patient>", "Patient.name.text", "Lê Thử"),
    10: Sample('<patient><administrativeGenderCode code="F"/></patient>', "Patient.gender", "female"),
    11: Sample('<patient><birthTime value="19610314"/></patient>', "Patient.birthDate", "1961-03-14"),
    12: Sample(f"<patient>{coded('maritalStatusCode', 'C')}</patient>", "Patient.maritalStatus.coding.code", "C"),
    13: Sample(f"<patient>{coded('maritalStatusCode', 'M')}</patient>", "Patient.maritalStatus.coding.code", "M"),
    15: Sample(f"<patient>{coded('raceCode', '2106-3', CDC)}</patient>", RACE, "2106-3"),
    16: Sample(f"<patient>{coded('sdtc:raceCode', '2108-9', SDTC + CDC)}</patient>", RACE, "2108-9"),
    17: Sample(f"<patient>{coded('ethnicGroupCode', '2135-2', CDC)}</patient>", ETHNICITY, "2135-2"),
    18: Sample(f"<patient>{coded('sdtc:ethnicGroupCode', '2137-8', SDTC + CDC)}</patient>", ETHNICITY, "2137-8"),
    20: Sample(
        f"<patient>{NEXT_OF_KIN.format(coded('code', 'FTH'))}</patient>",
        "Patient.contact.relationship.coding.code",
        "GUARD",
    ),
    21: Sample(f"<patient>{NEXT_OF_KIN.format(ADDRESS)}</patient>", "Patient.contact.address.city", "Hạ Long"),
    23: Sample(
        f"<patient>{NEXT_OF_KIN.format('<guardianPerson><name>Lê Bố</name></guardianPerson>')}</patient>",
        "Patient.contact.name.text",
        "Lê Bố",
    ),
    24: Sample(
        f"<patient>{NEXT_OF_KIN.format(ORPHANAGE)}</patient>",
        "Patient.contact.organization.display",
        "Trại trẻ",
    ),
    29: Sample(
        '<patient><languageCommunication><languageCode code="vi"/></languageCommunication></patient>',
        "Patient.communication.language.coding.code",
        "vi",
    ),
    32: Sample(
        '<patient><languageCommunication><languageCode code="vi"/><preferenceInd value="true"/></languageCommunication>'
        "</patient>",
        "Patient.communication.preferred",
        "True",
    ),
    34: Sample(PROVIDER.format(ID), "Organization.identifier.value", "N7"),
    35: Sample(PROVIDER.format(""), "Organization.name", "Khoa Nội"),
    36: Sample(PROVIDER.format(PHONE), "Organization.telecom.value", "0912000001"),
    37: Sample(PROVIDER.format(ADDRESS), "Organization.address.city", "Hạ Long"),
}
SCORE = '<value xsi:type="INT" value="3"/>'
PROBLEM = {
    2: Sample("", "Condition.resourceType", "Condition", fixed=True),
    11: Sample(ID, "Condition.identifier.value", "N7"),
    12: Sample(coded("code", "282291009"), "Condition.category.coding.code", "282291009"),
    13: Sample('<effectiveTime><low value="2024"/></effectiveTime>', "Condition.onsetDateTime", "2024"),
    14: Sample('<effectiveTime><high value="2025"/></effectiveTime>', "Condition.abatementDateTime", "2025"),
    15: Sample(value("38341003"), "Condition.code.coding.code", "38341003"),
    21: Sample(nested("6", value("246455001")), "Condition.clinicalStatus.coding.code", "recurrence"),
    22: Sample("", "Condition.clinicalStatus.coding.code", "active", fixed=True),
    24: Sample(nested("2", SCORE, "SPRT"), "Condition.evidence.detail.reference", "urn:uuid:"),
    26: Sample(nested("69", SCORE, "SPRT"), "Condition.evidence.detail.reference", "urn:uuid:"),
    27: Sample(nested("502", '<effectiveTime value="20260102"/>'), "Condition.recordedDate", "2026-01-02"),
}
PLACE = (
    f'<participant typeCode="LOC"><participantRole>{TEMPLATE}32"/><playingEntity><name>Phòng mổ 1</name>'
    "</playingEntity></participantRole></participant>"
)
WITHIN = f"<entryRelationship><encounter {EVN}>{ID}</encounter></entryRelationship>"
GIVEN = (
    f'<entryRelationship><substanceAdministration {EVN}>{TEMPLATE}16"/>{AMLODIPINE}</substanceAdministration>'
    "</entryRelationship>"
)
PROCEDURE = {
    2: Sample(ID, "Procedure.identifier.value", "N7"),
    3: Sample(coded("code", "80146002"), "Procedure.code.coding.code", "80146002"),
    4: Sample('<statusCode code="active"/>', "Procedure.status", "in-progress"),
    5: Sample('<effectiveTime value="20260105"/>', "Procedure.performedDateTime", "2026-01-05"),
    6: Sample(TIMES, "Procedure.performedPeriod.start", "2026-01-05"),
    7: Sample(TIMES, "Procedure.performedPeriod.end", "2026-01-07"),
    10: Sample(coded("targetSiteCode", "66754008"), "Procedure.bodySite.coding.code", "66754008"),
    14: Sample(PERFORMER, "PractitionerRole.telecom.value", "0912000001"),
    15: Sample(PERFORMER, "PractitionerRole.organization.display", "Khoa Nội"),
    17: Sample(AUTHOR, "Procedure.recorder.display", "Phạm An"),
    18: Sample(PLACE, "Procedure.location.display", "Phòng mổ 1"),
    19: Sample(WITHIN, "Procedure.encounter.reference", "urn:uuid:"),
    20: Sample(act("20", coded("code", "311401005")), "Procedure.followUp.coding.code", "311401005"),
    21: Sample(nested("19", ID + value("38341003"), "RSON"), "Procedure.reasonReference.reference", "urn:uuid:"),
    22: Sample(nested("19", value("38341003"), "RSON"), "Procedure.reasonCode.coding.code", "38341003"),
    23: Sample(GIVEN, "MedicationAdministration.partOf.reference", "urn:uuid:"),
}
SAMPLES = {
    "Allergy": ALLERGY,
    "Immunization": IMMUNIZATION,
    "MedicationRequest": MEDICATION,
    "Patient": PATIENT,
    "Problem-Condition": PROBLEM,
    "Procedure": PROCEDURE,
}
