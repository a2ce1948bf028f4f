"""Code systems read for use."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.terminology.system import read

PARENTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)


def system(*concepts: dict, **facts):
    return read({"url": "u", "content": "complete", "concept": list(concepts), **facts})


def test_the_hierarchy_is_told_by_nesting_by_parents_and_by_children() -> None:
    found = system(
        {"code": "a", "concept": [{"code": "b"}]},
        {"code": "c", "property": [{"code": "parent", "valueCode": "b"}]},
        {"code": "d", "property": [{"code": "child", "valueCode": "a"}]},
    )

    assert found.ancestors("c") == {"b", "a", "d"}
    assert (found.children("d"), found.children("b"), found.children("c")) == (("a",), ("c",), ())


def test_case_counts_unless_the_system_says_otherwise() -> None:
    assert system({"code": "a"}).get("A") is None
    assert system({"code": "a"}, caseSensitive=False).get("A").code == "a"


def test_a_concept_in_two_places_has_both_parents() -> None:
    found = system({"code": "a", "concept": [{"code": "x"}]}, {"code": "b", "concept": [{"code": "x"}]})

    assert found.ancestors("x") == {"a", "b"}


@settings(deadline=None, max_examples=80)
@given(PARENTS)
def test_subsumption_is_a_preorder_even_with_rings(edges) -> None:
    codes = [str(number) for number in range(7)]
    named = {code: [str(up) for down, up in edges if str(down) == code] for code in codes}
    concepts = [
        {"code": code, "property": [{"code": "parent", "valueCode": up} for up in named[code]]} for code in codes
    ]
    found = system(*concepts)

    for one in codes:
        assert found.subsumes(one, one)
        for two in codes:
            for three in codes:
                if found.subsumes(one, two) and found.subsumes(two, three):
                    assert found.subsumes(one, three)
