"""Noticing what other processes commit: SQLite's data version, Postgres' notifications, and a slow look in any case."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.db.conditions import SCHEDULED_NOW
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
"""Postgres' ids may become visible out of order: so many below the highest one are read again in a slow look."""


@dataclass
class Heard:
    """What a watcher noticed: `ranges` of events (first and last id) that were just committed, or that it is time to `look`."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    look: bool = False


class Watcher(Protocol):
    """Waits for commits; a context manager that holds one connection of its own."""

    def __enter__(self) -> Watcher: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def wait(self, seconds: float) -> Heard:
        """Wait up to `seconds` for something that was committed."""


def watcher(db: Database, pause: Any) -> Watcher:
    """The watcher for this kind of database; `pause(seconds)` waits on behalf of one that must poll."""
    return _Notifications(db) if db.dialect == "postgresql" else _DataVersion(db, pause)


def read_events(session: Session, after: int, until: int | None = None) -> list[Announcement]:
    """Events with a higher id, up to `until` if given, oldest first."""
    found: list[Announcement] = []
    statement = select(_events).where(_events.c.id > bindparam("after")).order_by(_events.c.id).limit(_MOST)
    if until is not None:
        statement = statement.where(_events.c.id <= until)
    while True:
        page = session.execute(statement, {"after": after}).all()
        found += [Announcement(row.id, row.at, row.topic, row.object_id, row.kind, row.data) for row in page]
        if len(page) < _MOST:
            return found
        after = page[-1].id


def news(session: Session, heard: Heard, highest: int, known: Container[int]) -> list[Announcement]:
    """The events that were heard of. What is `known` already may be left out; `highest` is the highest id read before."""
    found: list[Announcement] = []
    if heard.look:
        look_back = LOOK_BACK if session.get_bind().dialect.name == "postgresql" else 0
        found += read_events(session, max(0, highest - look_back))
    for first, last in heard.ranges:
        if any(id not in known for id in range(first, last + 1)):
            found += read_events(session, first - 1, last)
    return found


def newest_event(session: Session) -> int:
    return int(session.execute(select(func.max(_events.c.id))).scalar() or 0)


def next_due(session: Session, now: datetime) -> datetime | None:
    """When the next planned run becomes due."""
    planned = (SCHEDULED_NOW, _runs.c.scheduled_time > now)
    statement = select(_runs.c.scheduled_time).where(*planned).order_by(_runs.c.scheduled_time).limit(1)
    found: datetime | None = session.execute(statement).scalar()
    return found


def came_due(session: Session, after: datetime, now: datetime) -> bool:
    """Whether a run came due since `after`: one planned for so soon that nobody could wait for its time."""
    between = (SCHEDULED_NOW, _runs.c.scheduled_time > after, _runs.c.scheduled_time <= now)
    return session.execute(select(_runs.c.id).where(*between).limit(1)).first() is not None


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
    """SQLite counts the commits of other connections; asking for the count costs microseconds, and so does asking whether one of them
    added an event: most, of services at their rounds, did not."""

    def __init__(self, db: Database, pause: Any) -> None:
        self._connection = db.engine.raw_connection()
        self._pause = pause
        self._slow = _Slow()
        self._seen: Any = None
        self._newest: Any = None

    def __enter__(self) -> _DataVersion:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def wait(self, seconds: float) -> Heard:
        self._pause(min(seconds, POLL))
        cursor = self._connection.cursor()
        cursor.execute("PRAGMA data_version")
        before, self._seen = (self._seen, self._newest), cursor.fetchone()
        if self._seen != before[0]:
            cursor.execute("SELECT max(id) FROM event")
            self._newest = cursor.fetchone()
        cursor.close()
        return Heard(look=self._newest != before[1] or self._slow.due())


class _Notifications:
    """Postgres tells us, on one connection outside the pool."""

    def __init__(self, db: Database) -> None:
        from appliance.server.db import postgres  # a site on SQLite shall not carry the driver in memory

        self._losses = postgres.losses
        _, given = db.engine.dialect.create_connect_args(db.engine.url)
        with postgres.losses():
            self._connection = postgres.connect({**given, "autocommit": True}, db.patience)
            self._connection.execute(f"LISTEN {CHANNEL}")
        self._slow = _Slow()
        self._first = True

    def __enter__(self) -> _Notifications:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def wait(self, seconds: float) -> Heard:
        with self._losses():
            told = {notice.payload for notice in self._connection.notifies(timeout=min(seconds, 1.0), stop_after=1)}
            slow = self._slow.due()
            if slow:
                self._connection.ping()  # one that died in silence would never tell again
        heard = Heard(sorted(_range(payload) for payload in told if payload), look=slow or self._first or "" in told)
        self._first = False
        return heard


def _range(payload: str) -> tuple[int, int]:
    first, _, last = payload.partition("-")
    return int(first), int(last)
