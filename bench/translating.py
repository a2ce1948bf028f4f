"""Translation alone: how many messages a second one core turns into FHIR, no database, no network."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from time import perf_counter
from typing import Any

from adapters.contract import Hospital, Message
from bench.figures import per_second
from bench.messages import KINDS, Kind
from fhir_gateway.app import adapters, directory
from fhir_gateway.exchange.translation import choose, translate
from fhir_gateway.serving import settle
from fhir_gateway.settings import Settings

DIFFERENT = 32


def measure(seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """For each kind of message: the adapter by itself, and with the R4 gate behind it as the worker runs it."""
    known = directory(Settings())
    found = {}
    with _settled():
        for kind in KINDS:
            tell(f"translate {kind.name}")
            messages = _messages(kind, known.hospital(kind.hospital))
            found[kind.name] = _figures(messages, seconds)
    return found


@contextmanager
def _settled() -> Iterator[None]:
    """The collector as in a gateway that serves: it does not walk what was loaded again and again."""
    before = gc.get_threshold()
    settle()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _messages(kind: Kind, hospital: Hospital) -> list[Message]:
    bodies = [kind.make(number) for number in range(DIFFERENT)]
    return [Message(hospital, kind.media_type, body, datetime.now(UTC)) for body in bodies]


def _figures(messages: list[Message], seconds: float) -> dict[str, Any]:
    shipped = adapters()
    adapter = choose(shipped, messages[0])[1]
    done = translate(shipped, messages[0])
    assert done.translation is not None
    assert not done.faults
    return {
        "adapter_per_second": _rate(adapter.translate, messages, seconds / 2),
        "with_validation_per_second": _rate(lambda message: translate(shipped, message), messages, seconds / 2),
        "bytes": len(messages[0].body),
        "fields": done.counts["fields"],
        "resources": len(done.translation.bundle["entry"]),
    }


def _rate(work: Callable[[Message], Any], messages: list[Message], seconds: float) -> float:
    for message in messages[:4]:
        work(message)
    started = perf_counter()
    for place in count(1):
        work(messages[place % len(messages)])
        taken = perf_counter() - started
        if taken >= seconds:
            break
    return per_second(place, taken)
