"""Turns for requests that store or read many bytes, so that they hold up no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from appliance.server.db.session import Database
from appliance.server.errors import Unavailable

_WRITERS = {"sqlite": 1, "postgresql": 4}
_READERS = 4
_MOST_IN_LINE = 32
M = TypeVar("M")
T = TypeVar("T")


class Turns:
    """Few at a time, so that most threads are left for everything else."""

    def __init__(self, number: int) -> None:
        self._limiter = CapacityLimiter(number)

    async def take(self, work: Callable[[M], T], message: Callable[[], M]) -> T:
        """Do the work with the message, which may take long to decode. Raises Unavailable if too many are waiting, each with all of its bytes."""
        if self._limiter.statistics().tasks_waiting >= _MOST_IN_LINE:
            raise Unavailable("Too many large requests are waiting; try again in a moment.")
        return await to_thread.run_sync(lambda: work(message()), limiter=self._limiter)


def body_limit(most: int) -> int:
    """The largest body of a message with so many bytes in base64, and the rest of it."""
    return most * 4 // 3 + 64 * 1024


def writing(database: Database) -> Turns:
    """Turns for storing."""
    return Turns(_WRITERS[database.dialect])


def reading() -> Turns:
    """Turns for reading."""
    return Turns(_READERS)
