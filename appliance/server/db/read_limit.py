"""Limits how long one read lasts. As long as a read is open, SQLite can't fold its write-ahead log, and Postgres can't remove old rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from appliance.kit import clock
from appliance.server.errors import TooSlow

LONGEST_READ = 2.0
"""How many seconds a read that is made for a request may last."""
_STEPS = 100_000
"""After how many steps of a statement SQLite looks at the clock, which needs Python's lock: a few milliseconds."""
_PG_CANCELLED = "57014"


@contextmanager
def limited(connection: Connection, seconds: float | None) -> Iterator[float | None]:
    """In this block, statements are stopped and raise TooSlow when so many seconds have passed. Yields the time of the monotonic clock
    when that is, for who begins another statement; None without a limit."""
    if seconds is None:
        yield None
        return
    deadline, driver = clock.monotonic() + seconds, connection.connection.driver_connection
    _stop_at(connection.dialect.name, driver, deadline)
    try:
        yield deadline
    except DBAPIError as error:
        if is_stopped(error):
            raise too_slow() from error
        raise
    finally:
        _stop_at(connection.dialect.name, driver, None)


def check(deadline: float | None) -> None:
    """Raise TooSlow after the deadline."""
    if deadline is not None and clock.monotonic() > deadline:
        raise too_slow()


def too_slow() -> TooSlow:
    return TooSlow("The database took too long to read that; narrow the filter, ask for a smaller page, or try later.")


def is_stopped(error: DBAPIError) -> bool:
    """Whether a statement was stopped because it took too long."""
    return getattr(error.orig, "sqlstate", None) == _PG_CANCELLED or str(error.orig) == "interrupted"


def _stop_at(dialect: str, driver: Any, deadline: float | None) -> None:
    if dialect != "sqlite":
        driver.cancel_at = deadline
    elif deadline is None:
        driver.set_progress_handler(None, 0)
    else:
        driver.set_progress_handler(lambda: clock.monotonic() > deadline, _STEPS)
