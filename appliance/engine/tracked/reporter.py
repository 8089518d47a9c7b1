"""Reports a run's progress to the server in the background: in numbered batches, spooled while the server can't be reached.

The threads of the run only append tuples to a queue. The reporter's own thread turns them into events, numbers them and sends them in order.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from appliance.client.errors import (
    ClientError,
    Forbidden,
    Invalid,
    NotFound,
    SequenceGap,
    StaleAttempt,
    Unauthenticated,
)
from appliance.core.states import Finished, Scheduled, State
from appliance.engine.results.run_packs import RunPacks
from appliance.engine.tracked import events
from appliance.engine.tracked.heartbeat import Heartbeat
from appliance.engine.tracked.spool import Spool
from appliance.kit import clock, crash
from appliance.kit.backoff import delays
from appliance.protocol.run_protocol import Event, Reported

FLUSH_AFTER = 0.05
GATHER = 0.005
"""Seconds in which as many threads as waited for the last report may join the next one: tasks that start together often end together."""
BATCH_EVENTS = 500
BATCH_CHARACTERS = 100_000
BATCH_BYTES = 128 * 1024
"""Many proxies take requests of up to 1 MB; over a line of 10 KB/s, which others may share, one of these takes 13 seconds."""
MOST_QUEUED = 20_000
MOST_BATCHES = 20
LONGEST_PAUSE = 2.0
TRIES_AS_A_WHOLE = 3
"""How often a proxy may find a report too large before its texts are cut: once may be a whim of an outage."""
_LOOK = 0.2

_DEAD = (StaleAttempt, SequenceGap, Unauthenticated, Forbidden, NotFound)
_logger = logging.getLogger("appliance.reporter")

Send = Callable[[bytes], Reported]


class Reporter:
    """One per attempt. `on_cancel` and `on_dead` are called once, with the reason, in the reporter's thread."""

    def __init__(
        self,
        send: Send,
        attempt: int,
        spool: Path,
        *,
        last_seq: int = 0,
        heartbeat_interval: float = 10.0,
        limited_tags: Iterable[str] = (),
        on_cancel: Callable[[str], None],
        on_dead: Callable[[str], None],
    ) -> None:
        self._send = send
        self.attempt = attempt
        self.packs: RunPacks | None = None
        """If set, results are in them, and are made durable before they are reported."""
        self.limited_tags = frozenset(limited_tags)
        """The task tags that have a limit, according to the server's last response."""
        self._seq = self._acked = last_seq
        self._queue: deque[events.Item] = deque()
        self._waiters: deque[threading.Event] = deque()  # threads that wait for an acknowledgement
        self._numbered: deque[tuple[int, threading.Event]] = deque()  # ... and the batch that they wait for
        self._together = 0  # how many threads waited when the last report was acknowledged, for it or for the next one
        self._spool = Spool(spool)
        self._heartbeat = Heartbeat(heartbeat_interval, clock.monotonic())
        self._on_cancel, self._on_dead = on_cancel, on_dead
        self._wake = threading.Event()  # there is something to do
        self._full = threading.Event()  # ... and no reason to wait for more
        self._gathered = threading.Event()  # as many threads wait as did last time
        self._idle = False
        self._pauses = delays(0.1, LONGEST_PAUSE)
        self._retry_at = 0.0
        self._too_large = 0
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
        """Report a task run's state. `freed` says that it releases slots that others wait for."""
        self._put((slug, map_index, state, clock.now(), run_count, task_run_name, freed))
        if freed:
            self._full.set()

    def flow_state(self, state: State) -> None:
        """Report the flow run's state. After one that ends the attempt, nothing more is accepted, because the server would reject it."""
        self._put((state, clock.now()))
        self._sealed = isinstance(state, Finished | Scheduled)

    def log(self, at: datetime, level: int, logger: str, message: str, slug: str | None, map_index: int) -> None:
        """Report a log line. The reporter's own would never end, because each report could write another one."""
        if threading.current_thread() is not self._thread:
            self._put((at, level, logger, message, slug, map_index))

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def settle(self, timeout: float, stop: Callable[[], bool]) -> bool:
        """Send everything that this thread has reported at once, and wait until the server has acknowledged it, for up to `timeout`
        seconds or until `stop` returns True. Returns whether it has."""
        acknowledged = threading.Event()
        self._waiters.append(acknowledged)
        waiters = len(self._waiters)
        if last := waiters >= self._together:
            if self.packs is not None:
                self.packs.sync_files()  # for all of them; here, since this thread has nothing else to do
            self._gathered.set()
        if last or waiters == 1:  # the others need not wake the reporter
            self._full.set()
            self._wake.set()
        until = clock.monotonic() + timeout
        while not acknowledged.wait(max(0.0, min(_LOOK, until - clock.monotonic()))):
            if stop() or self._done.is_set() or clock.monotonic() >= until:
                return False
        return True

    def close(self, timeout: float) -> bool:
        """Send everything that is left, for up to `timeout` seconds. Returns whether the server has acknowledged all of it."""
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
            if not self._full.is_set():  # setting it again costs ten times as much
                self._full.set()
            while (
                len(self._queue) > MOST_QUEUED
                and not self._done.is_set()
                and threading.current_thread() is not self._thread
            ):
                self._done.wait(0.01)  # the run reports faster than the disk can store: keep memory bounded

    # --- the reporter's thread

    def _work(self) -> None:
        try:
            while not self._dead and not (self._closing and not self._queue and not len(self._spool)):
                self._await_events()
                self._number()
                self._deliver()
                self._wake_waiters()
        except Exception as error:
            _logger.exception("The reporter of this run failed.")
            self._die(f"the reporter failed: {error}")
        finally:
            self._done.set()

    def _await_events(self) -> None:
        """Wait for events, and a little longer for more of them, or until a heartbeat or a retry is due."""
        now = clock.monotonic()
        waiting = len(self._spool) > 0
        pause = max(0.0 if waiting else self._heartbeat.due_in(now), self._retry_at - now)
        if waiting:
            self._full.wait(pause)
        else:
            self._idle = True
            if not self._queue and not self._waiters and not self._closing:
                self._wake.wait(pause)
            self._idle = False
            self._wake.clear()
            if self._queue and not self._waiters and not self._closing:
                self._full.wait(FLUSH_AFTER)
        self._full.clear()
        if self._waiters:
            self._gather()

    def _gather(self) -> None:
        """Let the threads that waited together share a report again, instead of one for the first and another for the rest."""
        self._gathered.clear()
        if len(self._waiters) < self._together and not self._closing:
            self._gathered.wait(GATHER)

    def _number(self) -> None:
        """Divide the queue into numbered batches. A batch never changes afterwards."""
        queue = self._queue
        waiters = len(self._waiters)  # everything they wait for is in the queue by now
        left = len(queue)
        self._make_results_durable()
        for _ in range(MOST_BATCHES):  # a run that reports without pause must not block sending
            if not left:
                self._numbered.extend((self._seq, self._waiters.popleft()) for _ in range(waiters))
                return
            batch: list[Event] = []
            size = 0
            while left and len(batch) < BATCH_EVENTS and size < BATCH_CHARACTERS:
                event = events.event(queue.popleft())
                size += events.weight(event)
                batch.append(event)
                left -= 1
            self._number_batch(self._without_lost(batch))

    def _make_results_durable(self) -> None:
        """Sync the results of everything that is in the queue."""
        if self.packs is None:
            return
        done = self.packs.sync_elsewhere()
        while not done.wait(max(_LOOK, min(self._heartbeat.due_in(clock.monotonic()), LONGEST_PAUSE))):
            self._deliver()  # above all heartbeats: a run that waits for its store is alive

    def _without_lost(self, batch: list[Event]) -> list[Event]:
        if self.packs is None or not self.packs.lost.locations:
            return batch
        return [events.without_lost(event, self.packs.lost) for event in batch]

    def _number_batch(self, batch: list[Event]) -> None:
        """Number the batch as a whole, or in halves if it is too large for one request."""
        report = events.encode(self.attempt, self._seq + 1, batch)
        if len(report) > BATCH_BYTES and len(batch) > 1:
            half = len(batch) // 2
            self._number_batch(batch[:half])
            self._number_batch(batch[half:])
            return
        self._seq += 1
        self._spool.append(report)
        crash.point("runner.state.numbered")

    def _deliver(self) -> None:
        """Send the numbered batches in order, or a heartbeat, until all are sent or the server can't be reached."""
        if clock.monotonic() < self._retry_at:
            return
        if not len(self._spool):
            if self._heartbeat.due_in(clock.monotonic()) <= 0:
                self._try(events.encode(self.attempt, self._acked, []))
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
            elif outcome == "too large":
                self._spool.replace_first(events.cut(self._spool.first()))
            elif outcome == "invalid":
                self._die("the server rejects its reports as invalid")
            else:
                self._spool.to_disk()
                crash.point("runner.state.spooled")
                return

    def _try(self, report: bytes) -> str:
        """One request: "sent", "away", "invalid", "too large" or "dead"."""
        try:
            answer = self._send(report)
        except _DEAD as error:
            self._die(str(error))
            return "dead"
        except Invalid as error:
            _logger.error("The server rejected a report: %s", error)
            return "invalid"
        except (
            ClientError
        ) as error:  # the server could not be asked, or not in this moment, or something on the way changes requests
            self._too_large = self._too_large + 1 if events.is_too_large(error, report) else 0
            if self._too_large >= TRIES_AS_A_WHOLE:
                self._too_large = 0
                return "too large"
            if not self._retry_at:
                _logger.warning("Can't send reports to the server; keeping them on this machine: %s", error)
            self._retry_at = clock.monotonic() + next(self._pauses)
            return "away"
        self._acked = max(self._acked, answer.acked)
        self.limited_tags = frozenset(answer.limited_tags)
        self._heartbeat.sent(clock.monotonic())
        self._too_large = 0
        self._retry_at, self._pauses = 0.0, delays(0.1, LONGEST_PAUSE)
        if answer.cancel and not self._cancelled:
            self._cancelled = True
            self._on_cancel(answer.cancel_reason or "Cancelled on request.")
        return "sent"

    def _wake_waiters(self) -> None:
        acknowledged = 0
        while self._numbered and (self._numbered[0][0] <= self._acked or self._dead):
            self._numbered.popleft()[1].set()
            acknowledged += 1
        if acknowledged:
            self._together = acknowledged + len(self._waiters)

    def _die(self, reason: str) -> None:
        if not self._dead:
            self._dead = True
            self._on_dead(reason)
