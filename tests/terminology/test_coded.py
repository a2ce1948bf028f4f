"""Codings against held code systems: codes that exist, words that are theirs, supplements that are no systems."""

from typing import Any

import pytest

from fhir_gateway.terminology import coded
from fhir_gateway.terminology.library import Library

pytestmark = pytest.mark.anyio

SYSTEM = "http://example.org/diseases"


async def found(library: Library, **coding: Any) -> list[str]:
    inner = {"resourceType": "Basic", "id": "b", "code": {"coding": [coding]}}
    outer = {"resourceType": "Patient", "contained": [inner]}
    issues = [issue async for issue in coded.faults(library, "Patient", outer)]
    return [str(issue.where).removeprefix("Patient.contained[0].code.coding[0].") for issue in issues]


async def test_a_code_is_one_of_a_system_that_is_held_whole(library: Library, put) -> None:
    assert await found(library, system=SYSTEM, code="A90") == []
    assert await found(library, system=SYSTEM, code="A99") == ["code"]
    assert await found(library, system="http://example.org/other", code="A99") == []


async def test_fhir_has_no_other_codes_in_its_own_systems(library: Library) -> None:
    system = "http://hl7.org/fhir/contract-legalstate"

    assert await found(library, system=system, code="amended", display="Sửa đổi") == []
    assert await found(library, system=system, code="amend") == ["code"]


async def test_a_code_is_called_by_one_of_its_names(library: Library, put) -> None:
    assert await found(library, system=SYSTEM, code="A90", display="dengue  Fever") == []
    assert await found(library, system=SYSTEM, code="A90", display="Malaria") == ["display"]


async def test_a_supplement_is_no_system(library: Library, put) -> None:
    words = {"id": "words", "url": "http://example.org/words", "content": "supplement", "supplements": SYSTEM}
    await put({**words, "resourceType": "CodeSystem", "status": "active"})

    assert await found(library, system="http://example.org/words", code="A90") == ["system"]
