"""Requests of a run's own process that wait while the server can't be reached: over a connection of their own, so that they hold up no reports."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, TypeVar

from appliance.client.errors import Outage, ServerFault, TooManyRequests, Unavailable
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.kit.backoff import delays

PATIENCE = 15 * 60.0
"""Seconds."""
PASSING = (Outage, TooManyRequests, ServerFault, Unavailable)
"""Errors that may be over in a moment."""
T = TypeVar("T")


class Stopping(Protocol):
    """Whether the run must stop, and why."""

    @property
    def reason(self) -> str | None: ...

    def wait(self, seconds: float) -> None: ...


class PatientLine:
    """A connection that is opened when it is first needed."""

    def __init__(self, url: str, token: str, stopping: Stopping) -> None:
        self._address, self._stopping = (url, token), stopping
        self._opened: tuple[int, Transport] | None = None

    def ask(self, ask: Callable[[Transport], T]) -> T:
        """Ask until there is an answer, or the run must stop. Raises ClientError."""
        deadline, pauses = clock.monotonic() + PATIENCE, delays(0.1, 5.0)
        while True:
            try:
                return ask(self._transport())
            except PASSING:
                if self._stopping.reason is not None or clock.monotonic() > deadline:
                    raise
                self._stopping.wait(next(pauses))

    def _transport(self) -> Transport:
        """A process that a task forked must not use its parent's connections."""
        opened, pid = self._opened, os.getpid()
        if opened is None or opened[0] != pid:
            opened = self._opened = pid, Transport(*self._address, tries=1)
        return opened[1]
