"""Fencing: inside `holding`, a write transaction starts only while the lease is still in the epoch in which the work began.

A process that was suspended, or whose clock was moved, may continue a round that another process has since started over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from appliance.server.errors import LostLease

_lease: ContextVar[tuple[str, int] | None] = ContextVar("appliance_lease", default=None)
_EPOCH = {
    "sqlite": text("select epoch from lease where name = :name"),
    "postgresql": text("select epoch from lease where name = :name for share"),
}
"""On Postgres no one takes over the lease before the transaction ends; on SQLite no one else writes meanwhile anyway."""


@contextmanager
def holding(name: str, epoch: int) -> Iterator[None]:
    """Work under this lease: write transactions of this thread raise LostLease once another process has it."""
    token = _lease.set((name, epoch))
    try:
        yield
    finally:
        _lease.reset(token)


def check(session: Session) -> None:
    """Raise LostLease when the lease has changed hands. Called at the start of every write transaction."""
    lease = _lease.get()
    if lease is None:
        return
    name, epoch = lease
    current = session.connection().execute(_EPOCH[session.get_bind().dialect.name], {"name": name}).scalar()
    if current != epoch:
        raise LostLease(
            f"Another process does the work of the {name} now; this one stops its round and writes nothing."
        )
