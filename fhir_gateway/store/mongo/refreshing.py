"""New search keys for records and pages that an earlier version of the code wrote.

https://hl7.org/fhir/R4/search.html#table
"""

from collections.abc import Sequence

from pymongo import UpdateMany, UpdateOne

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.search.extract import FIELDS, index
from fhir_gateway.security.secrecy import is_secret
from fhir_gateway.store import pages
from fhir_gateway.store.ladder import ranged, rung
from fhir_gateway.store.mongo.connection import Collection, Document
from fhir_gateway.store.typed import typed, with_type

Statements = list[UpdateOne | UpdateMany]

_FIELDS = {"body": 1, "version": 1, "deleted": 1, "updated": 1, "events": 1}


async def refreshed(home: Collection, ids: Sequence[str]) -> Statements:
    """What gives these the keys that this version looks for; whoever writes another version gives it new keys."""
    batch = [document async for document in home.find({"_id": {"$in": list(ids)}}, _FIELDS)]
    fields = {one["_id"]: _fields(one) for one in batch if one.get("body") and not one.get("deleted")}
    if secret := [name for name, made in fields.items() if "secret" in made]:
        await home.database.versions.update_many({"of": {"$in": secret}}, {"$set": {"secret": True}})
    changes: Statements = [
        _change(document, fields[document["_id"]]) for document in batch if document["_id"] in fields
    ]
    return changes + [_page_change(document) for document in batch if "events" in document]


async def cleared(_: Collection, ids: Sequence[str]) -> Statements:
    """What takes the keys from these but those of rungs, by which the way through the records is found."""
    rungs = {reference: typed(reference.partition("/")[0], key) for reference in ids if (key := rung(reference))}
    plain = [reference for reference in ids if reference not in rungs]
    changes: Statements = [UpdateOne({"_id": name}, {"$set": {"keys": [key]}}) for name, key in rungs.items()]
    return [*changes, UpdateMany({"_id": {"$in": plain}}, {"$set": {"keys": []}})]


def _fields(document: Document) -> Document:
    resource = decode_resource(document["body"])
    return ranged(document["_id"], index(resource)) | ({"secret": True} if is_secret(resource) else {})


def _change(document: Document, fields: Document) -> UpdateOne:
    change = {"$set": fields} | ({"$unset": gone} if (gone := {f: "" for f in FIELDS if f not in fields}) else {})
    return UpdateOne({"_id": document["_id"], "version": document.get("version")}, change)


def _page_change(page: Document) -> UpdateOne:
    """The same for a page of the audit trail."""
    events = [
        with_type("AuditEvent", index(decode_resource(event["body"])))
        | {name: event[name] for name in ("_id", "id", "body")}
        for event in page["events"]
    ]
    made = pages.folded(page["updated"], events)
    return UpdateOne({"_id": page["_id"]}, {"$set": {name: made[name] for name in ("keys", "common", "events")}})
