"""Notices what other processes commit: by SQLite's data version or Postgres' notifications, and by a slow poll in any case."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol

from sqlalchemy import bindparam, func, literal, select
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.db.conditions import SCHEDULED_NOW
from appliance.server.db.reads import readable
from appliance.server.db.session import CHANNEL, Announcement, Database
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.events import Event
from appliance.server.db.tables.flow_runs import FlowRun

_events = table(Event)
_runs = table(FlowRun)
POLL = 0.2
_SLOW = 5.0
_MOST = 1_000
LOOK_BACK = 200
"""Postgres' ids may become visible out of order: a slow poll reads this many below the highest one again."""


@dataclass
class News:
    """What a watcher noticed: `ranges` of events (first and last id) that were just committed, or that it is time to `look`."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    look: bool = False


class Watcher(Protocol):
    """Waits for commits; a context manager with its own connection."""

    def __enter__(self) -> Watcher: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def wait(self, seconds: float) -> News:
        """Wait up to `seconds` for a commit."""

    def wake(self) -> None:
        """End the wait of another thread."""


def watcher(db: Database, pause: Callable[[float], bool]) -> Watcher:
    """The watcher for this kind of database; one that must poll waits by calling `pause(seconds)`, which is true if the wait must end."""
    return _Notifications(db) if db.dialect == "postgresql" else _DataVersion(db, pause)


def read_events(session: Session, after: int, until: int | None = None) -> list[Announcement]:
    """Events with ids above `after`, up to `until` if there is one, oldest first."""
    events: list[Announcement] = []
    statement = select(_events).where(_events.c.id > bindparam("after")).order_by(_events.c.id)
    if until is not None:
        statement = statement.where(_events.c.id <= until)
    while True:
        page = readable.rows(session, statement, _MOST, {"after": after})
        events += [Announcement(row.id, row.at, row.topic, row.object_id, row.kind, row.data) for row in page]
        if len(page) < _MOST:
            return events
        after = page[-1].id


def read_news(session: Session, news: News, highest: int, delivered: Container[int]) -> list[Announcement]:
    """The events in the news, possibly without those whose ids are in `delivered`; `highest` is the highest id read before."""
    events: list[Announcement] = []
    if news.look:
        look_back = LOOK_BACK if session.get_bind().dialect.name == "postgresql" else 0
        events += read_events(session, max(0, highest - look_back))
    for first, last in news.ranges:
        if any(id not in delivered for id in range(first, last + 1)):
            events += read_events(session, first - 1, last)
    return events


def newest_event(session: Session) -> int:
    """The highest id in the outbox; 0 when it is empty."""
    return int(session.execute(select(func.max(_events.c.id))).scalar() or 0)


def next_due(session: Session, now: datetime) -> datetime | None:
    """When the next planned run becomes due."""
    planned = (SCHEDULED_NOW, _runs.c.scheduled_time > now)
    rows = readable.rows(session, select(_runs.c.scheduled_time).where(*planned).order_by(_runs.c.scheduled_time), 1)
    return rows[0].scheduled_time if rows else None


def came_due(session: Session, after: datetime, now: datetime) -> bool:
    """Whether a run came due since `after`, such as one planned for so soon that no one could wait for its time."""
    between = (SCHEDULED_NOW, _runs.c.scheduled_time > after, _runs.c.scheduled_time <= now)
    return session.execute(select(literal(1)).select_from(_runs).where(*between).limit(1)).first() is not None


class _Slow:
    """True once in a while, whether or not anything was noticed."""

    def __init__(self) -> None:
        self._last = clock.monotonic()

    def due(self) -> bool:
        if clock.monotonic() - self._last < _SLOW:
            return False
        self._last = clock.monotonic()
        return True


class _DataVersion:
    """SQLite counts the commits of other connections. Reading the count takes microseconds, and so does checking whether a commit added
    an event: most commits, those of services' rounds, did not."""

    def __init__(self, db: Database, pause: Callable[[float], bool]) -> None:
        self._connection = db.engine.raw_connection()
        self._driver: Any = self._connection.driver_connection
        self._pause = pause
        self._slow = _Slow()
        self._version: Any = None
        self._newest: Any = None

    def __enter__(self) -> _DataVersion:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def wait(self, seconds: float) -> News:
        until = clock.monotonic() + seconds
        stopped = self._pause(min(seconds, POLL))
        while not (changed := self._has_changed()) and not stopped and (left := until - clock.monotonic()) > 0:
            stopped = self._pause(min(left, POLL))
        before = self._newest
        if changed:
            self._newest = self._driver.execute("SELECT max(id) FROM event").fetchone()
        return News(look=self._newest != before or self._slow.due())

    def wake(self) -> None:
        """It waits by the pause, whose owner ends that."""

    def _has_changed(self) -> bool:
        before, self._version = self._version, self._driver.execute("PRAGMA data_version").fetchone()
        return bool(self._version != before)


class _Notifications:
    """Postgres notifies us on a connection outside the pool."""

    def __init__(self, db: Database) -> None:
        from appliance.server.db import postgres  # a site on SQLite shouldn't load the driver

        self._losses = postgres.losses
        _, options = db.engine.dialect.create_connect_args(db.engine.url)
        with postgres.losses():
            self._connection = postgres.connect({**options, "autocommit": True}, db.patience)
            self._connection.execute(f"LISTEN {CHANNEL}")
        self._woken, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for source in (self._connection, self._woken):
            self._selector.register(source, selectors.EVENT_READ)
        self._slow = _Slow()
        self._first = True

    def __enter__(self) -> _Notifications:
        return self

    def __exit__(self, *_error: object) -> None:
        self._selector.close()
        self._woken.close()
        self._waker.close()
        self._connection.close()

    def wake(self) -> None:
        with suppress(OSError):  # the wait has ended already
            self._waker.send(b"\0")

    def wait(self, seconds: float) -> News:
        with self._losses():
            payloads = self._payloads()
            if not payloads and self._selector.select(seconds):
                payloads = self._payloads()
            slow = self._slow.due()
            if slow:
                self._connection.ping()  # a connection that died silently would never notify again
        ranges = sorted(_range(payload) for payload in payloads if payload)
        news = News(ranges, look=slow or self._first or "" in payloads)
        self._first = False
        return news

    def _payloads(self) -> set[str]:
        """Of the notifications that have come."""
        return {notice.payload for notice in self._connection.notifies(timeout=0)}


def _range(payload: str) -> tuple[int, int]:
    first, _, last = payload.partition("-")
    return int(first), int(last)
