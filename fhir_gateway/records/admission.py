"""A say in what is written by rooms that keep something beside the records: before it is planned, and in its commit.

https://hl7.org/fhir/R4/http.html#create
"""

from collections.abc import Sequence
from typing import Protocol

from fhir_gateway.records.step import Step
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Change, Note


class Admission(Protocol):
    """``admitted`` may refuse steps or alter them, once they are valid R4; ``notes`` go into their commit."""

    def admitted(self, steps: Sequence[Step]) -> Sequence[Step]: ...

    def notes(self, caller: Caller, changes: Sequence[Change]) -> tuple[Note, ...]: ...


class Open:
    """Everything may pass, and nothing is noted."""

    def admitted(self, steps: Sequence[Step]) -> Sequence[Step]:
        return steps

    def notes(self, caller: Caller, changes: Sequence[Change]) -> tuple[Note, ...]:
        return ()


OPEN = Open()
