"""The published C-CDA samples: all of them translate, into valid R4, with their ledger."""

from adapters.contract import Fate


def test_every_sample_becomes_valid_r4(corpus, translate, r4_problems):
    problems = {file.name: r4_problems(translate(file.read_bytes())) for file in corpus}

    assert {name: found for name, found in problems.items() if found} == {}


def test_most_fields_of_a_discharge_summary_are_mapped(corpus, translate):
    file = next(file for file in corpus if file.name == "Discharge_Summary.xml")
    fates = [account.fate for account in translate(file.read_bytes()).ledger]

    assert fates.count(Fate.UNMAPPED) / len(fates) < 0.07


def test_one_id_on_two_problems_does_not_make_them_one(corpus, translate, made):
    file = next(file for file in corpus if file.name == "Discharge_Summary.xml")
    names = [condition["code"]["text"] for condition in made(translate(file.read_bytes()), "Condition")]

    assert "Dark stools" in names
    assert any("ppendicitis" in name for name in names)
