"""Linking against the real engine: one human one Person, every link explained, every link undone."""

import asyncio

import pytest

from fhir_gateway.app import now
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.identity import namesakes
from fhir_gateway.identity import person as people
from fhir_gateway.identity.compare import Systems
from fhir_gateway.identity.link import link, unlink
from fhir_gateway.problem import Conflict, NotFound
from fhir_gateway.records.revision import revision
from fhir_gateway.store.port import Commit

pytestmark = pytest.mark.anyio
SYSTEMS = Systems(frozenset({"urn:cccd"}), frozenset({"urn:bhyt"}))


def patient(identity, cccd=None, bhyt=None, **more):
    numbers = [("urn:cccd", cccd), ("urn:bhyt", bhyt)]
    return {
        "resourceType": "Patient",
        "id": identity,
        "identifier": [{"system": s, "value": v} for s, v in [("urn:mrn", identity), *numbers] if v],
        "name": [{"text": "NGUYỄN VĂN HOÀ"}],
        "gender": "male",
        "birthDate": "1961-03-14",
        **more,
    }


async def file(store, *patients):
    """Link and commit as a message would; a writer that was overtaken tries again."""
    for _ in range(60):
        linking = await link(store, SYSTEMS, {f"Patient/{p['id']}": p for p in patients})
        try:
            return await commit(store, linking, patients)
        except Conflict:
            await asyncio.sleep(0.005)
    raise AssertionError("never got through")


async def commit(store, linking, patients=()):
    known = await store.currents([f"Patient/{p['id']}" for p in patients])
    changes = [revision(p, f"Patient/{p['id']}", known.get(f"Patient/{p['id']}"), now(), ()) for p in patients]
    changes += [revision(p, f"Person/{p['id']}", version, now(), ()) for p, version in linking.persons]
    await store.commit(Commit(changes=tuple(changes), claims=linking.claims))


async def person_of(store, identity):
    owner = (await store.claimed([f"person-of|Patient/{identity}"]))[f"person-of|Patient/{identity}"]
    return decode_resource((await store.current(owner)).body)


async def test_two_hospitals_one_citizen_number_one_person_with_evidence(store):
    await file(store, patient("a", "1"))
    await file(store, patient("b", "1", name=[{"text": "Nguyễn Văn Hòa"}]))
    person = await person_of(store, "b")
    assert people.patients(person) == ["Patient/a", "Patient/b"]
    assert person["link"][1]["extension"][0]["valueString"].startswith("citizen number equal")


async def test_without_a_shared_number_people_are_only_probably_the_same(store):
    await file(store, patient("a", "1"))
    await file(store, patient("b", "2"))
    mine, theirs = await person_of(store, "b"), await person_of(store, "a")
    assert mine["id"] != theirs["id"]
    assert [row["assurance"] for row in mine["link"]] == ["level4", "level2"]
    assert mine["link"][1]["target"]["reference"] == f"Person/{theirs['id']}"
    assert people.patients(mine) == ["Patient/b"]


async def test_a_newborn_under_its_mothers_name_stays_its_own_person(store):
    await file(store, patient("mother", "1", gender="female"))
    baby = patient("baby", birthDate="2026-11-18", gender="female", name=[{"text": "NGUYỄN VĂN HOÀ", "use": "temp"}])
    await file(store, baby)
    assert people.patients(await person_of(store, "baby")) == ["Patient/baby"]


async def test_a_number_that_arrives_later_finds_its_person(store):
    await file(store, patient("a", "1"))
    await file(store, patient("b", None, "9"))
    await file(store, patient("c", "1", "8"))
    assert people.patients(await person_of(store, "c")) == ["Patient/a", "Patient/c"]
    await file(store, patient("d", None, "8"))
    assert people.patients(await person_of(store, "d")) == ["Patient/a", "Patient/c", "Patient/d"]


async def test_twenty_hospitals_at_once_make_one_person_of_one_citizen_number(store):
    await asyncio.gather(*(file(store, patient(f"p{n}", "1")) for n in range(20)))
    persons = {(await person_of(store, f"p{n}"))["id"] for n in range(20)}
    assert len(persons) == 1
    assert len(people.patients(await person_of(store, "p0"))) == 20


