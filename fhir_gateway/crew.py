"""The further processes of a gateway: started beside the first one, on the same port, and replaced when one dies.

https://man7.org/linux/man-pages/man7/socket.7.html

Each does all that the first does but own the embedded database and the MLLP ports. What only one of them may do at a
time is held in the store. They are told what to serve on standard input, whose end tells them that the first is gone.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from fhir_gateway.problem import Problem

log = structlog.get_logger()
UP = b"up\n"
"""What a worker writes to standard output when it accepts requests."""
START_SECONDS = 60.0
STOP_SECONDS = 10.0
PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0


@asynccontextmanager
async def crew(order: bytes, size: int, bereaved: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """So many workers accept requests while the block is open; ``order`` is one line.

    When one ends, ``bereaved`` cleans up after it before it is replaced.
    One that does not come up in time is no reason to serve nobody: the first process serves, and it is tried on.
    """
    up = [asyncio.Event() for _ in range(size)]
    posts = [asyncio.create_task(_manned(order, event, bereaved)) for event in up]
    try:
        try:
            await asyncio.wait_for(asyncio.gather(*(event.wait() for event in up)), START_SECONDS)
        except TimeoutError:
            log.error("workers do not come up", seconds=START_SECONDS, missing=sum(not event.is_set() for event in up))
        yield
    finally:
        for post in posts:
            post.cancel()
        await asyncio.gather(*posts, return_exceptions=True)


async def _manned(order: bytes, up: asyncio.Event, bereaved: Callable[[], Awaitable[None]]) -> None:
    """One place in the crew, for ever: whoever dies is replaced, at first soon."""
    pause = PAUSE_SECONDS
    while True:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fhir_gateway", "worker", stdin=PIPE, stdout=PIPE
        )
        try:
            if await _begun(worker, order):
                up.set()
                pause = PAUSE_SECONDS
                await worker.wait()
        finally:
            await _dismissed(worker)
        log.warning("a worker ended and is replaced", pid=worker.pid, code=worker.returncode)
        with suppress(Problem):
            await bereaved()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


async def _begun(worker: Process, order: bytes) -> bool:
    """Whether it accepts requests."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        worker.stdin.write(order + b"\n")
        await worker.stdin.drain()
    return await worker.stdout.readline() == UP


async def _dismissed(worker: Process) -> None:
    if worker.returncode is not None:
        return
    with suppress(ProcessLookupError):
        worker.terminate()
    try:
        await asyncio.wait_for(worker.wait(), STOP_SECONDS)
    except TimeoutError:
        worker.kill()
        await worker.wait()
