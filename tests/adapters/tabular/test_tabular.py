"""What rows become, and what the ledger says of every cell."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import tabular
from adapters.contract import Fate, Untranslatable
from adapters.tabular.kinds import KINDS
from fhir_gateway.fhir.validation import validate

LABS = """
[labs]
rows = "observation"
category = "laboratory"
[labs.columns]
MA = "patient"
LK = "visit"
XN = { field = "code", codes = "xn" }
KQ = "value"
DV = "unit"
THAP = "low"
CAO = "high"
TG = "time"
TRA = "issued"
"""


def fates(translation):
    return {account.place: account.fate for account in translation.ledger}


def test_the_kinds_of_rows_the_readme_lists_are_those_there_are():
    text = (Path(tabular.__file__).parent / "README.md").read_text(encoding="utf-8")
    for kind in KINDS.values():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{kind.name}` |"))
        for field in kind.fields:
            assert field in row, f"{kind.name}.{field}"
        for field in kind.required:
            assert f"**{field}**" in row
    assert set(tabular._MAPS) == set(KINDS)


def test_every_cell_is_in_the_ledger_with_its_fate(translate):
    done = translate("MA,TEN,SINH,GT,CCCD,BO,LA\n1,An,05/03/1986,9,022886001234,x,y\n")
    assert fates(done) == {
        'row 2, column "MA"': Fate.MAPPED,
        'row 2, column "TEN"': Fate.MAPPED,
        'row 2, column "SINH"': Fate.MAPPED,
        'row 2, column "GT"': Fate.UNMAPPED,
        'row 2, column "CCCD"': Fate.MAPPED,
        'row 2, column "BO"': Fate.IGNORED,
        'row 2, column "LA"': Fate.UNMAPPED,
    }
    assert [notice.where for notice in done.notices] == ['row 2, column "GT"']


@pytest.mark.parametrize(
    ("number", "system", "kind"),
    [("022886001234", "cccd", "NI"), ("123456789", "cmnd", "NI"), ("B1234567", "passport", "PPN")],
)
def test_a_citizens_number_is_told_by_its_shape(translate, resources, number, system, kind):
    mark = resources(translate(f"MA,CCCD\n1,{number}\n"), "Patient")[0]["identifier"][1]
    assert mark["system"].endswith(f"/{system}")
    assert mark["type"]["coding"][0]["code"] == kind


def test_a_row_that_knows_a_number_alone_does_not_blank_the_patient(translate, resources):
    toml = LABS.replace("[labs]", "[labs]\n")
    done = translate("MA,KQ\n1,5\n1,6\n", toml)
    assert len(resources(done, "Patient")) == 1
    assert len(resources(done, "Observation")) == 2


def test_the_same_row_again_is_the_same_resource_and_a_number_makes_a_correction_one(translate, resources):
    assert len(resources(translate("MA,KQ\n1,5\n1,5\n", LABS), "Observation")) == 1
    toml = LABS + 'SO = "number"\n'
    first, second = (resources(translate(f"MA,SO,KQ\n1,R1,{n}\n", toml), "Observation")[0] for n in (5, 6))
    assert first["id"] == second["id"]


def test_a_code_that_is_not_in_its_table_is_kept_and_told(translate, resources):
    done = translate("MA,XN,KQ\n1,GLU,5\n", LABS)
    assert resources(done, "Observation")[0]["code"]["coding"][0]["code"] == "GLU"
    assert "not in the hospital's table xn" in done.notices[0].text


def test_a_day_is_not_made_an_instant(translate, resources):
    done = translate("MA,KQ,TRA\n1,5,2026-11-01\n", LABS)
    assert "issued" not in resources(done, "Observation")[0]
    assert fates(done)['row 2, column "TRA"'] is Fate.UNMAPPED


@pytest.mark.parametrize(
    ("body", "where", "reason"),
    [
        ("MA,SINH\n1,45231\n", 'row 2, column "SINH"', "serial number"),
        ("MA,TEN\n,An\n", 'row 2, column "MA"', "empty"),
        ("MA,TEN\n1,An,x\n", "row 2", "3 cells"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_place(translate, body, where, reason):
    with pytest.raises(Untranslatable, match=reason) as refused:
        translate(body)
    assert refused.value.where == where


def test_pieces_say_the_same_as_the_whole(message):
    body = "MA,TEN,SINH\n" + "".join(f'{n},"Nguyễn\nVăn {n}",0{n % 9 + 1}/01/1990\n' for n in range(25))
    for form in (body, body.encode("utf-16"), b"\xef\xbb\xbf" + body.encode()):
        whole = tabular.translate(message(form))
        pieces = tabular.divide(message(form), 10)
        assert [piece.place for piece in pieces] == ["rows 2-11", "rows 12-21", "rows 22-26"]
        parts = [tabular.translate(message(piece.body, media_type=piece.media_type)) for piece in pieces]
        accounts = [
            (account.place, account.targets, account.offset + piece.shift)
            for piece, part in zip(pieces, parts, strict=True)
            for account in part.ledger
        ]
        assert accounts == [(account.place, account.targets, account.offset) for account in whole.ledger]


@pytest.mark.parametrize(
    "form", ['[{{"MA":"{}"}},{{"MA":"2"}}, {{"MA":"3"}}]', '{{"MA":"{}"}}\n{{"MA":"2"}}\r\n{{"MA":"3"}}']
)
def test_pieces_of_json_say_the_same_as_the_whole(message, form):
    body = form.format("Đ1")
    whole = tabular.translate(message(body, media_type="application/json"))
    pieces = tabular.divide(message(body, media_type="application/json"), 1)
    parts = [(p, tabular.translate(message(p.body, media_type=p.media_type))) for p in pieces]
    accounts = [(a.place, a.offset + piece.shift) for piece, part in parts for a in part.ledger]
    assert accounts == [(a.place, a.offset) for a in whole.ledger]
    assert [p.body for p in tabular.divide(message(pieces[0].body, media_type=pieces[0].media_type), 1)] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"MA,TEN\n1,An\n", True),
        (b'\xef\xbb\xbf"MA";"TEN"\n', True),
        ("MA\tTEN\n".encode("utf-16"), True),
        (b'[{"MA":1}]', True),
        (b'{"resourceType":"Patient"}', False),
        (b"MSH|^~\\&|HIS", False),
        (b"<?xml version='1.0'?>", False),
        (b"\x00\x01,", False),
        (b"%PDF-1.4, x", False),
        (b"", False),
    ],
)
def test_a_table_is_recognised_and_nothing_else(body, expected):
    assert tabular.recognises(body) is expected


cell = st.sampled_from(
    ["", "1", "x", "Nguyễn Văn A", "5,4", "<0,3", "2026-11-01 07:30", "01/02/1990", "H", "GLU", '"', "1;2"]
)


@settings(deadline=None, max_examples=120)
@given(st.lists(st.lists(cell, min_size=9, max_size=9), min_size=1, max_size=6))
def test_no_cell_is_lost_and_all_that_comes_out_is_valid(translate, rows):
    names = ["MA", "LK", "XN", "KQ", "DV", "THAP", "CAO", "TG", "LA"]
    for row in rows:
        row[0], row[3] = row[0] or "p", row[3] or "1"
    lines = [",".join('"' + text.replace('"', '""') + '"' for text in row) for row in (names, *rows)]
    done = translate("\n".join(lines), LABS)
    filled = sum(1 for row in rows for text in row if text)
    assert len(done.ledger) == filled == len({account.place for account in done.ledger})
    assert validate(done.bundle) == ()
    named = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in done.bundle["entry"]}
    assert {target.partition("#")[0] for account in done.ledger for target in account.targets} <= named


def test_the_patient_of_an_allergy_is_in_the_ledger_by_the_elements_own_name(translate):
    toml = '[allergies]\nrows = "allergy"\n[allergies.columns]\nBN = "patient"\nDI_UNG = "name"\n'
    translation = translate("BN,DI_UNG\nT1,Penicillin\n", toml)
    (line,) = [account for account in translation.ledger if account.place.endswith('"BN"')]
    assert [target.partition("#")[2] for target in line.targets] == ["patient"]
