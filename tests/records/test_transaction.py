"""What a transaction would write, before it is written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fhir_gateway.fhir.codec import decode
from fhir_gateway.problem import BadRequest, Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from fhir_gateway.records.desk import Author
from fhir_gateway.records.transaction import Plan, plan
from fhir_gateway.store.port import Commit, Store

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 10, 0, 0, 123000, UTC)
BAI_CHAY = Author("bai-chay", ("bai-chay",))
PATIENT = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:mrn", "value": "1"}]}


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def put(resource: dict[str, Any], **request: Any) -> dict[str, Any]:
    url = f"{resource['resourceType']}/{resource['id']}"
    full_url = f"urn:uuid:{resource['id']}"
    return {"fullUrl": full_url, "resource": resource, "request": {"method": "PUT", "url": url} | request}


def delete(url: str) -> dict[str, Any]:
    return {"request": {"method": "DELETE", "url": url}}


async def stored(store: Store, *entries: dict[str, Any], author: Author = BAI_CHAY) -> Plan:
    made = await plan(store, bundle(*entries), author, NOW)
    await store.commit(Commit(made.changes, made.claims))
    return made


async def test_a_plan_writes_nothing(store: Store) -> None:
    made = await plan(store, bundle(put(PATIENT)), BAI_CHAY, NOW)

    assert len(made.changes) == 1
    assert await store.current("Patient/p") is None


async def test_a_new_resource_is_version_one_with_its_readers_time_and_keys(store: Store) -> None:
    (change,) = (await plan(store, bundle(put(PATIENT)), BAI_CHAY, NOW)).changes

    assert (change.replaces, change.version.number, change.version.readers) == (0, 1, ("bai-chay",))
    assert decode(change.version.body)["meta"] == {"versionId": "1", "lastUpdated": "2026-11-23T10:00:00.123Z"}
    assert change.index["patients"] == ["p"]


async def test_an_update_replaces_the_current_version_and_keeps_who_may_read_it(store: Store) -> None:
    await stored(store, put(PATIENT), author=Author(None, ("bai-chay", "bach-mai")))

    (change,) = (await plan(store, bundle(put(PATIENT)), BAI_CHAY, NOW + timedelta(hours=1))).changes

    assert (change.replaces, change.version.number) == (1, 2)
    assert set(change.version.readers) == {"bai-chay", "bach-mai"}


async def test_the_record_of_another_hospital_is_neither_replaced_nor_shown(store: Store) -> None:
    await stored(store, put(PATIENT), author=Author(None, ("san-nhi",)))

    with pytest.raises(Forbidden):
        await plan(store, bundle(put(PATIENT)), BAI_CHAY, NOW)
    with pytest.raises(NotFound):
        await plan(store, bundle(delete("Patient/p")), BAI_CHAY, NOW)


async def test_of_two_plans_for_one_version_the_second_conflicts(store: Store) -> None:
    await stored(store, put(PATIENT))
    first = await plan(store, bundle(put(PATIENT)), BAI_CHAY, NOW)
    second = await plan(store, bundle(put(PATIENT)), BAI_CHAY, NOW)
    await store.commit(Commit(first.changes))

    with pytest.raises(Conflict):
        await store.commit(Commit(second.changes))


async def test_an_if_match_in_an_entry_must_fit(store: Store) -> None:
    await stored(store, put(PATIENT))

    assert (await plan(store, bundle(put(PATIENT, ifMatch='W/"1"')), BAI_CHAY, NOW)).results[0].status == 200
    with pytest.raises(PreconditionFailed):
        await plan(store, bundle(put(PATIENT, ifMatch='W/"2"')), BAI_CHAY, NOW)


async def test_a_deletion_is_a_version_without_a_body(store: Store) -> None:
    await stored(store, put(PATIENT))
    made = await stored(store, delete("Patient/p"))
    again = await plan(store, bundle(delete("Patient/p")), BAI_CHAY, NOW)

    assert (made.changes[0].version.deleted, made.changes[0].version.body) == (True, b"")
    assert (again.changes, again.results[0].status) == ((), 204)


async def test_the_conditions_of_two_hospitals_do_not_meet(store: Store) -> None:
    entry = {
        "resource": PATIENT,
        "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:mrn|1"},
    }
    ours = await stored(store, entry)
    theirs = await stored(store, entry, author=Author("san-nhi", ("san-nhi",)))
    again = await stored(store, entry)

    assert ours.results[0].version is not None
    assert theirs.changes
    assert again.results[0].version == (await store.current(ours.changes[0].version.reference))


async def test_a_conditional_update_may_not_take_an_id_that_is_in_use(store: Store) -> None:
    await stored(store, put(PATIENT))
    other = {**PATIENT, "identifier": [{"system": "urn:mrn", "value": "2"}]}
    entry = {"resource": other, "request": {"method": "PUT", "url": "Patient?identifier=urn:mrn|2"}}

    with pytest.raises(PreconditionFailed, match="id is taken"):
        await plan(store, bundle(entry), BAI_CHAY, NOW)


async def test_links_follow_the_names_of_the_bundle(store: Store) -> None:
    about = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}}
    made = await plan(
        store, bundle(put({**about, "subject": {"reference": "urn:uuid:p"}}), put(PATIENT)), BAI_CHAY, NOW
    )

    assert decode(made.changes[0].version.body)["subject"] == {"reference": "Patient/p"}
    assert made.changes[0].index["patients"] == ["p"]


async def test_a_link_between_entries_of_another_server_follows_too(store: Store) -> None:
    about = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    post = {
        "request": {"method": "POST", "url": "Observation"},
        "resource": {**about, "subject": {"reference": "Patient/7"}},
    }
    patient = {
        "fullUrl": "http://his/fhir/Patient/7",
        "request": {"method": "POST", "url": "Patient"},
        "resource": {"resourceType": "Patient"},
    }

    made = await plan(store, bundle(post, patient), BAI_CHAY, NOW)

    assert made.results[1].version is not None
    expected = {"reference": made.results[1].version.reference}
    assert made.results[0].version is not None
    assert decode(made.results[0].version.body)["subject"] == expected


async def test_an_invalid_resource_is_refused_under_its_entry(store: Store) -> None:
    with pytest.raises(Invalid) as refusal:
        await plan(store, bundle(put(PATIENT), put({**PATIENT, "id": "q", "gender": "x"})), BAI_CHAY, NOW)

    assert [issue.where for issue in refusal.value.issues] == ["Bundle.entry[1].resource.gender"]


async def test_a_name_that_no_entry_has_is_refused(store: Store) -> None:
    with pytest.raises(BadRequest) as refusal:
        await plan(
            store, bundle(put({**PATIENT, "managingOrganization": {"reference": "urn:uuid:nobody"}})), BAI_CHAY, NOW
        )

    assert refusal.value.issues[0].where == "Bundle.entry[0].resource.managingOrganization"


async def test_two_entries_of_one_name_are_refused(store: Store) -> None:
    twin = put({**PATIENT, "id": "q"}) | {"fullUrl": "urn:uuid:p"}

    with pytest.raises(BadRequest, match="same fullUrl"):
        await plan(store, bundle(put(PATIENT), twin), BAI_CHAY, NOW)
