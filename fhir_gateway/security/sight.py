"""How far a party sees: all there is, its own and what was granted it, or everything but what is secret to others.

https://hl7.org/fhir/R4/security-labels.html#break-the-glass
"""

from dataclasses import dataclass

EVERY_PATIENT = "*"


@dataclass(frozen=True, slots=True)
class Outsider:
    """Sees every hospital's records, but of the secret ones only those of its ``organization`` or granted to it.

    An empty ``organization`` is that of records without an owner, None is nobody's. ``patients`` are the ids of those
    for whom the glass is broken: their secret records are seen too.
    """

    organization: str | None
    patients: tuple[str, ...] = ()


Reader = str | Outsider | None
"""A party that sees its own and what was granted it, somebody who sees all but secrets, or (None) no confinement."""
