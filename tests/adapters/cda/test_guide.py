"""The rows of the C-CDA on FHIR tables, walked: which of them this adapter carries out.

The folder is not part of the project; FHIR_GATEWAY_CORPUS names it. `pytest -s` prints the table of coverage.
https://hl7.org/fhir/us/ccda/
"""

import csv
import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Translation

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]
GUIDE = Path(os.environ.get("FHIR_GATEWAY_CORPUS", ROOT.parent / "shared" / "corpus")) / "ccda-on-fhir"
#: What the guide itself says of rows that ask for nothing.
NOTHING_TO_DO = frozenset({"backbone", "backbone element", "not supported by target", ""})

_spec = importlib.util.spec_from_file_location("guide_samples", HERE / "guide_samples.py")
assert _spec
assert _spec.loader
samples = importlib.util.module_from_spec(_spec)
sys.modules["guide_samples"] = samples
_spec.loader.exec_module(samples)

# How a row's statement stands in a document: its section's code and what is around the sample.
AROUND = {
    "Allergy": ("48765-2", "<observation {flags}>{content}</observation>"),
    "Immunization": ("11369-6", "<substanceAdministration {flags}>{content}</substanceAdministration>"),
    "MedicationRequest": ("10160-0", "<substanceAdministration {flags}>{content}</substanceAdministration>"),
    "Problem-Condition": ("11450-4", "<observation {flags}>{content}</observation>"),
    "Procedure": ("47519-4", "<procedure {flags}>{content}</procedure>"),
}
# A problem that a reason may name by its number.
PROBLEM = """<component><section><code code="11450-4" codeSystem="2.16.840.1.113883.6.1"/><entry><observation
moodCode="EVN"><id root="1.2.3" extension="N7"/><value xsi:type="CD" code="1"/></observation></entry></section>
</component>"""


def tables() -> dict[str, list[list[str]]]:
    """Each table's rows below its heading, padded to seven columns; the first row is line 2."""
    found = {}
    for path in sorted(GUIDE.glob("CCDA-FHIR *.csv")):
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))[1:]
        found[path.stem.removeprefix("CCDA-FHIR ")] = [row + [""] * (7 - len(row)) for row in rows]
    return found


pytestmark = pytest.mark.skipif(not tables(), reason="the guide's tables are not on this machine")


def reasons() -> dict[tuple[str, int], str]:
    with (HERE / "guide_not_applicable.csv").open(encoding="utf-8") as file:
        return {(row["table"], int(row["line"])): row["reason"] for row in csv.DictReader(file)}


def asks_for_nothing(row: list[str]) -> bool:
    """A heading, an empty line, or a row that the guide has no target for."""
    return row[2].strip() in NOTHING_TO_DO and not (row[3].strip() and row[2].strip() == "")


def written(document: Callable[..., str], table: str, flags: str, content: str) -> str:
    if table == "Patient":
        own = '<id root="2.16.840.1.113883.19.22.3.1" extension="SN1"/>'
        return document(role=own + (content if "<patient>" in content else f"{content}<patient/>"))
    loinc, around = AROUND[table]
    text = document(f"<entry>{around.format(flags=flags, content=content)}</entry>", loinc=loinc)
    return text.replace("</structuredBody>", f"{PROBLEM}</structuredBody>") if table == "Procedure" else text


def found_at(translation: Translation, path: str) -> set[str]:
    """All values that the resources of the path's type have there."""
    kind, *steps = path.split(".")
    resources = [entry["resource"] for entry in translation.bundle["entry"]]
    values: list[Any] = [one for one in resources if one["resourceType"] == kind]
    for step in steps:
        values = [inner for value in values for inner in below(value, step)]
    return {str(value) for value in values}


def below(value: Any, step: str) -> Iterator[Any]:
    inner = value.get(step) if isinstance(value, dict) else None
    yield from inner if isinstance(inner, list) else [] if inner is None else [inner]


@pytest.fixture(scope="module")
def carried(translate: Callable[..., Translation], document: Callable[..., str]) -> dict[tuple[str, int], str]:
    """What became of each sample: ``done``, or what was found instead."""
    result = {}
    for table, rows in samples.SAMPLES.items():
        for line, sample in rows.items():
            with_part = found_at(translate(written(document, table, sample.flags, sample.content)), sample.path)
            plain = samples.EVN if "EVN" in sample.flags or not sample.content else samples.INT
            without = found_at(translate(written(document, table, plain, "")), sample.path)
            has = any(sample.value in one for one in with_part)
            had = any(sample.value in one for one in without) and not sample.fixed
            result[table, line] = "done" if has and not had else f"{sample.path}: {with_part}, without: {without}"
    return result


def test_every_row_of_the_guide_is_carried_out_or_excused(carried: dict[tuple[str, int], str]) -> None:
    unmet, total = {}, Counter[str]()
    for table, rows in tables().items():
        counted = Counter[str](rows=len(rows))
        for line, row in enumerate(rows, start=2):
            if carried.get((table, line)) == "done":
                counted["done"] += 1
            elif (table, line) in reasons() or asks_for_nothing(row):
                counted["excused"] += 1
            else:
                unmet[table, line] = carried.get((table, line), row[:5])
        print(
            f"{table:20} {counted['done']:3} carried out + {counted['excused']:3} not applicable of {counted['rows']:3}"
        )
        total.update(counted)
    print(f"all: {total['done']} carried out, {total['excused']} not applicable, {total['rows']} rows")

    assert unmet == {}
    assert total["done"] >= 90


def test_no_row_is_excused_that_is_carried_out_or_asks_for_nothing(carried: dict[tuple[str, int], str]) -> None:
    rows = tables()
    idle = [key for key in reasons() if key in carried or asks_for_nothing(rows[key[0]][key[1] - 2])]

    assert idle == []
    assert all(len(reason) > 40 for reason in reasons().values())


def test_every_sample_belongs_to_a_row_that_asks_for_something() -> None:
    rows = tables()
    for table, found in samples.SAMPLES.items():
        assert [line for line in found if line - 2 >= len(rows[table])] == []
