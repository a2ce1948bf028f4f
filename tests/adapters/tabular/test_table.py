"""The hospital's own file: its faults are told with its keys."""

import pytest

from adapters.contract import Untranslatable

COLUMNS = '[x.columns]\nA = "number"\n'


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("", r"it has no \[tables\]"),
        ('[x]\nrows = "cat"\n', r"\[tables.x\] rows must be one of patient, encounter"),
        ('[x]\nrows = "patient"\nseparator = ";"\n', r"\[tables.x\]: 'separator' is not known"),
        ('[x]\nrows = "patient"\n[x.columns]\nT = "name"\n', r"\[tables.x\] names no column for number"),
        ('[x]\nrows = "patient"\n[x.columns]\nA = "number"\nB = "number"\n', "two columns for number"),
        ('[x]\nrows = "patient"\n[x.columns]\nA = "mrn"\n', r'columns\] "A": patient rows have no field \'mrn\''),
        (f'[x]\nrows = "patient"\n{COLUMNS}T = {{ field = "name", format = "dd" }}\n', "format is for date and time"),
        (f'[x]\nrows = "patient"\n{COLUMNS}T = {{ feld = "name" }}\n', "'feld' is not known"),
        (f'[x]\nrows = "patient"\n{COLUMNS}T = 3\n', "must be the name of a field"),
        (f'[x]\nrows = "patient"\ndecimal = "x"\n{COLUMNS}', "decimal must be"),
    ],
)
def test_a_fault_of_the_file_names_its_key(translate, toml, reason):
    with pytest.raises(Untranslatable, match=reason):
        translate("A,T\n1,x\n", toml)


TWO = """
[a]
rows = "patient"
[a.columns]
MA = "number"
TEN = "name"
[b]
rows = "encounter"
[b.columns]
MA = "patient"
SO = "number"
"""


def test_the_header_shows_which_table_it_is(translate, resources):
    assert resources(translate("MA,TEN\n1,x\n", TWO), "Patient")[0]["name"][0]["text"] == "x"
    assert resources(translate("MA,SO\n1,V1\n", TWO), "Encounter")[0]["identifier"][0]["value"] == "V1"


def test_two_tables_that_fit_must_be_told_apart_by_content_type(translate, resources):
    twice = (
        TWO.replace("[b]", "[c]").replace("[b.", "[c.").replace("SO", "TEN").replace('TEN = "number"', 'TEN = "number"')
    )
    with pytest.raises(Untranslatable, match="fit a and c"):
        translate("MA,TEN\n1,x\n", twice)
    assert resources(translate("MA,TEN\n1,x\n", twice, "text/csv; table=a"), "Patient")[0]["name"]
    with pytest.raises(Untranslatable, match=r"no \[tables.z\]"):
        translate("MA,TEN\n1,x\n", twice, "text/csv; table=z")


def test_a_missing_column_is_named_with_the_key_that_asks_for_it(translate):
    with pytest.raises(Untranslatable, match=r'lacks the column "MA", which \[tables.a.columns\] "MA" names'):
        translate("TEN\nx\n", TWO)
