"""The rows of the v2-to-FHIR guide's code system tables, walked: a code of an HL7 table becomes what the guide says.

The folder is not part of the project; FHIR_GATEWAY_CORPUS names it. `pytest -s` prints the table of coverage.
https://build.fhir.org/ig/HL7/v2-to-fhir/coding_system_maps.html
"""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.contract import Translation

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS", ROOT.parent / "shared" / "corpus"))
GUIDE = CORPUS / "v2-to-fhir" / "codesystems.csv"
pytestmark = pytest.mark.skipif(not GUIDE.is_file(), reason="the guide's tables are not on this machine")

PID, PV1 = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M", "PV1|1|I|||||||||||||||||VN1"
ORC, OBR = "ORC|NW|P1|F1", "OBR|1|P1|F1|SHM"
ORDER = ("ORU^R01", (PID, ORC, OBR))
VISIT = ("ADT^A01", (PID, PV1))
DRUG = ("OMP^O09", (PID, ORC, "RXO|AML5^Amlodipin"))
BOOKING = ("SIU^S12", ("SCH|1|2||||{}|||||^^^20261120083000", PID))
# The field that is bound to a table, and what it stands in; {} is where the code goes.
FIELDS: dict[str, tuple[tuple[str, tuple[str, ...]], str]] = {
    "Religion": (("ADT^A01", ()), PID + "|" * 9 + "{}"),
    "AdministrativeSex": (("ADT^A01", ()), "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|{}"),
    "MaritalStatus": (("ADT^A01", ()), PID + "|" * 8 + "{}"),
    "CountryCode": (("ADT^A01", ()), PID + "|" * 18 + "{}"),
    "IdentifierType": (("ADT^A01", ()), "PID|1||QN0001^^^22T01^MR~N9^^^X^{}||NGUYỄN^HOÀ||1961|M"),
    "NameType": (("ADT^A01", ()), "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^^^^^{}||1961|M"),
    "AddressType[Use]": (("ADT^A01", ()), PID + "|||Số 1^^Hạ Long^^^^{}"),
    "AddressType[Type]": (("ADT^A01", ()), PID + "|||Số 1^^Hạ Long^^^^{}"),
    "TelecommunicationUseCode": (("ADT^A01", ()), PID + "|||||0912000001^{}"),
    "TelecommunicationEquipmentType": (("ADT^A01", ()), PID + "|||||0912000001^^{}^lan@example.vn"),
    "Relationship": (VISIT, "NK1|1|TRẦN^LAN|{}"),
    "ContactRole": (VISIT, "NK1|1|TRẦN^LAN|||||{}"),
    "LivingWillCode": (VISIT, "PD1|||||||{}"),
    "PatientClass[EncounterClass]": (("ADT^A01", (PID,)), "PV1|1|{}|||||||||||||||||VN1"),
    "AdmissionType": (("ADT^A01", (PID,)), "PV1|1|I||{}|||||||||||||||VN1"),
    "HospitalService": (("ADT^A01", (PID,)), "PV1|1|I||||||||{}|||||||||VN1"),
    "ReadmissionIndicator": (("ADT^A01", (PID,)), "PV1|1|I|||||||||||{}||||||VN1"),
    "AmbulatoryStatus": (("ADT^A01", (PID,)), "PV1|1|I|||||||||||||{}||||VN1"),
    "BedStatus": (("ADT^A01", (PID,)), "PV1|1|I|K01^P1^G1||||||||||||||||VN1" + "|" * 21 + "{}"),
    "EncounterPriority": (VISIT, "PV2|" + "|" * 24 + "{}"),
    "ModeOfArrivalCode": (VISIT, "PV2|" + "|" * 37 + "{}"),
    "DiagnosisType": (VISIT, "DG1|1||J18.9^Viêm phổi^I10|||{}"),
    "AllergenType[AllergyIntoleranceCategory]": (VISIT, "AL1|1|{}|PEN^Penicillin"),
    "AllergyType": (VISIT, "AL1|1|{}|PEN^Penicillin"),
    "AllergySeverity[AllergyIntolerance.criticality]": (VISIT, "AL1|1|DA|PEN^Penicillin|{}"),
    "AllergySeverity[AllergyIntolerance.reaction.severity]": (VISIT, "AL1|1|DA|PEN^Penicillin|{}|ban"),
    "EventReason": (("ADT^A02", (PID, PV1)), "EVN||20261102||{}|BS1^PHẠM^AN"),
    "ProviderRole": (VISIT, "ROL|1|AD|{}|BS1^PHẠM^AN"),
    "Participation": (VISIT, "PRT||AD||{}|BS1^PHẠM^AN"),
    "RouteOfAdministration": (DRUG, "RXR|{}"),
    "BodySite": (DRUG, "RXR|PO|{}"),
    "AdministrationMethod": (DRUG, "RXR|PO|||{}"),
    "RepeatPattern": (DRUG, "TQ1|1||{}"),
    "EventRelatedPeriod": (DRUG, "TQ1|1||^^^^^^^{}"),
    "AppointmentReasonCodes": (("SIU^S12", ()), "SCH|1|2|||||{}||||^^^20261120083000\r" + PID),
    "AppointmentTypeCodes": (("SIU^S12", ()), "SCH|1|2||||||{}|||^^^20261120083000\r" + PID),
    "FillerStatusCodes[Appointment]": (
        ("SIU^S12", ()),
        "SCH|1|2|||||||||^^^20261120083000" + "|" * 14 + "{}\r" + PID,
    ),
    "DiagnosticServiceSectionID": (("ORU^R01", (PID, ORC)), OBR + "|" * 20 + "{}"),
    "ResultStatus[Non-Queries]": (("ORU^R01", (PID, ORC)), OBR + "|" * 21 + "{}"),
    "OrderType": (("ORU^R01", (PID,)), ORC + "|" * 26 + "{}\r" + OBR),
    "CommentType": (ORDER, "NTE|1||Ghi chú|{}"),
    "InterpretationCodes": (ORDER, "OBX|1|NM|NA^Natri||140|mmol/L||{}|||F"),
    "NatureOfAbnormalTesting": (ORDER, "OBX|1|NM|NA^Natri||140|mmol/L||||{}|F"),
    "ObservationResultStatusCodesInterpretation": (ORDER, "OBX|1|NM|NA^Natri||140|mmol/L|||||{}"),
    "SpecimenType": (ORDER, "SPM|1|M1||{}"),
    "AdditivePreservative": (ORDER, "SPM|1|M1||BLD||{}"),
    "SpecimenCollectionMethod": (ORDER, "SPM|1|M1||BLD|||{}"),
    "SpecimenCondition": (ORDER, "SPM|1|M1||BLD" + "|" * 20 + "{}"),
    "YesNoIndicator[AvailabilityStatus]": (ORDER, "SPM|1|M1||BLD" + "|" * 16 + "{}"),
    "CompletionStatus": (("VXU^V04", (PID, ORC)), "RXA|0|1|20261102||03^MMR^CVX" + "|" * 15 + "{}"),
    "DocumentConfidentialityStatus": (("MDM^T01", (PID,)), "TXA|1|HP|TX" + "|" * 9 + "D1||||||{}"),
}


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Map, source code, target code and system of each row that has both."""
    with GUIDE.open(encoding="utf-8") as opened:
        for row in csv.reader(opened):
            if len(row) > 11 and row[2] and row[8] and row[1] in FIELDS:
                yield row[1], row[2], row[8], row[11].strip()


def exceptions() -> dict[tuple[str, str], str]:
    with Path(__file__).with_name("guide_codes_not_applicable.csv").open(encoding="utf-8") as opened:
        return {(row["map"], row["code"]): row["reason"] for row in csv.DictReader(opened)}


def said(element: object) -> Iterator[str]:
    """Every text of the element, and every coding as system|code."""
    if isinstance(element, dict):
        if "code" in element and "system" in element:
            yield f"{element['system']}|{element['code']}"
        for part in element.values():
            yield from said(part)
    elif isinstance(element, list):
        for part in element:
            yield from said(part)
    else:
        yield str(element)


def test_every_code_of_the_guides_tables_becomes_what_the_guide_says(
    translate: Callable[[bytes], Translation], message: Callable[..., bytes]
) -> None:
    left_out, missed, counts = exceptions(), [], Counter()
    for name, source, target, system in rows():
        counts[name, "rows"] += 1
        if (name, source) in left_out or (name, "*") in left_out:
            counts[name, "not applicable"] += 1
            continue
        (event, before), field = FIELDS[name]
        found = set(said(translate(message(event, *before, field.replace("{}", source))).bundle))
        # A code of FHIR's own lists is the element itself, and so is Timing.repeat.when.
        bare = system.startswith("http://hl7.org/fhir/") or name == "EventRelatedPeriod"
        wanted = target if bare else f"{system}|{target}"
        if wanted in found:
            counts[name, "carried out"] += 1
        else:
            missed.append(f"{name} {source}: {wanted}")
    for name in sorted({name for name, _ in counts}):
        done, whole, left = (counts[name, sort] for sort in ("carried out", "rows", "not applicable"))
        print(f"{name}: {done} of {whole}, not applicable {left}")
    assert not missed, "\n".join(missed)


def test_every_exception_names_a_row_and_says_why() -> None:
    known = {(name, source) for name, source, _, _ in rows()} | {(name, "*") for name, _, _, _ in rows()}
    assert {key for key, reason in exceptions().items() if key not in known or len(reason) < 20} == set()
