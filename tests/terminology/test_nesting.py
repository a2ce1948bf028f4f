"""The tree of an expansion, made of code systems alone."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.terminology.nesting import DEPTH, nested
from fhir_gateway.terminology.selection import Member
from fhir_gateway.terminology.system import Concept, System

URL = "urn:system"


def tree_of(parents: dict[str, tuple[str, ...]], kept: list[str] | None = None) -> list[dict[str, Any]]:
    concepts = {code: Concept(code, parents=above) for code, above in parents.items()}
    members = [Member(URL, concepts[code], code) for code in (parents if kept is None else kept)]
    items = [{"code": one.concept.code} for one in members]
    return nested(members, items, {URL: System(URL, concepts)})


def shape(items: list[dict[str, Any]]) -> list[Any]:
    return [(one["code"], shape(one["contains"])) if "contains" in one else one["code"] for one in items]


def codes(items: list[dict[str, Any]]) -> list[str]:
    return [code for one in items for code in (one["code"], *codes(one.get("contains", [])))]


def depth(items: list[dict[str, Any]]) -> int:
    return 1 + max((depth(one.get("contains", [])) for one in items), default=0) if items else 0


DEEP = {"a": (), "b": ("a",), "c": ("b",), "d": ("a",)}


def test_codes_stand_below_their_parents_in_the_order_of_the_value_set() -> None:
    assert shape(tree_of(DEEP)) == [("a", [("b", ["c"]), "d"])]
    assert shape(tree_of(DEEP, ["d", "c", "b", "a"])) == [("a", ["d", ("b", ["c"])])]


def test_a_code_stands_below_the_nearest_that_is_there() -> None:
    assert shape(tree_of(DEEP, ["a", "c", "d"])) == [("a", ["c", "d"])]
    assert shape(tree_of(DEEP, ["b", "c", "d"])) == [("b", ["c"]), "d"]


def test_a_code_of_several_parents_stands_below_the_first() -> None:
    assert shape(tree_of({"a": (), "b": (), "c": ("b", "a")})) == ["a", ("b", ["c"])]


def test_codes_of_a_system_that_is_no_tree_stand_beside_each_other() -> None:
    members = [Member("urn:other", Concept(code, parents=above), code) for code, above in DEEP.items()]
    assert shape(nested(members, [{"code": code} for code in DEEP], {})) == ["a", "b", "c", "d"]


def test_what_lies_too_deep_stands_beside_each_other() -> None:
    chain = {f"c{at}": (f"c{at - 1}",) if at else () for at in range(5 * DEPTH)}
    for parents in (chain, dict(reversed(chain.items()))):
        tree = tree_of(parents)
        assert depth(tree) == DEPTH
        assert sorted(codes(tree)) == sorted(chain)


NAMES = "abcdefgh"


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)), st.data())
def test_every_code_is_there_once_whatever_rings_the_parents_form(
    parents: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    kept = data.draw(st.lists(st.sampled_from(sorted(parents)), unique=True)) if parents else []
    assert sorted(codes(tree_of(parents, kept))) == sorted(kept)
