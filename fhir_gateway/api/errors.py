"""The net under every request: whatever fails becomes one Problem, and no content of a record reaches a log.

https://hl7.org/fhir/R4/http.html#Status-Codes
"""

from asyncio import CancelledError
from collections.abc import Awaitable
from types import TracebackType
from typing import TypeVar

import structlog
from starlette.requests import ClientDisconnect

from fhir_gateway.problem import Problem, Unavailable

log = structlog.get_logger("fhir_gateway.faults")

T = TypeVar("T")


async def caught(work: Awaitable[T], request: str) -> T | Problem:
    """The result, or the Problem that prevented it; a fault of ours is logged by its type and place alone."""
    try:
        return await work
    except Problem as problem:
        return problem
    except CancelledError:
        # Only a server that ends gives up a request, when it has waited for it long enough.
        return Unavailable("this gateway is stopping; send it again")
    except ClientDisconnect:
        return Unavailable("the client hung up")
    except Exception as error:  # noqa: BLE001 - the one net of the API
        log.error("fault", request=request, type=type(error).__name__, place=_place(error.__traceback__))
        return Problem(f"a fault of this server; it is logged under the request id {request}")


def _place(traceback: TracebackType | None) -> str:
    """The innermost function, without its values: messages of exceptions may quote a record."""
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}:{traceback.tb_lineno}"
