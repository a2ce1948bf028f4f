"""The ledger of what was said twice: what no longer stands there is not called mapped."""

from adapters.contract import Account, Fate
from adapters.draft import Draft
from adapters.settle import SAID_AGAIN, leads, settle

RESOURCE = {"resourceType": "Patient", "id": "a", "name": [{"family": "LÊ"}], "_birthDate": {"extension": [{}]}}
BUNDLE = {"resourceType": "Bundle", "entry": [{"resource": RESOURCE}]}


def account(*targets: str) -> Account:
    return Account("PID[1]-5[1].1", Fate.MAPPED, targets)


def test_a_target_that_is_gone_makes_the_field_unmapped_with_a_reason():
    gone = account("Patient/a#name[1].family")
    settle([gone], BUNDLE, {"Patient/a"})
    assert (gone.fate, gone.targets, gone.reason) == (Fate.UNMAPPED, (), SAID_AGAIN)


def test_a_field_with_another_target_keeps_that_one():
    kept = account("Patient/a#name[1].family", "Patient/a#name[0].family")
    settle([kept], BUNDLE, {"Patient/a"})
    assert (kept.fate, kept.targets) == (Fate.MAPPED, ("Patient/a#name[0].family",))


def test_resources_that_were_said_once_are_not_looked_at():
    other = account("Patient/b#name[9].family")
    settle([other], BUNDLE, {"Patient/a"})
    assert other.targets == ("Patient/b#name[9].family",)


def test_a_path_leads_to_extensions_choices_and_any_item_of_a_list():
    assert leads(RESOURCE, ["birthDate"])
    assert leads(RESOURCE, ["name", "family"])
    assert leads({"valueQuantity": {"value": 0}}, ["value", "value"])
    assert not leads({"valueString": "x"}, ["value", "unit"])
    assert not leads(RESOURCE, ["name[1]", "family"])
    assert not leads(RESOURCE, ["?"])


def test_a_draft_knows_what_was_said_twice_in_other_words():
    draft = Draft("qn-general")
    draft.add("Patient", "1", {"gender": "male", "active": True})
    draft.add("Patient", "1", {"gender": "male", "birthDate": "1961"})
    assert draft.rewritten == set()
    draft.add("Patient", "1", {"gender": "female"})
    assert draft.rewritten == {f"Patient/{draft.id('Patient', '1')}"}
