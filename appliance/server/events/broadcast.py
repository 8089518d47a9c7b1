"""Delivers committed changes, from here or elsewhere, to everything in this process: the one place where threads and the event loop meet.

Live streams subscribe to topics. Agents' long polls wait on `work_ready`, which also fires when a planned run becomes due, and on
`room_made` if due runs had to wait for another run to end. Tasks wait on `slots_freed` for a slot under a limit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from appliance.kit import backoff, clock
from appliance.kit.plurals import counted
from appliance.server.db import listen
from appliance.server.db.session import Announcement, Database
from appliance.server.domain.presence import interval
from appliance.server.domain.transitions import LIVE
from appliance.server.errors import ServerError

log = logging.getLogger(__name__)

ACCESS = frozenset({"user", "token"})
"""The topics of changes after which callers may have lost their access."""
_QUEUE = 1_000
_REMEMBERED = 10_000


class Signal:
    """A wake-up for any number of waiters. Take a ticket, check, then wait with the ticket: nothing in between is missed."""

    def __init__(self) -> None:
        self._count = 0
        self._event = asyncio.Event()

    def ticket(self) -> int:
        return self._count

    def fire(self) -> None:
        """Wake all waiters. Call it in the event loop's thread."""
        self._count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout: float, ticket: int | None = None) -> bool:
        """Whether it fired after the ticket was taken, or fires within `timeout` seconds."""
        if ticket is not None and ticket != self._count:
            return True
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except TimeoutError:
            return False
        return True


T = TypeVar("T")


