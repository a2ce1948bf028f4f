"""The rows of the v2-to-FHIR guide's segment tables, walked: which of them this adapter carries out.

The folder is not part of the project; FHIR_GATEWAY_CORPUS names it. `pytest -s` prints the table of coverage.
https://build.fhir.org/ig/HL7/v2-to-fhir/segment_maps.html
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from adapters.contract import Fate, Translation

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS", ROOT.parent / "shared" / "corpus"))
GUIDE = CORPUS / "v2-to-fhir" / "segments.csv"
pytestmark = pytest.mark.skipif(not GUIDE.is_file(), reason="the guide's tables are not on this machine")

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
PV1 = "PV1|1|I|||||||||||||||||VN1"
ORC, OBR, OBX = "ORC|NW|P1|F1", "OBR|1|P1|F1|SHM", "OBX|1|NM|NA^Natri||5||||||F"
SCH = "SCH|1|2||||||||^^^20261120083000"
SAMPLES = {
    **dict.fromkeys(("EI", "HD"), "A1^HIS"),
    **dict.fromkeys(("CWE", "CE", "CNE"), "C^Tên^L"),
    **dict.fromkeys(("XCN", "PPN", "CNN"), "BS1^PHẠM^AN"),
    **dict.fromkeys(("DTM", "TS", "DT"), "20261106083000"),
    **dict.fromkeys(("NM", "SI"), "5"),
    **dict.fromkeys(("PL", "LA2"), "NOI^P1^G1^22T01"),
    **dict.fromkeys(("ID", "IS"), "Y"),
    "CX": "N1^^^22T01^XX",
    "EIP": "A1&HIS^B1&LIS",
    "XPN": "PHẠM^AN",
    "XTN": "0912000001^PRN^PH",
    "CQ": "5^mg",
    "XAD": "Số 1^^Hồng Gai",
    "XON": "Khoa^^9",
    "TM": "0800",
    "RPT": "QD",
    "TQ": "1^QD^^20261106^20261107",
    "NDL": "BS1&PHẠM&AN",
    "DLD": "Nơi đến",
    "DR": "20261106^20261107",
    "CP": "100",
}
SPECIAL = {
    "PID-3": "QN0001^^^22T01^MR",
    "PID-8": "M",
    "PID-7": "19610314101500",
    "PID-16": "M",
    "NK1-15": "M",
    "PV1-2": "I",
    "PV1-45": "20261206083000",
    "DG1-6": "F",
    "DG1-21": "A",
    "AL1-2": "DA",
    "IAM-2": "DA",
    "IAM-4": "SV",
    "IAM-6": "A",
    "IAM-17": "C",
    "ORC-5": "IP",
    "OBR-5": "R",
    "OBR-25": "F",
    "OBR-24": "CH",
    "OBX-2": "NM",
    "OBX-5": "5",
    "OBX-11": "F",
    "OBX-8": "N",
    "TXA-3": "TX",
    "TXA-17": "LA",
    "TXA-18": "R",
    "TXA-19": "AV",
    "SCH-9": "20",
    "SCH-10": "min",
    "SCH-11": "^^^20261120083000",
    "SCH-25": "Booked",
    "AIL-9": "20",
    "AIL-10": "min",
    "AIP-9": "20",
    "AIP-10": "min",
    "AIG-11": "20",
    "AIG-12": "min",
    "AIP-12": "Booked",
    "AIS-4": "20261120083000",
    "AIS-2": "A",
    "AIG-2": "A",
    "AIL-2": "A",
    "AIP-2": "A",
    "RXO-9": "N",
    "TQ1-9": "R",
    "TQ1-6": "5^d",
    "TQ1-13": "5^min",
    "RXA-20": "CP",
    "RXA-21": "A",
    "ROL-3": "AT",
    "DG1-15": "1",
    "PD1-7": "Y",
    "PRT-4": "AT",
    "PRT-10": "",
    "PV1-40": "O",
    "PV2-22": "Y",
    "OBX-29": "RSLT",
    "SPM-20": "Y",
    "OBR-11": "G",
    "PRT-23": "",
    "EVN-4": "01",
}
RX = "RXO|AML5^Amlodipin"
# The message that a segment of the guide stands in: event, what is before it, what is after it.
PLACES: dict[str, tuple[str, list[str], list[str]]] = {
    **dict.fromkeys(("AIS", "AIG", "AIL", "AIP"), ("SIU^S12", [PID, SCH], [])),
    **dict.fromkeys(("PD1", "NK1", "PV1", "DG1", "PR1", "IAM", "IN1"), ("ADT^A01", [PID, PV1], [])),
    **dict.fromkeys(("ROL", "PRT", "PV2"), ("ADT^A01", [PID, PV1], [])),
    "PID": ("ADT^A01", [], [PV1]),
    "PID[Appointment]": ("SIU^S12", [SCH], []),
    "PV1": ("ADT^A01", [PID], []),
    "MSH": ("ADT^A01", [], [PID, PV1]),
    "EVN": ("ADT^A01", [], [PID, PV1]),
    "MRG": ("ADT^A40", [PID], []),
    "SFT": ("ADT^A01", [], [PID]),
    "ORC": ("ORU^R01", [PID], [OBR, OBX]),
    "OBR": ("ORU^R01", [PID], [OBX]),
    "OBX": ("ORU^R01", [PID, OBR], []),
    "SPM": ("ORU^R01", [PID, OBR], []),
    "TXA": ("MDM^T06", [PID], []),
    "SCH": ("SIU^S12", [], [PID]),
    "RXO": ("OMP^O09", [PID, ORC], []),
    "RXA": ("VXU^V04", [PID, ORC], []),
    "IN3": ("ADT^A01", [PID], []),
    "TQ1[ServiceRequest]": ("OML^O21", [PID, ORC], [OBR]),
    "TQ1[MedicationRequest]": ("OMP^O09", [PID, ORC, RX], []),
    "RXR[Immunization]": ("VXU^V04", [PID, ORC, "RXA|0|1|2026||C"], []),
    "RXR[MedicationRequest]": ("OMP^O09", [PID, ORC, RX], []),
    "ORC[Immunization]": ("VXU^V04", [PID], ["RXA|0|1|2026||C"]),
    "NTE[Appointment-Comment]": ("SIU^S12", [PID, SCH], []),
    "NTE[Observation]": ("ORU^R01", [PID, OBR, OBX], []),
    "NTE[ServiceRequest]": ("OML^O21", [PID, OBR], []),
    "OBX[DocumentReference]": ("MDM^T02", [PID, "TXA|1|DS|||||||||||D1"], []),
    "ORC[MedicationAdministration]": ("RAS^O17", [PID], ["RXA|0|1|2026||C"]),
    "OBX[Observation-Component]": ("ORU^R01", [PID, OBR], []),
    "ORC[Provenance]": ("ORU^R01", [PID], [OBR, OBX]),
    "DG1[EpisodeOfCare]": ("ADT^A01", [PID, PV1 + "|" * 35 + "EP1"], []),
    "PRT[CareTeam]": ("ADT^A28", [PID], []),
    "ROL[CareTeam]": ("ADT^A28", [PID], []),
    "PRT[Device]": ("ORU^R01", [PID, OBR, OBX], []),
    "PRT[Observation-Location]": ("ORU^R01", [PID, OBR, OBX], []),
    "NTE[DocumentReference]": ("MDM^T02", [PID, "TXA|1|DS|||||||||||D1"], []),
}


# Rows with a condition need a second message in which it holds: fields that are left out of it, or said otherwise.
OTHERWISE: dict[str, list[dict[int, str]]] = {
    "AIG[Appointment]": [{8: "", 9: "30", 10: "min"}],
    "AIL[Appointment]": [{6: "", 7: "30", 8: "min"}],
    "AIP[Appointment]": [{6: "", 7: "30", 8: "min"}],
    "AIS[Appointment]": [{4: "", 5: "30", 6: "min", 10: "Booked"}],
    "DG1[Condition]": [{21: "D"}],
    "DG1[Encounter]": [{21: "D"}],
    "DG1[EpisodeOfCare]": [{21: "D"}],
    "IAM[AllergyIntolerance]": [{11: ""}],
    "TQ1[ServiceRequest]": [{7: "", 8: ""}, {8: ""}],
    "TQ1[MedicationRequest]": [{7: "", 8: ""}, {8: ""}],
    "ORC[ServiceRequest]": [{5: ""}],
    "OBR[ServiceRequest]": [{6: ""}],
    "PRT[Device]": [{10: "DEV1"}],
    "PRT[PractitionerRole]": [{15: "0912^PRN^CP", 23: "C"}],
    "PRT[CareTeam]": [{5: "", 6: ""}],
    "ROL[CareTeam]": [{4: ""}],
    "ROL[Encounter-PractitionerRole]": [{1: "R1^HIS"}],
    "ROL[Patient-GeneralPractitioner]": [{1: "R1^HIS", 3: "PP"}],
    "SPM[Specimen]": [{20: "Y"}],
    "EVN[Provenance]": [{2: "20261102083000"}],
    "PR1[Procedure]": [{7: "5"}],
    "PRT[Patient-GeneralPractitioner-PractitionerRole]": [{4: "PP"}],
    "PRT[Patient-GeneralPractitioner-Practitioner]": [{4: "PP"}],
}
NOT_APPLICABLE = Path(__file__).parent / "guide_not_applicable.csv"


@cache
def reasons() -> dict[tuple[str, int], str]:
    """Why a row is not carried out: table and field; field 0 is every row of the table."""
    with NOT_APPLICABLE.open(encoding="utf-8") as file:
        return {(row["table"], int(row["field"])): row["reason"] for row in csv.DictReader(file)}


@cache
def guide() -> dict[str, list[tuple[int, str]]]:
    """Each table's rows that have a target in FHIR: field number and HL7 type."""
    found: dict[str, list[tuple[int, str]]] = {}
    with GUIDE.open(encoding="utf-8") as file:
        for row in csv.reader(file):
            named = re.fullmatch(r"([A-Z][A-Z0-9]{2})-(\d+)", row[3]) if len(row) > 11 and row[11].strip() else None
            if named and row[1].startswith(f"{named[1]}["):
                found.setdefault(row[1], []).append((int(named[2]), row[5].strip()))
    return found


