"""How a case between two hospitals may move: a table of moves and its only reader.

https://hl7.org/fhir/R4/task.html#statemachine
States are ``Task.status`` codes, so what is stored, searched and sent is the same word.
"""

from collections.abc import Collection
from dataclasses import dataclass

from fhir_gateway.problem import BadRequest, Forbidden, IllegalMove

REQUESTER = "requester"
RECEIVER = "receiver"


@dataclass(frozen=True, slots=True)
class Move:
    """One arrow: who may take it, from where to where, what it must bring, and the businessStatus it leaves."""

    name: str
    origins: tuple[str, ...]
    target: str
    by: str
    needs: tuple[str, ...] = ()
    business: str = ""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A named table of moves; ``start`` is the state a new case has."""

    name: str
    start: str
    moves: tuple[Move, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, the start first, then in the order the table mentions them."""
        mentioned = [self.start, *(s for move in self.moves for s in (*move.origins, move.target))]
        return tuple(dict.fromkeys(mentioned))

    def legal(self, state: str, by: Collection[str]) -> tuple[Move, ...]:
        """The moves open from ``state`` to someone who is ``by`` (requester, receiver or both)."""
        return tuple(move for move in self.moves if state in move.origins and move.by in by)

    def step(self, state: str, name: str, by: Collection[str], brought: Collection[str]) -> Move:
        """The move ``name`` from ``state``. Raises IllegalMove, Forbidden or BadRequest, naming what is legal."""
        named = [move for move in self.moves if move.name == name]
        if not named:
            raise IllegalMove(f"a {self.name} has no move '{name}'; {self._offer(state, by)}", "move")
        possible = [move for move in named if state in move.origins]
        if not possible:
            raise IllegalMove(f"'{name}' is not possible from '{state}'; {self._offer(state, by)}", "Task.status")
        move = possible[0]
        if move.by not in by:
            raise Forbidden(f"'{name}' is the {move.by}'s move; {self._offer(state, by)}", "move")
        missing = [need for need in move.needs if need not in brought]
        if missing:
            raise BadRequest(f"'{name}' must bring: {', '.join(missing)}", missing[0])
        return move

    def _offer(self, state: str, by: Collection[str]) -> str:
        names = [move.name for move in self.legal(state, by)]
        return f"legal now: {', '.join(names)}" if names else f"no move is left for you from '{state}'"

    def diagram(self) -> str:
        """The table as a Mermaid state diagram."""
        ends = [state for state in self.states if not any(state in move.origins for move in self.moves)]
        arrows = [
            f"    {_node(origin)} --> {_node(move.target)}: {move.name} ({move.by})"
            for move in self.moves
            for origin in move.origins
        ]
        return "\n".join(
            ["stateDiagram-v2", f"    [*] --> {_node(self.start)}", *arrows, *(f"    {_node(e)} --> [*]" for e in ends)]
        )


def _node(state: str) -> str:
    return state.replace("-", "_")
