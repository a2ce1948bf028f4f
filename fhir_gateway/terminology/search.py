"""What a search asks of the terminology: the codes of a value set, and those above and below a code.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import BadRequest
from fhir_gateway.search.escape import plain, split
from fhir_gateway.store.port import Records
from fhir_gateway.terminology import compose
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.selection import Selection

Code = tuple[str, str]


class SearchTerms:
    """Answers from what is stored now."""

    def __init__(self, library: Library, store: Records) -> None:
        self._library, self._store = library, store

    async def codes(self, relation: str, wanted: str) -> list[Code]:
        """(system, code) of all that stands in ``relation`` to what is ``wanted``.

        ``in`` takes the address of a value set or ``ValueSet/id``, ``below`` and ``above`` a code as ``system|code``,
        which is itself included.
        Raises NotFound for a value set that nobody knows.
        """
        if relation == "in":
            return await self._members(wanted)
        system, code = _code(relation, wanted)
        known = await self._library.system(system)
        if known is None or known.get(code) is None:
            return [(system, code)]
        if relation == "above":
            return [(system, one) for one in (code, *sorted(known.ancestors(code)))]
        return [(system, one) for one in known.concepts if known.subsumes(code, one)]

    async def _members(self, url: str) -> list[Code]:
        selection = await self._stored(url) if url.startswith("ValueSet/") else None
        if selection is None:
            selection = await compose.value_set(self._library, url)
        return [(member.system, member.concept.code) for member in selection.members()]

    async def _stored(self, reference: str) -> Selection | None:
        version = await self._store.current(reference)
        if version is None or version.deleted:
            return None
        return await compose.of_resource(self._library, decode_resource(version.body))


def _code(relation: str, text: str) -> Code:
    parts = [plain(part) for part in split(text, "|")]
    if len(parts) != 2 or not all(parts):
        raise BadRequest(f"':{relation}' needs system|code")
    return parts[0], parts[1]