def segment(name: str, rows: list[tuple[int, str]], said: dict[int, str]) -> str:
    fields = {number: SPECIAL.get(f"{name}-{number}", SAMPLES.get(kind, "chữ")) for number, kind in rows}
    if name == "RXA":
        fields |= {3: "20261106", 5: "C^Vắc xin"}
    if name == "OBX" and 2 not in fields:
        fields |= {2: "TX", 5: "chữ"}
    if name == "PID":
        fields |= {3: "QN0001^^^22T01^MR"}
    if name == "MRG":
        fields |= {1: "QN0009^^^22T01^MR"}
    fields |= said
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


@dataclass(frozen=True)
class Coverage:
    """Of a table: rows carried out, not applicable for a written reason, and open with their field numbers."""

    done: int
    excused: int
    open: tuple[int, ...]

    @property
    def rows(self) -> int:
        return self.done + self.excused + len(self.open)


@pytest.fixture(scope="module")
def carried(translate: Callable[[bytes], Translation], message: Callable[..., bytes]) -> dict[str, Coverage]:
    """For each table of the guide: what became of its rows that have a target."""
    counted: dict[str, Coverage] = {}
    for table, rows in guide().items():
        name, resource = table.rstrip("]").split("[")
        event, before, after = PLACES.get(table) or PLACES.get(name) or ("ADT^A01", [PID], [])
        made: set[str] = set()
        taken: set[int] = set()
        for said in [{}, *OTHERWISE.get(table, ())]:
            # The header that every message has is a sample already.
            own = [] if name == "MSH" else [segment(name, rows, said)]
            translation = translate(message(event, *before, *own, *after))
            made |= {entry["resource"]["resourceType"] for entry in translation.bundle["entry"]}
            taken |= {
                int(place.group(1))
                for account in translation.ledger
                if account.fate is Fate.MAPPED
                and (place := re.match(rf"{name}\[{before.count(name) + 1}\]-(\d+)\[", account.place))
            }
        there = resource.split("-")[0] in made
        left = [number for number, _ in rows if not there or number not in taken or (table, number) in reasons()]
        excused = [number for number in left if (table, number) in reasons() or (table, 0) in reasons()]
        unmet = tuple(number for number in left if number not in excused)
        counted[table] = Coverage(len(rows) - len(left), len(excused), unmet)
    return counted


