"""Which mapping function took which source field: a translation run once more, and watched.

Nothing is written down while messages are translated; who asks where an element came from pays for the answer.
"""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from adapters.contract import Account, Adapter, Message, Translation
from adapters.tally import Row

#: Modules that carry a field from the message to the function that maps it.
CARRIERS = frozenset({"contract", "tally", "read", "records", "chart", "episode", "rows", "line"})
_HERE = Path(__file__).parent

Rules = dict[tuple[str, str], str]


def watched(adapter: Adapter, message: Message) -> tuple[Translation, Rules]:
    """The translation, and for each (place, target) the function that made it. Raises what the adapter raises."""
    rules: Rules = {}
    of_line, of_row = Account.take.__code__, Row.take.__code__

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or frame.f_code not in (of_line, of_row):
            return
        taker, local = frame.f_locals["self"], frame.f_locals
        place = taker.place_of(local["name"]) if frame.f_code is of_row else taker.place
        rules.setdefault((place, local["target"]), _rule(frame.f_back))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        return adapter.translate(message), rules
    finally:
        sys.setprofile(before)


def _rule(frame: FrameType | None) -> str:
    """``hl7v2.map_patient.patient``; with what reads the datatype behind it, where that is another module's."""
    inner = outer = ""
    while frame is not None and not outer:
        module = _module(frame.f_code.co_filename)
        name = f"{module}.{frame.f_code.co_qualname.partition('.<')[0]}"
        if module and module.rpartition(".")[2] not in CARRIERS:
            inner = inner or name
            outer = name if module.rpartition(".")[2].startswith("map") else ""
        frame = frame.f_back
    return f"{outer} > {inner}" if outer and outer != inner else inner


def _module(file: str) -> str:
    """The module's name below ``adapters``; empty outside of it."""
    path = Path(file)
    return ".".join(path.relative_to(_HERE).with_suffix("").parts) if path.is_relative_to(_HERE) else ""
