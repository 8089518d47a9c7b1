"""Sends what a run does to the server, in the background: numbered batches, spooled while the server is away, replayed in order.

The threads of the run only append tuples to a queue; the reporter's own thread turns them into events, numbers and sends them.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from appliance.client.errors import (
    BadAnswer,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    SequenceGap,
    ServerFault,
    StaleAttempt,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from appliance.core.states import Finished, Scheduled, State
from appliance.engine.tracked import events
from appliance.engine.tracked.heartbeat import Heartbeat
from appliance.engine.tracked.spool import Spool
from appliance.kit import clock, crash
from appliance.kit.backoff import delays
from appliance.protocol.run_protocol import Event, Reported

FLUSH_AFTER = 0.05
BATCH_EVENTS = 500
BATCH_CHARACTERS = 1_000_000
MOST_QUEUED = 20_000
MOST_BATCHES = 20
LONGEST_PAUSE = 2.0
_LOOK = 0.2

_AWAY = (Unreachable, Unavailable, TooManyRequests, ServerFault, BadAnswer, Conflict)  # Conflict: somebody was faster
_DEAD = (StaleAttempt, SequenceGap, Unauthenticated, Forbidden, NotFound)
_logger = logging.getLogger("appliance.reporter")

Send = Callable[[bytes], Reported]


class Reporter:
    """One per attempt. `on_cancel` and `on_dead` are called once, in the reporter's thread."""

    def __init__(
        self,
        send: Send,
        attempt: int,
        spool: Path,
        *,
        last_seq: int = 0,
        heartbeat_interval: float = 10.0,
        limited_tags: Iterable[str] = (),
        on_cancel: Callable[[], None],
        on_dead: Callable[[str], None],
    ) -> None:
        self._send = send
        self._attempt = attempt
        self.limited_tags = frozenset(limited_tags)
        """The task tags that have a limit, as the server's last answer says."""
        self._seq = self._acked = last_seq
        self._queue: deque[events.Item] = deque()
        self._asking: deque[threading.Event] = deque()  # whoever waits for an acknowledgement
        self._asked: deque[tuple[int, threading.Event]] = deque()  # ... and of which batch
        self._spool = Spool(spool)
        self._heartbeat = Heartbeat(heartbeat_interval, clock.monotonic())
        self._on_cancel, self._on_dead = on_cancel, on_dead
        self._wake = threading.Event()  # there is something to do
        self._full = threading.Event()  # ... and no reason to wait for more
        self._idle = False
        self._pauses = delays(0.1, LONGEST_PAUSE)
        self._retry_at = 0.0
        self._cancelled = self._dead = self._closing = self._sealed = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="appliance-reporter", daemon=True)

    # --- what the run's threads call

    def task_state(
        self,
        slug: str,
        map_index: int,
        state: State,
        run_count: int,
        task_run_name: str | None = None,
        freed: bool = False,
    ) -> None:
        """A task run reached a state; `freed`: others wait for the slots that it gives back with it."""
        self._put((slug, map_index, state, clock.now(), run_count, task_run_name, freed))
        if freed:
            self._full.set()

    def flow_state(self, state: State) -> None:
        """The flow run reached a state; after one that ends the attempt nothing more is taken, for the server would refuse it."""
        self._put((state, clock.now()))
        self._sealed = isinstance(state, Finished | Scheduled)

    def log(self, at: datetime, level: int, logger: str, message: str, slug: str | None, map_index: int) -> None:
        """A log line was written."""
        self._put((at, level, logger, message, slug, map_index))

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def settle(self, timeout: float, stop: Callable[[], bool]) -> bool:
        """Send at once all that this thread has put, and wait until the server has acknowledged it, for up to `timeout` seconds or
        until `stop` says so. True when it has."""
        known = threading.Event()
        self._asking.append(known)
        self._full.set()
        self._wake.set()
        until = clock.monotonic() + timeout
        while not known.wait(max(0.0, min(_LOOK, until - clock.monotonic()))):
            if stop() or self._done.is_set() or clock.monotonic() >= until:
                return False
        return True

    def close(self, timeout: float) -> bool:
        """Send all that is left, trying for up to `timeout` seconds; True when the server has acknowledged everything."""
        self._closing = True
        self._full.set()
        self._wake.set()
        return self._done.wait(timeout) and not self._dead

    def _put(self, item: events.Item) -> None:
        if self._sealed:
            return
        self._queue.append(item)
        if self._idle:
            self._wake.set()
        elif len(self._queue) >= BATCH_EVENTS:
            self._full.set()
            while (
                len(self._queue) > MOST_QUEUED
                and not self._done.is_set()
                and threading.current_thread() is not self._thread
            ):
                self._done.wait(0.01)  # the run writes faster than a disk takes it: memory stays bounded

    # --- the reporter's thread

    def _work(self) -> None:
        try:
            while not self._dead and not (self._closing and not self._queue and not len(self._spool)):
                self._await_events()
                self._number()
                self._deliver()
                self._tell_acknowledged()
        except Exception as error:
            _logger.exception("The reporter of this run failed.")
            self._die(f"the reporter failed: {error}")
        finally:
            self._done.set()

    def _await_events(self) -> None:
        """Wait for events and a little longer for company, or until a heartbeat or another try is due."""
        now = clock.monotonic()
        waiting = len(self._spool) > 0
        pause = max(0.0 if waiting else self._heartbeat.due_in(now), self._retry_at - now)
        if waiting:
            self._full.wait(pause)
        else:
            self._idle = True
            if not self._queue and not self._asking and not self._closing:
                self._wake.wait(pause)
            self._idle = False
            self._wake.clear()
            if self._queue and not self._closing:
                self._full.wait(FLUSH_AFTER)
        self._full.clear()

    def _number(self) -> None:
        """Cut what is queued into numbered batches; a batch never changes afterwards."""
        queue = self._queue
        asking = len(self._asking)  # what they have put is in the queue by now
        for _ in range(MOST_BATCHES):  # a run that writes without pause must not keep us from sending
            if not queue:
                self._asked.extend((self._seq, self._asking.popleft()) for _ in range(asking))
                return
            batch: list[Event] = []
            size = 0
            while queue and len(batch) < BATCH_EVENTS and size < BATCH_CHARACTERS:
                event = events.event(queue.popleft())
                size += events.weight(event)
                batch.append(event)
            self._seq += 1
            self._spool.append(events.encode(self._attempt, self._seq, batch))
            crash.point("runner.state.numbered")

    def _deliver(self) -> None:
        """Send what is numbered, in order, or a heartbeat, until it is all out or the server is away."""
        if clock.monotonic() < self._retry_at:
            return
        if not len(self._spool):
            if self._heartbeat.due_in(clock.monotonic()) <= 0:
                self._try(events.encode(self._attempt, self._acked, []))
            return
        repaired = False
        while len(self._spool) and not self._dead:
            outcome = self._try(self._spool.first())
            if outcome == "sent":
                crash.point("runner.state.sent")
                self._spool.drop_first()
                repaired = False
            elif outcome == "invalid" and not repaired:
                self._spool.replace_first(events.bare(self._spool.first()))
                repaired = True
            elif outcome == "invalid":
                self._die("the server refuses its reports as invalid")
            else:
                self._spool.to_disk()
                crash.point("runner.state.spooled")
                return

    def _try(self, report: bytes) -> str:
        """One request: "sent", "away", "invalid" or "dead"."""
        try:
            answer = self._send(report)
        except _DEAD as error:
            self._die(str(error))
            return "dead"
        except _AWAY as error:
            if not self._retry_at:
                _logger.warning("Reports wait on this machine: %s", error)
            self._retry_at = clock.monotonic() + next(self._pauses)
            return "away"
        except (Invalid, Refused) as error:
            _logger.error("The server refused a report: %s", error)
            return "invalid"
        self._acked = max(self._acked, answer.acked)
        self.limited_tags = frozenset(answer.limited_tags)
        self._heartbeat.sent(clock.monotonic())
        self._retry_at, self._pauses = 0.0, delays(0.1, LONGEST_PAUSE)
        if answer.cancel and not self._cancelled:
            self._cancelled = True
            self._on_cancel()
        return "sent"

    def _tell_acknowledged(self) -> None:
        while self._asked and (self._asked[0][0] <= self._acked or self._dead):
            self._asked.popleft()[1].set()

    def _die(self, reason: str) -> None:
        if not self._dead:
            self._dead = True
            self._on_dead(reason)
