"""The terminology operations: what was asked, the definitions it is about, the answer.

https://hl7.org/fhir/R4/terminology-service.html

``held`` is the resource of an operation that was asked of one instance.
"""

from datetime import datetime

from anyio import to_thread

from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, NotFound
from fhir_gateway.terminology import codes, compose, expand, translate
from fhir_gateway.terminology.codes import Coded
from fhir_gateway.terminology.context import resolved
from fhir_gateway.terminology.library import Library, builtin_value_set
from fhir_gateway.terminology.selection import NotHeld, Selection
from fhir_gateway.terminology.supplements import ASKED, editions, supplemented
from fhir_gateway.terminology.system import System, read

_CODE = frozenset(
    {"url", "code", "version", "display", "coding", "codeableConcept", "date", "abstract", "displayLanguage", ASKED}
)
SYSTEM_CODE = _CODE | {"codeSystem"}
SET_CODE = (_CODE - {"version"}) | {"valueSet", "valueSetVersion", "system", "systemVersion", "context"}


async def lookup(library: Library, asked: Arguments, held: Resource | None) -> Resource:
    asked.only(codes.LOOKUP)
    code = codes.coded(asked)
    system = await _system(library, held, code.system, code.version)
    system = supplemented(system, await editions(library, asked.texts(ASKED)))
    return codes.lookup(system, code.code, asked.texts("property"), asked.text("displayLanguage") or "")


async def subsumes(library: Library, asked: Arguments, held: Resource | None) -> Resource:
    asked.only(codes.SUBSUMES)
    first, second = codes.coded(asked, "A"), codes.coded(asked, "B")
    if first.system != second.system:
        raise BadRequest("both codes must be of one system", "codingB")
    system = await _system(library, held, first.system, first.version)
    return codes.outcome(codes.subsumption(system, first.code, second.code))


async def validate_in_system(library: Library, asked: Arguments, held: Resource | None) -> Resource:
    asked.only(SYSTEM_CODE)
    wanted = _codes(asked)
    given = asked.element("codeSystem") or held
    url = asked.text("url") or next((code.system for code in wanted if code.system), None)
    version = asked.text("version") or next((code.version for code in wanted if code.version), "")
    try:
        system = await _system(library, given, url, version)
    except NotFound:
        return codes.refused(NotHeld(url or ""))
    system = supplemented(system, await editions(library, asked.texts(ASKED)))
    inside = [Coded(code.system or system.url, code.code, code.display) for code in wanted]
    return codes.validated(codes.whole(system), inside, asked.flag("abstract", True))


async def validate_in_set(library: Library, asked: Arguments, held: Resource | None) -> Resource:
    asked.only(SET_CODE)
    asked = asked if held else await resolved(library, asked)
    selection = await _selection(library, asked, held)
    return codes.validated(selection, _codes(asked), asked.flag("abstract", True))


async def expansion(library: Library, asked: Arguments, held: Resource | None, now: datetime) -> Resource:
    asked.only(expand.KNOWN, expand.LATER)
    asked = asked if held else await resolved(library, asked)
    selection = await _selection(library, asked, held)
    resource = asked.element("valueSet") or held or await _named(library, asked)
    # A large value set takes a tenth of a second, in which others want to be answered.
    return await to_thread.run_sync(expand.expanded, resource, selection, expand.wanted(asked), now)


async def translation(library: Library, asked: Arguments, held: Resource | None) -> Resource:
    asked.only(translate.KNOWN, translate.LATER)
    given = asked.element("conceptMap") or held
    maps = [given] if given else await _maps(library, asked)
    target = asked.text("targetsystem") or ""
    return translate.translated(maps, translate.Wish(tuple(_codes(asked)), target, asked.flag("reverse")))


async def _system(library: Library, held: Resource | None, url: str | None, version: str) -> System:
    """The system of the instance, or the one that is named. Raises NotFound for one that is not held."""
    if held is not None:
        return read(held)
    if not url:
        raise BadRequest("'system' is required", "system")
    system = await library.system(url, version or None)
    if system is None:
        raise NotHeld(url)
    return system


async def _selection(library: Library, asked: Arguments, held: Resource | None) -> Selection:
    given, supplements = asked.element("valueSet") or held, tuple(asked.texts(ASKED))
    if given is not None:
        return await compose.of_resource(library, given, supplements)
    return await compose.value_set(library, asked.needed("url"), asked.text("valueSetVersion"), supplements)


async def _named(library: Library, asked: Arguments) -> Resource:
    url = asked.needed("url")
    edition = await library.find("ValueSet", url, asked.text("valueSetVersion"))
    facts: Resource = {"resourceType": "ValueSet", "url": url, "status": "active"}
    return edition.resource if edition else builtin_value_set(url.partition("|")[0]) or facts


async def _maps(library: Library, asked: Arguments) -> list[Resource]:
    """The map that is named; else all that go from the value set or the system that is named."""
    url = asked.text("url")
    if url is not None:
        edition = await library.find("ConceptMap", url, asked.text("conceptMapVersion"))
        if edition is None:
            raise NotFound("no concept map of this address is known", "url")
        return [edition.resource]
    return await library.maps(asked.text("source"), asked.text("target"), [code.system for code in _codes(asked)])


def _codes(asked: Arguments) -> list[Coded]:
    """The code, or all codings of a concept: one of them right is enough."""
    concept = asked.element("codeableConcept")
    if concept is None:
        return [codes.coded(asked)]
    return [codes.of_coding(coding) for coding in concept.get("coding", ())]
