"""How the gateway logs: one line an event, with ids and never with content."""

import logging
import sys
from contextlib import suppress
from typing import IO, Any, BinaryIO, TextIO, cast

import orjson
import structlog


def configure(form: str, level: str) -> None:
    """JSON lines or readable text on standard error, from ``level`` up."""
    # A line for every request: the standard library's JSON and a flush through text cost 30 µs of it.
    is_json = form == "json"
    renderer = structlog.processors.JSONRenderer(_line) if is_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping().get(level.upper(), 20)),
        logger_factory=(
            structlog.BytesLoggerFactory(cast(BinaryIO, Enduring(sys.stderr.buffer)))
            if is_json
            else structlog.PrintLoggerFactory(cast(TextIO, Enduring(sys.stderr)))
        ),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Libraries)]:
        root.removeHandler(handler)
    root.addHandler(_Libraries())


class Enduring:
    """A stream for logs: what it cannot take is lost, and whoever logged goes on.

    A log often lies on the disk that is full, and then every line raised in the midst of the work it told of.
    """

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def write(self, line: Any) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Libraries(logging.Handler):
    """What libraries have to say, in the same form: one line, without a traceback, whose values may be of a record."""

    def emit(self, record: logging.LogRecord) -> None:
        said, _, _ = record.getMessage().partition("\n")
        fault = record.exc_info[0] if record.exc_info else None
        told = {"type": fault.__name__} if fault is not None else {}
        structlog.get_logger("libraries").log(record.levelno, said, logger=record.name, **told)


def _line(event: dict[str, object], **rest: object) -> bytes:
    """What JSON does not know is told by its text."""
    return orjson.dumps(event, default=str)
