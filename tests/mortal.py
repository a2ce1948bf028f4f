"""Programs that die at each moment: before each command to the database leaves, and after each answer came.

Each life is a fork that SIGKILLs itself. What is durable changes by commands alone, so these are all the moments that
a crash can tell apart.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from pymongo import monitoring


class Death(monitoring.CommandListener):
    """Kills this process at the moment ``at``, counted from the time it is armed."""

    def __init__(self) -> None:
        self.at, self.seen, self.armed = 0, 0, False

    def started(self, event: object) -> None:
        if self.armed:
            self.seen += 1
            if self.seen == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    succeeded = started
    failed = started


Live = Callable[[Death, int], Coroutine[Any, Any, None]]


def moments(live: Live) -> int:
    """The first moment that a life is over before; it arms ``death`` where it wants to be killed from."""
    death, moment = Death(), 1
    monitoring.register(death)
    while not _survives(live, death, moment):
        moment += 1
    return moment


def _survives(live: Live, death: Death, moment: int) -> bool:
    child = os.fork()
    if child == 0:
        death.at = moment
        asyncio.run(live(death, moment))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, f"the life of moment {moment} ended with {status}"
    return True