def test_every_row_of_the_guide_is_carried_out_or_excused(carried: dict[str, Coverage]) -> None:
    total = Counter[str]()
    for table, found in sorted(carried.items()):
        print(f"{table:55} {found.done:3} + {found.excused:3} of {found.rows:3}  {' '.join(map(str, found.open))}")
        total.update(done=found.done, excused=found.excused, open=len(found.open), rows=found.rows)
    print(f"{'all: carried out, not applicable, open, rows':55} {total}")

    assert {table: found.open for table, found in carried.items() if found.open} == {}
    assert total["done"] / total["rows"] > 0.6


def test_no_row_is_excused_that_is_carried_out(carried: dict[str, Coverage]) -> None:
    idle = [table for (table, field), _ in reasons().items() if not carried[table].excused]

    assert idle == []
    assert all(len(reason) > 20 for reason in reasons().values())


# The events whose messages have the structure of a table of the guide (HL7 table 0354).
EVENTS = {
    "ADT_A01": "ADT^A01 ADT^A04 ADT^A08 ADT^A13",
    "ADT_A02": "ADT^A02",
    "ADT_A05": "ADT^A05 ADT^A14 ADT^A28 ADT^A31",
    "ADT_A06": "ADT^A06 ADT^A07",
    "ADT_A09": "ADT^A09 ADT^A10 ADT^A11",
    "ADT_A11": "ADT^A11",
    "ADT_A17": "ADT^A17",
    "MDM_T02": "MDM^T02 MDM^T04 MDM^T06 MDM^T08 MDM^T10",
    "OML_O21": "OML^O21",
    "ORM_O01": "ORM^O01",
    "ORU_R01": "ORU^R01",
    "SIU_S12": " ".join(f"SIU^S{number}" for number in (12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26)),
    "VXU_V04": "VXU^V04",
}
# In these tables two rows of one name exclude each other, or make a case of their own.
VARIED = frozenset({"ROL", "PRT"})
EXCUSED_IN_MESSAGES = {
    ("MSH", "Provenance-Transformation"): "the gateway writes the Provenance of every message itself",
    ("TXA", "Provenance"): "who wrote a document and when is the DocumentReference's author and date",
    ("PV1", "Patient"): "PV1-16 says it of the visit: it is the Encounter's, unless a person's importance is meant",
    ("PID", "Appointment"): "the patient is a participant of the Appointment by reference",
    ("VXU_V04", "ServiceRequest"): "a choice of the guide: the vaccination itself says who ordered it",
    ("ADT_A06", "Account"): "accounts are billing: their numbers are tied in A41 A44 and A49 alone",
}


