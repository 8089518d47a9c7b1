"""Noticing what other processes commit: SQLite's data version, Postgres' notifications, and a slow look in any case."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any, Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.db.session import Announcement, Database
from appliance.server.db.tables.events import Event
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.writes.events import CHANNEL
from appliance.server.db.writes.flow_runs import SCHEDULED_NOW

_events = Event.__table__  # type: ignore[attr-defined]
_runs = FlowRun.__table__  # type: ignore[attr-defined]
POLL = 0.2
_SLOW = 5.0
_MOST = 1_000


class Watcher(Protocol):
    """Waits for commits; a context manager that holds one connection of its own."""

    def __enter__(self) -> Watcher: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds`; True when something may have been committed."""


def watcher(db: Database, pause: Any) -> Watcher:
    """The watcher for this kind of database; `pause(seconds)` waits on behalf of one that must poll."""
    return _Notifications(db) if db.dialect == "postgresql" else _DataVersion(db, pause)


def read_events(session: Session, after: int) -> list[Announcement]:
    """Events with a higher id, oldest first, at most a thousand."""
    statement = select(_events).where(_events.c.id > after).order_by(_events.c.id).limit(_MOST)
    return [
        Announcement(row.id, row.at, row.topic, row.object_id, row.kind, row.data) for row in session.execute(statement)
    ]


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

    def wait(self, seconds: float) -> bool:
        self._pause(min(seconds, POLL))
        cursor = self._connection.cursor()
        cursor.execute("PRAGMA data_version")
        before, self._seen = (self._seen, self._newest), cursor.fetchone()
        if self._seen != before[0]:
            cursor.execute("SELECT max(id) FROM event")
            self._newest = cursor.fetchone()
        cursor.close()
        return self._newest != before[1] or self._slow.due()


class _Notifications:
    """Postgres tells us, on one connection outside the pool."""

    def __init__(self, db: Database) -> None:
        from appliance.server.db import postgres  # a site on SQLite shall not carry the driver in memory

        _, given = db.engine.dialect.create_connect_args(db.engine.url)
        self._connection = postgres.connect({**given, "autocommit": True}, db.patience)
        self._connection.execute(f"LISTEN {CHANNEL}")
        self._slow = _Slow()
        self._first = True

    def __enter__(self) -> _Notifications:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def wait(self, seconds: float) -> bool:
        told = any(True for _ in self._connection.notifies(timeout=min(seconds, 1.0), stop_after=1))
        first, self._first = self._first, False
        if not self._slow.due():
            return told or first
        self._connection.ping()  # one that died in silence would never tell again
        return True
