"""Opens the database; the only place that begins and commits transactions.

SQLite: WAL, every commit reaches the disk, writers queue for one lock and use `BEGIN IMMEDIATE`, so that none fails
halfway. Postgres: psycopg 3 with a pool.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from appliance.config import Settings
from appliance.kit import backoff, clock, crash, effort
from appliance.kit.plurals import counted
from appliance.server.db import direct, fence, read_limit, usage
from appliance.server.db.faults import passing_faults
from appliance.server.db.idle import IdleConnections
from appliance.server.db.space import Space
from appliance.server.db.sqlite import dbapi, read_schema
from appliance.server.domain.rules import Rules
from appliance.server.errors import (
    Invalid,
    MustWait,
    Unavailable,
)

log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 5_000
"""How long a writer waits for another process on SQLite."""
_NEWS = 1.0
"""Seconds. Who comes so soon after a writer that waited in vain tries only once: writers in line would wait one after the other."""
_WRITER_PATIENCE = 30.0
_PRAGMAS = (
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-8192",  # KiB, for each connection: a list examines up to 30,000 entries of an index, twice
    "journal_size_limit=67108864",
    "temp_store=MEMORY",
)
CHANNEL = "appliance_events"
_NOTIFY = text("select pg_notify(:channel, :ids)")
PATIENCE = 6.0
"""Seconds that Postgres may take for a statement of a request before the caller is asked to retry."""
_PG_POOL = {"pool_size": 10, "max_overflow": 10, "pool_timeout": 3, "pool_use_lifo": True}
"""The connection used last is used next: it has our statements prepared and was alive a moment ago. With the one that listens, a process
has at most 21 connections, so that four workers fit into Postgres' usual 100."""
_thread = threading.local()


@dataclass(frozen=True)
class Announcement:
    """A committed event. `id` orders the outbox and is where a live stream resumes."""

    id: int
    at: datetime
    topic: str
    object_id: UUID
    kind: str
    data: Mapping[str, object]


class _OnConnection(Session):
    """A session on a connection that is already in a transaction, which the session neither begins nor ends. After its deadline it
    begins no statement."""

    deadline: float | None = None

    def connection(self, *_unused: Any, **_ignored: Any) -> Connection:
        return self.get_bind()

    def get_bind(self, *_unused: Any, **_ignored: Any) -> Connection:
        """The connection of every statement."""
        read_limit.check(self.deadline)
        return self.bind  # type: ignore[return-value]

    def close(self) -> None:
        if self.in_transaction():  # otherwise no object was read or added
            super().close()


