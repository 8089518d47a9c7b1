"""Fencing: inside `held`, a write transaction begins only while its lease is still of the epoch in which the work began.

A process that was stopped, or whose clock was moved, may go on with a round that another process has since begun anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from appliance.server.errors import LostLease

_held: ContextVar[tuple[str, int] | None] = ContextVar("appliance_lease", default=None)
_EPOCH = {
    "sqlite": text("select epoch from lease where name = :name"),
    "postgresql": text("select epoch from lease where name = :name for share"),
}
"""On Postgres nobody takes the lease over before the transaction has ended; on SQLite nobody else writes meanwhile anyway."""


@contextmanager
def held(name: str, epoch: int) -> Iterator[None]:
    """Work under this lease: write transactions of this thread raise LostLease once somebody else has it."""
    token = _held.set((name, epoch))
    try:
        yield
    finally:
        _held.reset(token)


def check(session: Session) -> None:
    """At the start of a write transaction. Raises LostLease."""
    lease = _held.get()
    if lease is None:
        return
    name, epoch = lease
    found = session.connection().execute(_EPOCH[session.get_bind().dialect.name], {"name": name}).scalar()
    if found != epoch:
        raise LostLease(
            f"Another process does the work of the {name} now; this one stops its round and writes nothing."
        )