async def test_a_link_can_be_taken_back_and_does_not_return(store):
    await file(store, patient("a", "1"))
    await file(store, patient("b", "1"))
    person = await person_of(store, "a")
    await commit(store, await unlink(store, SYSTEMS, f"Person/{person['id']}", "Patient/b"))
    assert people.patients(await person_of(store, "a")) == ["Patient/a"]
    assert people.patients(await person_of(store, "b")) == ["Patient/b"]
    await file(store, patient("b", "1"))
    assert people.patients(await person_of(store, "a")) == ["Patient/a"]
    assert len(await store.versions(f"Person/{person['id']}", None, 10)) == 3


async def test_a_link_that_is_not_there_cannot_be_taken_back(store):
    await file(store, patient("a", "1"))
    person = await person_of(store, "a")
    with pytest.raises(NotFound):
        await unlink(store, SYSTEMS, f"Person/{person['id']}", "Patient/zzz")


async def test_a_merge_by_the_hospital_moves_the_old_number_to_the_survivors_person(store):
    await file(store, patient("old", "1"))
    await file(store, patient("new", "2"))
    replaced = patient("old", "1", active=False, link=[{"other": {"reference": "Patient/new"}, "type": "replaced-by"}])
    await file(store, replaced, patient("new", "2"))
    assert people.patients(await person_of(store, "old")) == ["Patient/new", "Patient/old"]


async def test_linking_the_same_patient_again_changes_nothing(store):
    await file(store, patient("a", "1"))
    assert (await link(store, SYSTEMS, {"Patient/a": patient("a", "1")})).persons == ()


async def test_a_newborns_card_is_one_number_whether_sent_as_temporary_or_regular(store):
    systems = Systems(frozenset({"urn:cccd"}), frozenset({"urn:bhyt", "urn:bhyt-tam"}))
    card = "TE1220000000001"
    borrowed = [{"text": "TRẦN THỊ THỬ", "use": "temp"}]
    certificate = patient("birth", name=borrowed, birthDate="2026-11-18")
    certificate["identifier"].append({"system": "urn:bhyt-tam", "value": card})
    own = patient("stay", None, card, name=borrowed, birthDate="2026-11-18")
    for record in (certificate, own):
        linking = await link(store, systems, {f"Patient/{record['id']}": record})
        await commit(store, linking, [record])
    person = await person_of(store, "stay")
    assert people.patients(person) == ["Patient/birth", "Patient/stay"]
    renamed = {**own, "name": [{"text": "TRẦN AN NHIÊN"}]}
    await commit(store, await link(store, systems, {"Patient/stay": renamed}), [renamed])
    assert (await person_of(store, "stay"))["name"] == [{"text": "TRẦN AN NHIÊN"}]


async def test_in_a_crowd_of_one_birth_date_people_are_looked_for_by_name(store, monkeypatch):
    monkeypatch.setattr(namesakes, "CANDIDATES", 3)
    crowd = [patient(f"p{n}", name=[{"text": f"TRẦN THỊ {chr(65 + n) * 6}"}]) for n in range(6)]
    for one in crowd:
        await file(store, one)
    await file(store, patient("again", name=[{"text": "TRẦN THỊ CCCCCC"}]))
    suspected = await person_of(store, "p2")
    mine = await person_of(store, "again")
    assert [row["target"]["reference"] for row in mine["link"][1:]] == [f"Person/{suspected['id']}"]


async def test_in_a_crowd_of_one_name_and_birth_date_numbers_still_link_and_suspicions_end(store, monkeypatch):
    monkeypatch.setattr(namesakes, "CANDIDATES", 3)
    said = []
    monkeypatch.setattr(namesakes.log, "warning", lambda text, **more: said.append(more["share"]))
    for n in range(7):
        await file(store, patient(f"p{n}", str(n)))
    assert said == [("birth date", "sex"), ("birth date", "sex", "name")]
    assert len((await person_of(store, "p6"))["link"]) == 1, "no suspect any more"
    await file(store, patient("elsewhere", "2"))
    assert people.patients(await person_of(store, "elsewhere")) == ["Patient/p2", "Patient/elsewhere"]
