"""Removes the containers or jobs that are not needed any more, in a thread of its own: whatever the place does, the agent goes on."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping

from appliance.kit import clock
from appliance.kit.backoff import delays
from appliance.kit.places import PlaceAway, PlaceRefused
from appliance.protocol.agents import Held

CLOSE_SECONDS = 1.0
"""How long a stopping agent waits for what is left to remove."""
_logger = logging.getLogger("appliance.agent")


class Removals:
    """A queue. What can't be removed now is removed as soon as the place answers, or after the agent's next start."""

    def __init__(self, remove: Callable[[str], None]) -> None:
        """`remove` removes what has this id, if it is there. It raises PlaceAway or PlaceRefused."""
        self._remove = remove
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None: the agent stops
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="appliance-removals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, id: str) -> None:
        self._queue.put(id)

    def close(self) -> None:
        self._closing.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        while (id := self._queue.get()) is not None:
            self._remove_patiently(id)

    def _remove_patiently(self, id: str) -> None:
        pauses, is_first = delays(0.5, 15.0), True
        while True:
            try:
                return self._remove(id)
            except (PlaceAway, PlaceRefused) as error:
                if is_first:
                    _logger.warning("%s is still there: %s", id, error)
                is_first = False
                if isinstance(error, PlaceRefused) and not error.passes:
                    return
            if self._closing.wait(next(pauses)):
                return


class Unstarted:
    """What was created under an agent's name and never started, by an agent that has died and left no records, or by another of the name that is about
    to start it. It is removed once the server has given its attempt up, or nobody can be about to start it any more."""

    def __init__(
        self,
        attempts: Mapping[str, Held],
        never_started: Callable[[str], bool],
        remove: Callable[[str], None],
        given_up: Callable[[list[Held]], list[Held]],
        longest: float,
    ) -> None:
        """`attempts` by their ids in the place; `longest`: the seconds in which a start happens, or does not. `given_up` asks the server."""
        self._left = dict(attempts)
        self._never_started, self._remove, self._given_up = never_started, remove, given_up
        self._deadline = clock.monotonic() + longest

    def remove(self, closing: threading.Event) -> None:
        """Return when nothing is left, or the agent is closing. Raises PlaceAway or PlaceRefused; call it again then."""
        pauses = delays(0.5, 15.0)
        while self._left and not closing.is_set():
            attempts = list(self._left.values())
            over = attempts if clock.monotonic() >= self._deadline else self._given_up(attempts)
            for id in [id for id, attempt in self._left.items() if attempt in over]:
                if self._never_started(id):
                    _logger.info("%s was never started; it is removed.", id)
                    self._remove(id)
                del self._left[id]
            if self._left:
                closing.wait(next(pauses))