class Database:
    """One database and its pool. Safe to share between threads."""

    def __init__(
        self,
        url: str,
        *,
        rules: Rules | None = None,
        space: Space | None = None,
        pool_size: int = 20,
        patience: float | None = PATIENCE,
        longest_read: float | None = None,
    ) -> None:
        """`patience`: how many seconds Postgres may take for one answer; None sets no limit, as migrations need. `longest_read`: how
        many seconds a read may last before it raises TooSlow."""
        self.url = address(url)
        self.space = space
        self.rules = rules or Rules()
        self.patience = patience
        self.longest_read = longest_read
        self.engine = _engine(self.url, pool_size, patience)
        self.dialect: str = self.engine.dialect.name
        self._reading = (
            self.engine if self.dialect == "sqlite" else self.engine.execution_options(postgresql_readonly=True)
        )
        self._idle = IdleConnections(self.engine)
        self._writer = threading.Lock()
        self._locked_at: float | None = None
        self._callbacks: list[Callable[[list[Announcement]], None]] = []

    @contextmanager
    def read(self, *, short: bool = False) -> Iterator[Session]:
        """A session that sees one snapshot of the database and changes nothing. Raises TooSlow when it lasts longer than it may. `short`:
        each statement is quick and may see a snapshot of its own, which on SQLite saves half of the time of a short read."""
        with (
            passing_faults(),
            self.connect(begin=not short) as connection,
            read_limit.limited(connection, None if short else self.longest_read) as deadline,
            _OnConnection(connection, autoflush=False) as session,
        ):
            session.deadline = deadline
            yield session

    @contextmanager
    def write(self, name: str = "write", *, essential: bool = False) -> Iterator[Session]:
        """A session whose changes are committed together at the end of the block, or not at all. `name` names its two crash points.
        Raises DiskFull at once when there is too little room; an `essential` change may use the reserve. Raises LostLease in the round
        of a service that another process has taken over; Contended or Interrupted when Postgres kept nothing; plain Unavailable
        when the outcome is unknown."""
        with (
            self._turn(essential),
            passing_faults(),
            self.connect(write=True) as connection,
            _OnConnection(connection, autoflush=False) as session,
        ):
            fence.check(session)
            with effort.while_others_wait():
                yield session
            crash.point(f"{name}.applied")
            session.flush()
            usage.store(session)
            self._notify(session)
            _commit(connection)
            crash.point(f"{name}.committed")
        self._call_listeners(session.info.get("announcements", []))

    @contextmanager
    def rehearsal(self) -> Iterator[Session]:
        """A session in which a change can be tried: it is never committed."""
        with (
            self._turn(essential=False),
            passing_faults(),
            self.connect(write=True) as connection,
            _OnConnection(connection, autoflush=False) as session,
        ):
            yield session
            session.flush()

    @contextmanager
    def connect(self, *, write: bool = False, begin: bool = True) -> Iterator[Connection]:
        """A connection inside a transaction that is rolled back unless committed. We begin SQLite's explicitly: an event listener would
        slow down every statement, and a transaction that writes must say so when it begins. Without `begin`, each statement that reads
        on SQLite is a transaction of its own."""
        if self.dialect == "sqlite":
            with self._idle.taken() as connection:
                if write:
                    self._begin_writing(connection)
                elif begin:
                    direct.execute(connection, "BEGIN")
                yield connection
        else:
            with (self.engine if write else self._reading).connect() as connection:
                yield connection

    def at_once(self) -> _AtOnce:
        """In this block, the thread's first change doesn't wait for other writers on SQLite: if there is one, MustWait is raised before
        anything has begun. Later changes wait as usual."""
        return _AtOnce()

    def on_commit(self, callback: Callable[[list[Announcement]], None]) -> None:
        """Call `callback` in the committing thread after every commit that announced something."""
        self._callbacks.append(callback)

    def dispose(self) -> None:
        """Close the connections."""
        self._idle.close()
        self.engine.dispose()

    def busy_connections(self) -> int:
        """How many connections are in a transaction."""
        return int(cast(Any, self.engine.pool).checkedout()) - len(self._idle)

    def check_writable(self) -> None:
        """Raise Unavailable unless a write transaction can begin now; it is rolled back."""
        with self._turn(), passing_faults(), self.connect(write=True) as connection:
            connection.execute(text("update setting set value = value where name = ''"))
            connection.rollback()

    def schema_version(self) -> str | None:
        """The revision of the database's tables; None before the first migration."""
        with passing_faults(), self.connect() as connection:
            if not self.engine.dialect.has_table(connection, "alembic_version"):
                return None
            revision: str | None = connection.execute(text("select version_num from alembic_version")).scalar()
            return revision

    def reusable_bytes(self) -> int:
        """Unused bytes inside SQLite's file, which are filled before the file grows; 0 for Postgres."""
        if self.dialect != "sqlite":
            return 0
        with passing_faults(), self.connect() as connection:
            statement = "select freelist_count * page_size from pragma_freelist_count(), pragma_page_size()"
            return int(connection.execute(text(statement)).scalar_one())

    def has_room(self) -> bool:
        """Whether there is room for an ordinary change now."""
        try:
            self._check_space(essential=False)
        except Unavailable:
            return False
        return True

    def log_bytes(self) -> int:
        """The size of SQLite's write-ahead log; 0 when there is none."""
        path = make_url(self.url).database if self.dialect == "sqlite" else None
        try:
            return Path(f"{path}-wal").stat().st_size if path else 0
        except OSError:
            return 0

    def fold_log(self) -> bool:
        """Checkpoint SQLite's write-ahead log and truncate it; False when readers or writers were in the way."""
        if self.dialect != "sqlite":
            return False
        with passing_faults(), self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA busy_timeout=200")
            try:
                return bool(driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
            except dbapi.Error as error:  # not even that fits on the disk: the log stays as it is
                log.warning("The write-ahead log can't be folded into the database: %s", error)
                return False
            finally:
                driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")

    def _check_space(self, essential: bool) -> None:
        if self.space is None:
            return
        try:
            if essential:
                self.space.admit_essential()
            else:
                self.space.admit(self.reusable_bytes)
        except OSError as error:
            raise Unavailable(f"The database's directory can't be read ({error.strerror}).") from error

    @contextmanager
    def _turn(self, essential: bool = False) -> Iterator[None]:
        """SQLite has one writer at a time. Waiting here is fair and cheap; waiting in SQLite is neither."""
        self._check_space(essential)
        if self.dialect != "sqlite":
            yield
            return
        if not self._writer.acquire(timeout=0 if _is_at_once() else _WRITER_PATIENCE):
            if _is_at_once():
                raise MustWait("Others write to the database.")
            raise Unavailable("The database is busy; try again in a moment.")
        try:
            yield
        finally:
            self._writer.release()

    def _begin_writing(self, connection: Connection) -> None:
        """Begin a transaction that holds SQLite's one lock for writers."""
        blocked = self._locked_at is not None and clock.monotonic() - self._locked_at < _NEWS
        with _busy_timeout(connection, 0 if blocked or _is_at_once() else BUSY_TIMEOUT_MS):
            try:
                direct.execute(connection, "BEGIN IMMEDIATE")
            except OperationalError as error:
                if "locked" not in str(error.orig):
                    raise
                if _is_at_once():
                    raise MustWait("Others write to the database.") from error
                self._locked_at = clock.monotonic()
                raise
        if not direct.is_possible(connection):
            connection.begin()  # for those who listen
        self._locked_at = None
        _thread.at_once = False

    def _notify(self, session: Session) -> None:
        """Have Postgres notify other processes of the events when it commits; SQLite's watchers notice the commit itself."""
        announcements: list[Announcement] = session.info.get("announcements", [])
        if announcements and self.dialect == "postgresql":
            ids = [item.id for item in announcements]
            session.execute(_NOTIFY, {"channel": CHANNEL, "ids": f"{min(ids)}-{max(ids)}"})

    def _call_listeners(self, announcements: list[Announcement]) -> None:
        if not announcements:
            return
        for callback in self._callbacks:
            try:
                callback(announcements)
            except Exception:  # logged only: the commit has happened, and its caller must not get an error
                log.exception("A listener failed on %s.", counted(len(announcements), "announcement"))


class _AtOnce:
    def __enter__(self) -> None:
        _thread.at_once = True

    def __exit__(self, *_error: object) -> None:
        _thread.at_once = False


def _is_at_once() -> bool:
    return bool(getattr(_thread, "at_once", False))


@contextmanager
def _busy_timeout(connection: Connection, milliseconds: int) -> Iterator[None]:
    """How long SQLite waits for other processes in this block."""
    if milliseconds == BUSY_TIMEOUT_MS:  # as every connection has it
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout={milliseconds}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def commits_of_this_thread() -> int:
    """How many transactions this thread has committed."""
    return int(getattr(_thread, "commits", 0))


def _commit(connection: Connection) -> None:
    try:
        if connection.in_transaction():
            connection.commit()
        else:  # SQLAlchemy knows of no statement: all went past it
            _commit_directly(connection)
    except DBAPIError as error:
        if error.connection_invalidated:  # was it committed? Only a retry with the same key can tell
            log.warning("The connection was lost during a commit: %s", error.orig)
            raise Unavailable(
                "The connection to the database was lost, and it may have kept the change; check, or retry."
            ) from error
        raise
    _thread.commits = commits_of_this_thread() + 1


def _commit_directly(connection: Connection) -> None:
    try:
        direct.driver(connection).commit()
    except dbapi.Error as error:
        raise direct.usual_error(connection.dialect, "COMMIT", error) from error


def open_database(settings: Settings, patience: float = PATIENCE, *, longest_read: float | None = None) -> Database:
    """The database of the settings, with their rules."""
    rules = Rules(**{rule.name: getattr(settings, rule.name) for rule in fields(Rules)})
    return Database(
        settings.database, rules=rules, space=_space(settings), patience=patience, longest_read=longest_read
    )


def _space(settings: Settings) -> Space | None:
    """The free space for SQLite's file; Postgres manages its own disks."""
    path = make_url(address(settings.database)).database
    if not settings.database.startswith("sqlite") or not path or path == ":memory:":
        return None
    folder = Path(path).resolve().parent
    return Space(folder, reserve=settings.disk_reserve_bytes, least_free=settings.disk_least_free_bytes)


def address(url: str) -> str:
    """The address for SQLAlchemy with our driver, whatever driver `url` names. Raises Invalid."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:  # its text would reveal the address, and with it a password
        raise Invalid(
            "The database's address can't be read; write it like postgresql://user:password@host/name."
        ) from error
    driver = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite"}.get(
        parsed.get_backend_name()
    )
    if driver is None:
        raise Invalid(
            "The database must be SQLite or Postgres; give an address that begins with sqlite: or postgresql:."
        )
    parsed = parsed.set(drivername=driver)
    return parsed.render_as_string(hide_password=False)


def _engine(url: str, pool_size: int, patience: float | None) -> Engine:
    options: dict[str, Any] = {
        "json_serializer": lambda value: msgspec.json.encode(value).decode(),
        "pool_size": pool_size,
        "pool_use_lifo": True,  # a few connections do most of the work: their caches are warm, the others' stay small
        "max_overflow": 80,  # forty worker threads use at most two each; the event loop, which also writes, never waits for one
        "pool_timeout": 10,
    }
    if not url.startswith("sqlite"):
        from appliance.server.db import postgres  # a site on SQLite shouldn't load the driver

        engine = create_engine(url, **(options | _PG_POOL))
        postgres.watch(engine, patience)
        return engine
    engine = create_engine(url, module=dbapi, connect_args={"check_same_thread": False}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _enter_wal(cursor: Any) -> None:
    """Switch to WAL. In a new file this fails at once while another connection is open: SQLite's busy timeout doesn't apply, so we
    retry for as long."""
    deadline = clock.monotonic() + BUSY_TIMEOUT_MS / 1000
    for pause in backoff.delays(0.005, 0.1):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except dbapi.OperationalError as error:
            if "locked" not in str(error) or clock.monotonic() > deadline:
                raise
        threading.Event().wait(pause)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we send BEGIN ourselves; the driver would send a plain one too late
    cursor = connection.cursor()
    read_schema(cursor)
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")  # works only in a new file, and waits for writers in any
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    _enter_wal(cursor)
    cursor.close()