@cache
def structures() -> dict[str, list[tuple[str, str]]]:
    """Each message structure of the guide: where each of its segments stands, and the table that maps it."""
    found: dict[str, list[tuple[str, str]]] = {}
    with (CORPUS / "v2-to-fhir" / "messages.csv").open(encoding="utf-8") as file:
        for row in csv.reader(file):
            if len(row) > 12 and row[1] in EVENTS and re.fullmatch(r"[A-Z0-9]{3}\[[A-Za-z-]+\]", row[12].strip()):
                found.setdefault(row[1], []).append((row[3], row[12].strip()))
    return {name: list(dict.fromkeys(rows)) for name, rows in found.items()}


def _full(structure: str) -> list[str]:
    """A message that holds every segment of the table, in its order."""
    made: list[str] = []
    rows = structures()[structure]
    for place in dict.fromkeys(place for place, _ in rows):
        tables = [table for where, table in rows if where == place]
        name = tables[0][:3]
        if name in ("MSH", "IN3", "SFT"):
            continue
        for cases in [[table] for table in tables] if name in VARIED else [tables]:
            known = [table for table in guide() if table.startswith(f"{name}[")] if name not in VARIED else cases
            fields = dict(row for table in known for row in guide().get(table, []))
            said = next((OTHERWISE[table][-1] for table in cases if name in VARIED and table in OTHERWISE), {})
            made.append(segment(name, sorted(fields.items()), {**said, **_FIRM.get(name, {})}))
    return made


# What a message cannot be without, or what would say that the segment does not count.
_FIRM: dict[str, dict[int, str]] = {
    "PV1": {19: "VN1", 44: "20261106083000", 54: "EP1"},
    "DG1": {3: "I10^Tăng huyết áp^I10", 21: "A"},
    "OBR": {4: "SHM^Sinh hoá^L", 15: "BLD&Máu"},
    "OBX": {3: "NA^Natri^L", 4: "1"},
    "TXA": {12: "D1"},
    "SCH": {11: "^^^20261120083000"},
    "AL1": {2: "DA", 3: "PEN^Penicillin^L", 4: "SV", 5: "Ban"},
    "ORC": {2: "P1", 3: "F1"},
}


@pytest.mark.parametrize(
    ("structure", "event"), [(name, event) for name, events in EVENTS.items() for event in events.split()]
)
def test_a_whole_message_yields_what_its_table_names(
    translate: Callable[[bytes], Translation], message: Callable[..., bytes], structure: str, event: str
) -> None:
    translation = translate(message(event, *_full(structure)))
    led = {
        (account.place[:3], target.partition("/")[0]) for account in translation.ledger for target in account.targets
    }
    there = {entry["resource"]["resourceType"] for entry in translation.bundle["entry"]}
    missing = []
    for _, table in structures()[structure]:
        name, resource = table.rstrip("]").split("[")
        excused = (table, 0) in reasons() or {(name, resource), (structure, resource)} & EXCUSED_IN_MESSAGES.keys()
        # A comment is the note of whatever stands before it; the guide has one table for all of them.
        kind = next((k for n, k in led if n == "NTE"), "") if name == "NTE" else resource.split("-")[0]
        if not excused and (kind not in there or (name, kind) not in led):
            missing.append(table)
    assert missing == []
    assert [notice for notice in translation.notices if "no map of its own" in notice.text] == []
