"""Looking at one record: its newest version, or an older one.

https://hl7.org/fhir/R4/http.html#read

What a caller may not see looks like what is not there.
"""

from fhir_gateway.problem import Gone, NotFound
from fhir_gateway.records.desk import Author, Desk
from fhir_gateway.records.journal import Touched, Visit, patients, record
from fhir_gateway.security.access import may
from fhir_gateway.store.port import Version


async def read(desk: Desk, visit: Visit, type_: str, identity: str) -> Version:
    """The newest version. Raises Gone when it is deleted, NotFound when there is none for this caller."""
    version = await visible(desk, visit, "read", f"{type_}/{identity}")
    if version.deleted:
        raise Gone("the resource was deleted", f"{type_}.id")
    await record(desk, visit, "read", Touched((version.reference, *patients([version]))))
    return version


async def vread(desk: Desk, visit: Visit, reference: str, number: int) -> Version:
    """One version, which Gone says is the deletion."""
    newest = await visible(desk, visit, "vread", reference)
    version = newest if newest.number == number else await desk.store.version(reference, number)
    if version is None:
        raise NotFound("the resource has no such version", "Resource.meta.versionId")
    if version.deleted:
        raise Gone("this version is the deletion", "Resource.meta.versionId")
    await record(desk, visit, "vread", Touched((f"{reference}/_history/{number}", *patients([version]))))
    return version


async def visible(desk: Desk, visit: Visit, interaction: str, reference: str) -> Version:
    """The newest version, deleted or not. Raises NotFound when there is none for this caller."""
    type_ = reference.partition("/")[0]
    access = may(visit.caller, interaction, type_)
    version = await desk.store.current(reference)
    if version is None or not Author(access.reader).sees(version):
        raise NotFound("there is no such resource", f"{type_}.id")
    return version