class Subscription(Generic[T]):
    """What is offered since its creation, to iterate over. It ends when its reader falls too far behind or the server stops."""

    def __init__(self, forget: Callable[[Subscription[T]], object]) -> None:
        self._forget = forget
        self._queue: asyncio.Queue[T | None] = asyncio.Queue(_QUEUE + 1)
        self._open = True

    def offer(self, item: T) -> None:
        if not self._open:
            return
        if self._queue.qsize() >= _QUEUE:
            self.end()  # the reader resumes from its last event id
        else:
            self._queue.put_nowait(item)

    def end(self) -> None:
        if self._open:
            self._open = False
            self._queue.put_nowait(None)

    def close(self) -> None:
        self._forget(self)

    async def get(self, timeout: float) -> T | None:
        """The next item, or None if none arrives in time. Raises StopAsyncIteration at the end."""
        try:
            item = await asyncio.wait_for(self._queue.get(), timeout)
        except TimeoutError:
            return None
        if item is None:
            raise StopAsyncIteration
        return item

    def here(self) -> list[T]:
        """The items that have arrived and weren't read yet."""
        items: list[T] = []
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if item is None:
                self._queue.put_nowait(None)  # the end, for the next call of get
                break
            items.append(item)
        return items

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        item = await self._queue.get()
        if item is None:
            raise StopAsyncIteration
        return item

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Broadcast:
    """Created once per server process. `start` it in the event loop; `stop` it at shutdown."""

    def __init__(self, db: Database, beat: Callable[[Database, datetime], None]) -> None:
        """`beat` records at intervals that this process accepts requests."""
        self._db = db
        self._note_presence = beat
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscriptions: dict[Subscription[Announcement], frozenset[str]] = {}
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._stop = threading.Event()
        self._watcher: listen.Watcher | None = None
        self._thread = threading.Thread(target=self._watch, name="broadcast", daemon=True)
        self._highest: int | None = None
        self._plan_changed = True
        self._next_due: datetime | None = None
        self._last_check = clock.now()
        self._beaten: float | None = None
        self.work_ready = Signal()
        self.room_made = Signal()
        self.slots_freed = Signal()
        self.access_changed = Signal()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._db.on_commit(self._committed_here)
        try:
            self._find_position()  # right now: everything committed from here on is news, however late the thread starts
        except (ServerError, SQLAlchemyError, OSError) as error:
            log.warning("The database isn't responding yet; watching for changes will begin when it does: %s", error)
        self._thread.start()

    def stop(self) -> None:
        """End every subscription and the watching thread. Call it in the event loop's thread."""
        self._stop.set()
        self.work_ready.fire()
        self.slots_freed.fire()
        for subscription in list(self._subscriptions):
            subscription.end()
        if self._watcher is not None:
            self._watcher.wake()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        self._loop = None

    def subscribe(self, *topics: str) -> Subscription[Announcement]:
        """Subscribe to these topics, or to all if there are none. Close the subscription when done."""
        subscription: Subscription[Announcement] = Subscription(lambda it: self._subscriptions.pop(it, None))
        if self._stop.is_set():
            subscription.end()
        self._subscriptions[subscription] = frozenset(topics)
        return subscription

    # --- in committing threads and the watching thread

    def _committed_here(self, announcements: list[Announcement]) -> None:
        self._in_loop(announcements)

    def _in_loop(self, announcements: list[Announcement]) -> None:
        loop = self._loop
        if loop is None or not announcements:
            return
        try:
            loop.call_soon_threadsafe(self._deliver, announcements)
        except RuntimeError:  # the loop was closed at shutdown; no one is left to notify
            log.debug("The event loop is closed; dropped %s.", counted(len(announcements), "announcement"))

    def _watch(self) -> None:
        delays = backoff.delays(0.2, 2.0)
        while not self._stop.is_set():
            try:
                self._find_position()
                with listen.watcher(self._db, self._pause) as watcher:
                    self._watcher = watcher
                    while not self._stop.is_set():
                        self._round(watcher)
                        delays = backoff.delays(0.2, 2.0)
            except Exception as error:
                expected = isinstance(error, (ServerError, SQLAlchemyError, OSError))
                log.warning("Watching for changes failed; retrying: %s", error, exc_info=not expected)
                self._stop.wait(next(delays))

    def _find_position(self) -> None:
        """Begin after the existing events. The last of them, which look-backs read again, count as delivered."""
        if self._highest is not None or self._loop is None:
            return
        with self._db.read() as session:
            highest = listen.newest_event(session)
            recent = listen.read_events(session, max(0, highest - listen.LOOK_BACK))
        self._highest = highest
        self._loop.call_soon_threadsafe(self._seen.update, dict.fromkeys(item.id for item in recent))

    def _round(self, watcher: listen.Watcher) -> None:
        self._beat()
        notice = watcher.wait(self._patience())
        if self._highest is not None and (notice.look or notice.ranges):
            with self._db.read() as session:
                news = listen.read_news(session, notice, self._highest, self._seen)
            self._highest = max([self._highest, *(item.id for item in news)])
            self._in_loop(news)
        self._watch_due_times()

    def _pause(self, seconds: float) -> bool:
        """Whether there is something else to do than to wait for commits."""
        return self._stop.wait(seconds) or self._plan_changed

    def _patience(self) -> float:
        if self._next_due is None:
            return 1.0
        return min(1.0, max(0.001, (self._next_due - clock.now()).total_seconds()))

    def _watch_due_times(self) -> None:
        now = clock.now()
        came_due = self._next_due is not None and self._next_due <= now
        if came_due or self._plan_changed:
            self._plan_changed = False
            with self._db.read() as session:
                self._next_due = listen.next_due(session, now)
                came_due = came_due or listen.came_due(session, self._last_check, now)
            self._last_check = now
        if came_due and self._loop is not None:
            self._loop.call_soon_threadsafe(self.work_ready.fire)

    def _beat(self) -> None:
        if self._beaten is None or clock.monotonic() - self._beaten >= interval(self._db.rules):
            self._note_presence(self._db, clock.now())
            self._beaten = clock.monotonic()

    # --- in the event loop's thread

    def _deliver(self, announcements: Iterable[Announcement]) -> None:
        wake = room = freed = access = False
        for announcement in announcements:
            if announcement.id in self._seen:
                continue
            self._seen[announcement.id] = None
            wake = wake or _makes_work(announcement)
            room = room or _makes_room(announcement)
            freed = freed or _frees_slots(announcement)
            access = access or announcement.topic in ACCESS
            for subscription, topics in list(self._subscriptions.items()):
                if not topics or announcement.topic in topics:
                    subscription.offer(announcement)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        if wake:
            self._plan_changed = True
            self.work_ready.fire()
        if room:
            self.room_made.fire()
        if freed:
            self.slots_freed.fire()
        if access:
            self.access_changed.fire()


def _makes_room(announcement: Announcement) -> bool:
    """Has a run released something that others may be waiting for?"""
    return announcement.kind == "flow_run.state" and announcement.data.get("type") not in LIVE


def _frees_slots(announcement: Announcement) -> bool:
    """Might a task that waits for a slot get it now, or need to stop?"""
    if announcement.kind == "flow_run.progress":
        return bool(announcement.data.get("freed"))
    if announcement.kind == "flow_run.state":
        return announcement.data.get("type") not in ("PENDING", "RUNNING")
    return announcement.topic == "concurrency"


def _makes_work(announcement: Announcement) -> bool:
    """Might an agent have something to start or stop now?"""
    if announcement.kind == "flow_run.state":
        return announcement.data.get("type") in ("SCHEDULED", "CANCELLING")
    if announcement.kind == "agent.resumed":
        return True
    return announcement.topic in ("schedule", "flow", "concurrency", "hold", "maintenance")
