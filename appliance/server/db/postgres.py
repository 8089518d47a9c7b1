"""Connections to Postgres that time out: every wait ends, even when packets vanish and neither side notices.

TCP's own timeouts detect a dead machine, and the server's timeouts end a slow statement. Only a limit on our side ends the wait for an
answer that a proxy, a firewall or a suspended server swallows.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import psycopg
from psycopg.types.string import TextLoader
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from appliance.kit import backoff, clock
from appliance.server.errors import Unavailable

CONNECT_SECONDS = 3
PING_SECONDS = 2.0
FRESH_SECONDS = 0.5
IDLE_SECONDS = 10.0
"""Postgres rolls back an open transaction after this long without a statement, or after `patience` if that is longer: its locks are released."""
GRACE_SECONDS = 1.5
"""How long to wait for a server that refuses connections: it may be restarting, or another process may release one."""
ConnectOptions: TypeAlias = dict[str, Any]
"""Parameters of libpq, by name."""
_PAUSE = 0.5
_NEWS = 5.0  # how many seconds a failure says something about the server


class Connection(psycopg.Connection[Any]):
    """A connection that closes itself and raises OperationalError when an answer takes longer than `patience` seconds."""

    patience: float | None = None
    cancel_at: float | None = None
    """When to ask the server, once, to cancel the statement, which then fails with QueryCanceled and leaves the connection usable."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        if self.patience is None:
            return super().wait(gen, *arguments, **options)
        return super().wait(self._limited(gen, clock.monotonic() + self.patience), *arguments, **options)

    def set_read_only(self, value: bool | None) -> None:
        """False leaves the choice to the server: demanding READ WRITE would override an administrator's default and fail on a standby."""
        super().set_read_only(value or None)

    def is_quiet(self) -> bool:
        """Whether no unsolicited data has arrived, such as the notice that the connection was closed."""
        waiting = select.poll()
        waiting.register(self.fileno(), select.POLLIN)
        return not waiting.poll(0)

    def ping(self, seconds: float = PING_SECONDS) -> None:
        """Raise psycopg.Error unless the server answers within this many seconds."""
        before, self.patience = self.patience, seconds
        autocommit = self.autocommit
        try:
            if not autocommit:
                self.autocommit = True  # otherwise it would leave a transaction open
            self.execute("select 1")
            if not autocommit:
                self.autocommit = False
        finally:
            self.patience = before

    def _limited(self, gen: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
        """The same steps; the driver takes one at least every tenth of a second, ready or not."""
        try:
            event = next(gen)
            while True:
                ready = yield event
                if self.cancel_at is not None and clock.monotonic() > self.cancel_at:
                    self.cancel_at = None
                    with suppress(psycopg.Error):
                        self.cancel_safe(timeout=PING_SECONDS)
                if not ready and clock.monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server gives no answer")
                event = gen.send(ready)
        except StopIteration as done:
            return done.value


def parameters(patience: float | None) -> ConnectOptions:
    """The parameters for libpq besides the address. Without `patience`, statements may take as long as they like."""
    options: ConnectOptions = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "appliance",
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
    }
    if patience is None:
        return options
    idle = max(IDLE_SECONDS, patience)
    statement, lock, idle = (round(seconds * 1000) for seconds in (patience - 1, patience - 2, idle))
    limits = f"-c statement_timeout={statement} -c lock_timeout={lock} -c idle_in_transaction_session_timeout={idle}"
    return options | {"tcp_user_timeout": round(patience * 1000), "options": limits}


def connect(address: ConnectOptions, patience: float | None) -> Connection:
    """A new connection; what the address says takes precedence over our defaults."""
    defaults = parameters(patience)
    options = " ".join(str(part) for part in (defaults.get("options"), address.get("options")) if part)
    connection = Connection.connect(**(defaults | address | ({"options": options} if options else {})))
    connection.patience = patience
    for name in ("timestamptz", "jsonb"):  # the types of our columns read both, and faster than the driver
        connection.adapters.register_loader(name, TextLoader)
    return connection


@contextmanager
def losses() -> Iterator[None]:
    """For a connection used without an engine: raise Unavailable when it is lost or can't be made."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unavailable(f"The connection to the database was lost: {error}") from error


class _Door:
    """Makes new connections.

    Waits for a server that is briefly down, so that its restart fails no one. While a server stays down, one caller at a time checks
    whether it is back; all others fail at once, so that nothing piles up.
    """

    def __init__(self, patience: float | None) -> None:
        self._patience = patience
        self._failing: tuple[float, float] | None = None  # since when, and when last
        self._next_knock = 0.0
        self._knocking = threading.Lock()

    def open(self, _dialect: Any, _record: Any, _arguments: Any, address: ConnectOptions) -> Connection:
        """A new connection for the engine. Raises psycopg.OperationalError."""
        if self._patience is None:
            return connect(address, None)
        for pause in backoff.delays(0.02, 0.2):
            if self._stays_down():
                return self._knock(address)
            try:
                return self._connect(address)
            except psycopg.errors.ConnectionTimeout:
                raise
            except psycopg.OperationalError:
                if self._stays_down():
                    raise
            threading.Event().wait(pause)
        raise AssertionError("delays never end")

    def _stays_down(self) -> bool:
        now = clock.monotonic()
        return self._failing is not None and now - self._failing[0] > GRACE_SECONDS and now - self._failing[1] < _NEWS

    def _note_failure(self, waited: float = 0.0) -> None:
        now = clock.monotonic()
        since, last = self._failing or (now, now)
        self._failing = min(since if now - last < _NEWS else now, now - waited), now

    def _knock(self, address: ConnectOptions) -> Connection:
        if clock.monotonic() < self._next_knock or not self._knocking.acquire(blocking=False):
            raise psycopg.OperationalError("the server was not there a moment ago")
        try:
            return self._connect(address)
        finally:
            self._next_knock = clock.monotonic() + _PAUSE
            self._knocking.release()

    def _connect(self, address: ConnectOptions) -> Connection:
        try:
            connection = connect(address, self._patience)
        except psycopg.errors.ConnectionTimeout:
            self._note_failure(CONNECT_SECONDS)  # that was long enough
            raise
        except psycopg.OperationalError:
            self._note_failure()
            raise
        self._failing = None
        return connection


def watch(engine: Engine, patience: float | None) -> None:
    """Have the engine connect like this and check each connection before use. With a COPY statement, the rows of an executemany are what
    is copied."""
    event.listen(engine, "do_connect", _Door(patience).open)
    event.listen(engine, "checkout", _check)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "do_executemany", _copy)


def _copy(cursor: psycopg.Cursor[Any], statement: Any, rows: Sequence[Sequence[Any]], _context: Any) -> bool:
    """Runs inside the dialect, so that its errors are handled like those of every other statement; True when it was a COPY."""
    if not statement.startswith("COPY "):
        return False
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
    return True


def _check(connection: Any, record: Any, _proxy: Any) -> None:
    """Before each use. A server that closed the connection has sent a notice; after a pause, a ping detects one that vanished."""
    now = clock.monotonic()
    used, record.info["used"] = record.info.get("used"), now
    if used is None or (now - used < FRESH_SECONDS and connection.is_quiet()):
        return  # it is new, or was in use a moment ago
    try:
        connection.ping()
    except psycopg.Error as error:
        raise InvalidatePoolError("the connection was lost") from error


def _note_use(_connection: Any, record: Any) -> None:
    if "used" in record.info:
        record.info["used"] = clock.monotonic()
