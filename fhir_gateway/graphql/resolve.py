"""How each field of a question is answered: by the same interactions as REST, references of one level together.

https://hl7.org/fhir/R4/graphql.html#searching
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from graphql import GraphQLResolveInfo, get_directive_values

from fhir_gateway.fhir import fhirpath
from fhir_gateway.fhir.reference import parse
from fhir_gateway.fhir.resource import Resource, is_id
from fhir_gateway.graphql import pages
from fhir_gateway.graphql.contained import Leading, opened
from fhir_gateway.problem import BadRequest, Forbidden, NotFound, Problem, TooCostly
from fhir_gateway.records import find, read
from fhir_gateway.records.desk import Author, Desk
from fhir_gateway.records.find import Page
from fhir_gateway.records.journal import Touched, Visit, patients, record
from fhir_gateway.search.registry import parameters
from fhir_gateway.security.access import may
from fhir_gateway.store.port import Version

RECORD_LIMIT = 1000

Info = GraphQLResolveInfo[Any]
Resolve = Callable[..., Awaitable[Any]]


class Session:
    """One question: whose it is, how many records it may still see, which references it waits for."""

    def __init__(self, desk: Desk, visit: Visit) -> None:
        self.desk = desk
        self.visit = visit
        self.suffixes: dict[tuple[str | int, ...], list[str]] = {}
        self._left = RECORD_LIMIT
        self._waiting: dict[str, asyncio.Future[Resource | None]] = {}
        self._queued: list[str] = []
        self._fetching: set[asyncio.Task[None]] = set()

    def spend(self, records: int) -> None:
        """Raises TooCostly when the question has seen too much."""
        self._left -= records
        if self._left < 0:
            raise TooCostly(f"one question may see {RECORD_LIMIT} records")

    async def follow(self, reference: str) -> Resource | None:
        """The record of a reference, None when it is not there for this caller."""
        self.spend(1)
        future = self._waiting.get(reference)
        if future is None:
            future = self._waiting[reference] = asyncio.get_running_loop().create_future()
            self._queued.append(reference)
            if len(self._queued) == 1:
                task = asyncio.create_task(self._fetch())
                self._fetching.add(task)
                task.add_done_callback(self._fetching.discard)
        return await asyncio.shield(future)

    async def _fetch(self) -> None:
        """All references that were asked for in the same turn, in one round trip and one AuditEvent."""
        await asyncio.sleep(0)
        names, self._queued = self._queued, []
        wanted = {name: self._waiting[name] for name in names}
        try:
            there = await self.desk.store.currents(list(wanted))
            seen = {name: version for name, version in there.items() if self._sees(version)}
            about = (*seen, *patients(list(seen.values())))
            await record(self.desk, self.visit, "read", Touched(tuple(dict.fromkeys(about))))
        except Problem as problem:
            for future in wanted.values():
                future.set_exception(problem)
            return
        except BaseException:
            # A fault: told by this task, and nobody waits for ever.
            for future in wanted.values():
                future.cancel()
            raise
        for name, future in wanted.items():
            future.set_result(opened(seen[name]) if name in seen else None)

    def _sees(self, version: Version) -> bool:
        try:
            reader = may(self.visit.caller, "read", version.type).reader
        except Forbidden:
            return False
        return not version.deleted and Author(reader).sees(version)


def reading(type_: str) -> Resolve:
    """``Patient(id: "1")``."""

    async def resolver(_: Any, info: Info, id: str) -> Resource:  # noqa: A002 - the argument's name
        if not is_id(id):
            raise BadRequest("an id has 1 to 64 letters, digits, - and .", "id")
        session: Session = info.context
        session.spend(1)
        return opened(await read.read(session.desk, session.visit, type_, id))

    return resolver


def searching(type_: str) -> Resolve:
    """``PatientList(...)``; inside a resource, ``_reference`` names the parameter that points back to it."""

    async def resolver(source: Any, info: Info, **arguments: Any) -> list[Resource]:
        page = await _searched(type_, source, info.context, arguments)
        found = [opened(version) for version in page.matches]
        _slice(info, found, type_)
        return found

    return resolver


def paging(type_: str) -> Resolve:
    """``PatientConnection(...)``."""

    async def resolver(source: Any, info: Info, **arguments: Any) -> dict[str, Any]:
        offset, arguments["_cursor"] = pages.place(arguments.get("_cursor"))
        page = await _searched(type_, source, info.context, arguments)
        edges = [{"mode": "match", "resource": opened(version)} for version in page.matches]
        return {**pages.facts(page, offset, info.context.desk.cursor_secret), "edges": edges}

    return resolver


async def _searched(type_: str, source: Any, session: Session, arguments: dict[str, Any]) -> Page:
    page = await find.search(session.desk, session.visit, type_, _pairs(type_, source, arguments))
    session.spend(len(page.matches))
    return page


def _pairs(type_: str, source: Any, arguments: dict[str, Any]) -> list[tuple[str, str]]:
    codes = {code.replace("-", "_"): code for code in parameters(type_)}
    pairs: list[tuple[str, str]] = []
    for name, value in arguments.items():
        if name == "_reference":
            pairs.append(_back(type_, str(value), source))
        elif value is not None:
            values = value if isinstance(value, list) else [value]
            pairs += [(codes.get(name, name), str(one)) for one in values if one is not None]
    return pairs


def _back(type_: str, name: str, source: Resource) -> tuple[str, str]:
    """The parameter that points from the searched type to the resource the search stands in."""
    parameter = parameters(type_).get(name) or parameters(type_).get(name.replace("_", "-"))
    if parameter is None or parameter.kind != "reference":
        raise BadRequest(f"'_reference' needs a reference parameter of {type_}", "_reference")
    return parameter.code, f"{source['resourceType']}/{source['id']}"


async def referred(source: Any, info: Info, type: str | None = None, optional: bool = False) -> Any:  # noqa: A002
    """What a Reference leads to; None for one of another type, or with ``optional`` for one that leads nowhere."""
    target = parse(str(source.get("reference", "")))
    if type is not None and target.type and target.type != type:
        return None
    found = source.target if isinstance(source, Leading) else None
    if found is not None and type is not None and found["resourceType"] != type:
        return None
    if target.form == "relative":
        session: Session = info.context
        found = await session.follow(target.reference)
    if found is None and not optional:
        raise NotFound("the reference cannot be resolved", "resource")
    return found


def listed(source: Any, info: Info, **arguments: Any) -> Any:
    """A list of elements, narrowed as asked."""
    items = source.get(info.field_name)
    kind = str(info.return_type).strip("[]!").replace("_", ".")
    if items is not None and arguments:
        items = _narrowed(items, info, kind, arguments)
    if items is not None:
        _slice(info, items, kind)
    return items


def _narrowed(items: list[Any], info: Info, kind: str, arguments: dict[str, Any]) -> list[Any]:
    offset, count = arguments.pop("_offset", None) or 0, arguments.pop("_count", None)
    condition = arguments.pop("fhirpath", None)
    if min(offset, count or 0) < 0:
        raise BadRequest("'_offset' and '_count' are whole numbers from 0", info.field_name)
    kept = [item for item in items if all(_has(item, name, value) for name, value in arguments.items())]
    if condition is not None:
        kept = [item for item in kept if fhirpath.holds(item, kind, condition, "fhirpath")]
    return kept[offset : None if count is None else offset + count]


def _slice(info: Info, items: list[Any], kind: str) -> None:
    """Keep what ``@slice`` calls each item, which the result alone does not tell."""
    directive = info.schema.get_directive("slice")
    asked = get_directive_values(directive, info.field_nodes[0], info.variable_values) if directive else None
    if asked is None:
        return
    path = str(asked["path"])
    suffixes = [str(at) if path == "$index" else _called(item, kind, path) for at, item in enumerate(items)]
    session: Session = info.context
    session.suffixes[tuple(info.path.as_list())] = suffixes


def _called(item: Any, kind: str, path: str) -> str:
    found = fhirpath.evaluate(item, kind, path, "@slice")
    if len(found) != 1 or not isinstance(found[0], str | int | Decimal):
        raise BadRequest("'@slice' needs a path that gives each item one text or number", "path")
    return str(found[0]).lower() if isinstance(found[0], bool) else str(found[0])


def _has(item: Any, name: str, value: Any) -> bool:
    found = item.get(name) if isinstance(item, dict) else None
    return value in found if isinstance(found, list) else bool(found == value)
