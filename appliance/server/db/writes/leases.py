"""Writing leases. One statement takes or renews a lease, so two processes can't both hold it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Text, bindparam, case, cast, false, func, or_, update
from sqlalchemy.orm import Session

from appliance.server.db.rows.leases import LeaseRow
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.leases import Lease
from appliance.server.db.upserts import upsert

_leases = table(Lease)
_RECORD = (
    update(_leases)
    .where(_leases.c.name == bindparam("of"), _leases.c.epoch == bindparam("held"))
    .values({column: bindparam(column) for column in ("last_run_at", "last_counts", "expires")})
)
"""Built once, since every round of every service ends with it."""


def acquire(session: Session, name: str, holder: str, expires: datetime, now: datetime) -> int | None:
    """Take the lease if it is free or expired, or renew our own. Return its epoch, or None while another process holds it."""
    statement = (
        upsert(session, _leases)
        .values(name=name, holder=holder, epoch=1, expires=expires, last_counts="")
        .on_conflict_do_update(
            index_elements=["name"],
            set_={
                "holder": holder,
                "expires": expires,
                "epoch": case((_leases.c.holder == holder, _leases.c.epoch), else_=_leases.c.epoch + 1),
            },
            where=or_(_leases.c.holder == holder, _leases.c.expires < now, _is_damaged(session)),
        )
        .returning(_leases.c.epoch)
    )
    epoch: int | None = session.connection().execute(statement).scalar()
    return epoch


def seize(session: Session, lease: LeaseRow, holder: str, expires: datetime) -> int | None:
    """Take the lease if it is as it was read. Return its epoch, or None."""
    same = (_leases.c.name == lease.name, _leases.c.epoch == lease.epoch, _leases.c.expires == lease.expires)
    statement = update(_leases).where(*same).values(holder=holder, epoch=lease.epoch + 1, expires=expires)
    epoch: int | None = session.connection().execute(statement.returning(_leases.c.epoch)).scalar()
    return epoch


def prolong(session: Session, name: str, epoch: int, expires: datetime) -> bool:
    """Extend the lease of this epoch; False when another process has taken it."""
    statement = update(_leases).where(_leases.c.name == name, _leases.c.epoch == epoch)
    return bool(session.connection().execute(statement.values(expires=expires)).rowcount == 1)


def release(session: Session, name: str, holder: str, epoch: int, now: datetime) -> None:
    """Release the lease, so that another process can take it at once; the record of the last round stays."""
    mine = (_leases.c.name == name, _leases.c.holder == holder, _leases.c.epoch == epoch)
    session.connection().execute(update(_leases).where(*mine).values(expires=now, holder=""))


def record(session: Session, name: str, epoch: int, at: datetime, counts: str, expires: datetime) -> bool:
    """Record a completed round under the epoch in which it ran, and extend the lease; False when it was lost meanwhile."""
    values = {"of": name, "held": epoch, "last_run_at": at, "last_counts": counts[:500], "expires": expires}
    return bool(session.connection().execute(_RECORD, values).rowcount == 1)


def beat(session: Session, name: str, holder: str, at: datetime, patience: timedelta) -> None:
    """Record that a process of this kind is alive; the newest beat counts. `since` restarts when the previous beat is more than
    `patience` away in either direction: no process was running in between, or the clock was moved."""
    values = {"holder": holder, "expires": at + patience, "last_run_at": at}
    statement = upsert(session, _leases).values(name=name, epoch=1, last_counts="", since=at, **values)
    unbroken = _leases.c.last_run_at.between(at - patience, at + patience)
    since = case((unbroken, func.coalesce(_leases.c.since, at)), else_=at)
    again = statement.on_conflict_do_update(index_elements=["name"], set_={**values, "since": since})
    session.connection().execute(again)


def _is_damaged(session: Session) -> ColumnElement[bool]:
    """The time at which the lease ends is no time. Compared as text, it might never pass."""
    if session.get_bind().dialect.name == "postgresql":
        return false()
    return ~cast(_leases.c.expires, Text).op("GLOB")("[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:*")
