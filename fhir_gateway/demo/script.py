"""What the scenes share: the two players, what one scene leaves for the next, and the check each claim must pass."""

import base64
from dataclasses import dataclass, field
from typing import Any

from fhir_gateway.demo.doors import Http
from fhir_gateway.demo.stage import Player


class Unexpected(Exception):  # noqa: N818 - the story's own word
    """A scene did not show what it must."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a scene showed."""

    facts: dict[str, Any]


@dataclass(slots=True)
class Story:
    """The players, and what later scenes need of earlier ones."""

    province: Player
    central: Player
    task: str = ""
    referral_receipt: dict[str, Any] = field(default_factory=dict)
    mother_receipt: dict[str, Any] = field(default_factory=dict)
    newborn_receipt: dict[str, Any] = field(default_factory=dict)

    def patient_of(self, hospital: str, number: str) -> str:
        """The reference of a hospital's patient by its number there."""
        found = self.province.client(hospital).search(f"Patient?identifier=urn:vn:quang-ninh:{hospital}:mrn|{number}")
        expect(len(found) == 1, f"{number} of {hospital} is found", len(found))
        return f"Patient/{found[0]['id']}"

    def document_of(self, client: Http) -> dict[str, Any]:
        """The referral's document Bundle, as that client sees it."""
        document: dict[str, Any] = client.get(f"/fhir/{self._input(client, 'document')}").body
        return document

    def original_of(self, client: Http) -> bytes:
        """The hospital's own file behind the referral, as that client sees it."""
        reference = client.get(f"/fhir/{self._input(client, 'original')}").body
        binary = client.get(f"/fhir/{reference['content'][0]['attachment']['url']}").body
        return base64.b64decode(binary["data"])

    def _input(self, client: Http, kind: str) -> str:
        task = client.get(f"/fhir/Task/{self.task}").body
        rows = [row for row in task["input"] if row["type"]["text"] == kind]
        return str(rows[0]["valueReference"]["reference"])


def expect(holds: Any, claim: str, found: Any) -> None:
    """Raise Unexpected with what was found unless the claim holds."""
    if not holds:
        raise Unexpected(f"{claim}: no, found {found!r}"[:1500])
