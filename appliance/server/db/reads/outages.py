"""Reads of outages: spans of time in which no server was there to hand out runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from appliance.server.db.reads import leases, settings
from appliance.server.db.rows.leases import LeaseRow

SERVER = "server"
"""The lease in which all servers note that they take requests."""
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True)
class Outage:
    """The policies of schedules have still to decide about the due times in (after, until]."""

    after: datetime
    until: datetime

    def after_or(self, unseen_from: datetime | None) -> datetime:
        """Where it began; for one without a known beginning, just before the first due time that nobody has seen."""
        if self.after > _BEGINNING or unseen_from is None:
            return self.after
        return unseen_from - timedelta(microseconds=1)


OUTAGE = settings.Stored("outage", Outage)


def find(session: Session, now: datetime) -> Outage | None:
    """The outage that is not settled yet, or that lasts until now; None when a server is and was there."""
    server = leases.get(session, SERVER)  # before the record, which is written together with the lease
    return lasting(server, OUTAGE.find(session), now)


def lasting(server: LeaseRow | None, recorded: Outage | None, now: datetime) -> Outage | None:
    """The same from the servers' lease and the stored record. A record that reaches beyond `now` comes from a wrong clock that was set
    back since: what it says of times still to come is not true."""
    if recorded is not None and recorded.until > now:
        recorded = Outage(recorded.after, now) if recorded.after < now else None
    if server is None or server.last_run_at is None or server.expires >= now:
        return recorded
    return Outage(server.last_run_at if recorded is None else recorded.after, now)


def unserved(session: Session, now: datetime) -> Outage | None:
    """The same; but where no server has ever been there, the schedulers' absence counts. If there was none either, its beginning is
    not known."""
    if leases.get(session, SERVER) is not None:
        return find(session, now)
    scheduler = leases.get(session, leases.SCHEDULER)
    if scheduler is None or scheduler.last_run_at is None:
        return Outage(_BEGINNING, now)
    return Outage(scheduler.last_run_at, now) if now - scheduler.last_run_at > _PATIENCE else None
