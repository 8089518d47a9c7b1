"""Leases: which process runs a service now."""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.kit import clock
from appliance.server.db.reads import leases as read_leases
from appliance.server.db.retries import retried
from appliance.server.db.rows.leases import LeaseRow
from appliance.server.db.session import Database
from appliance.server.db.writes import leases


@retried
def acquire(db: Database, name: str, holder: str, ttl: float, *, now: datetime | None = None) -> int | None:
    """Take or renew a lease for `ttl` seconds; its epoch, or None while another process holds it."""
    now = now or clock.now()
    with db.write("lease.take") as session:
        return leases.acquire(session, name, holder, now + timedelta(seconds=ttl), now)


@retried
def seize(db: Database, lease: LeaseRow, holder: str, ttl: float, *, now: datetime | None = None) -> int | None:
    """Take a lease from its holder; its epoch, or None if it has changed since it was read."""
    now = now or clock.now()
    with db.write("lease.take") as session:
        return leases.seize(session, lease, holder, now + timedelta(seconds=ttl))


@retried
def prolong(db: Database, name: str, epoch: int, ttl: float, *, now: datetime | None = None) -> bool:
    """Let the lease of this epoch last for `ttl` seconds from now; False when it was lost."""
    with db.write("lease.prolong") as session:
        return leases.prolong(session, name, epoch, (now or clock.now()) + timedelta(seconds=ttl))


@retried
def release(db: Database, name: str, holder: str, epoch: int, *, now: datetime | None = None) -> None:
    """Give a lease back."""
    with db.write("lease.release") as session:
        leases.release(session, name, holder, epoch, now or clock.now())


@retried
def record(
    db: Database, name: str, epoch: int, counts: dict[str, int], ttl: float, *, now: datetime | None = None
) -> bool:
    """Record a completed round and what it did, and renew the lease for `ttl` seconds; False when it was lost in the meantime."""
    now = now or clock.now()
    text = " ".join(f"{key}={value}" for key, value in counts.items())
    with db.write("lease.record") as session:
        return leases.record(session, name, epoch, now, text, now + timedelta(seconds=ttl))


def find(db: Database, name: str) -> LeaseRow | None:
    """The lease as a row, or None when no process ever held it."""
    with db.read() as session:
        return read_leases.get(session, name)
