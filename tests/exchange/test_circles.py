"""Merges that close a circle over three or more, of visits and of patients."""

from datetime import UTC, datetime

import pytest

from fhir_gateway.exchange.circles import closed, freed
from fhir_gateway.fhir.codec import encode
from fhir_gateway.store.port import Version

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def visit(number, whole=""):
    part = {"partOf": {"reference": f"Encounter/{whole}"}} if whole else {}
    return {"resourceType": "Encounter", "id": number, **part}


def person(number, into=""):
    link = {"link": [{"other": {"reference": f"Patient/{into}"}, "type": "replaced-by"}]} if into else {}
    return {"resourceType": "Patient", "id": number, **link}


class Shelf:
    """The stored versions by reference, and how often somebody looked."""

    def __init__(self, *resources):
        self.looked = 0
        self.all = {
            f"{one['resourceType']}/{one['id']}": Version(one["resourceType"], one["id"], 1, NOW, encode(one))
            for one in resources
        }

    async def currents(self, references):
        self.looked += 1
        return {ref: self.all[ref] for ref in references if ref in self.all}


@pytest.mark.parametrize("one", [visit, person])
async def test_who_stays_leaves_the_one_he_was_merged_into_when_that_would_close_a_circle(one):
    shelf = Shelf(one("a", "b"), one("b", "c"), one("c", "d"))
    said = [one("d", "a"), one("a")]

    stays = await closed(shelf, said, shelf.all)

    kind = said[0]["resourceType"]
    assert stays == {f"{kind}/a"}
    assert freed(one("a", "b"), one("a"), stays) == one("a")
    assert freed(one("d", "a"), one("d", "a"), stays) == one("d", "a")


@pytest.mark.parametrize("one", [visit, person])
async def test_a_chain_that_ends_elsewhere_is_left_as_it_is(one):
    shelf = Shelf(one("a", "b"), one("b", "c"))
    stays = await closed(shelf, [one("x", "a"), one("a")], shelf.all)

    assert stays == frozenset()
    assert freed(one("a", "b"), one("a"), stays) == one("a", "b")


async def test_a_circle_that_is_stored_already_ends_the_search():
    shelf = Shelf(visit("a", "b"), visit("b", "a"))
    assert await closed(shelf, [visit("x", "a"), visit("a")], shelf.all) == frozenset()
    assert shelf.looked <= 16


async def test_a_message_without_a_merge_asks_the_store_nothing():
    shelf = Shelf(visit("a", "b"))
    await closed(shelf, [visit("a"), person("p")], shelf.all)
    assert shelf.looked == 0
