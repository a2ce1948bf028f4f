"""What a search asks of the terminology: the codes of a value set, and those above and below a code.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.escape import plain, split
from fhir_gateway.terminology import compose
from fhir_gateway.terminology.library import Library

Code = tuple[str, str]


class SearchTerms:
    """Answers from what is stored now."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def codes(self, relation: str, wanted: str) -> list[Code]:
        """(system, code) of all that stands in ``relation`` to what is ``wanted``.

        ``in`` takes the address of a value set, ``below`` and ``above`` a code as ``system|code``, itself included.
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
        selection = await compose.value_set(self._library, url)
        return [(member.system, member.concept.code) for member in selection.members()]


def _code(relation: str, text: str) -> Code:
    parts = [plain(part) for part in split(text, "|")]
    if len(parts) != 2 or not all(parts):
        raise BadRequest(f"':{relation}' needs system|code")
    return parts[0], parts[1]
