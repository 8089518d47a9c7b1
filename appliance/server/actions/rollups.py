"""Totals of ended runs by flow and hour, and of all runs for counters, from the outbox: each event counts exactly once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.server.db.reads import events
from appliance.server.db.reads import rollups as read_rollups
from appliance.server.db.retries import retried
from appliance.server.db.rows.events import RunEvent
from appliance.server.db.rows.rollups import NewRollup
from appliance.server.db.session import Database
from appliance.server.db.writes import rollups, settings
from appliance.server.domain.run_totals import RunTotals
from appliance.server.domain.transitions import ends_run
from appliance.server.errors import Invalid

BATCH = 2_000
MOST_HOURS = 31 * 24


@retried
def advance(db: Database, now: datetime, limit: int = BATCH) -> int:
    """Add the next events to the totals; how many were read. Totals and position in the outbox are stored together or not at all."""
    with db.read() as session:
        if events.newest_id(session) <= min(read_rollups.POSITION.find(session) or 0, _totals(session).last):
            return 0
    with db.write("rollup") as session:
        position = rollups.take_position(session, now)
        totals = _totals(session)
        after = min(position, totals.last)  # an earlier release has stored no totals
        rows = _up_to(events.with_runs_after(session, after, limit), read_rollups.settled(session, now))
        if rows:
            totals.add(rows)
            settings.put(session, read_rollups.TOTALS.name, msgspec.json.encode(totals).decode(), now)
            rollups.add(session, sums([row for row in rows if row.id > position]))
            rollups.set_position(session, max(position, rows[-1].id), now)
    return len(rows)


def position(db: Database) -> int:
    """The id of the last event in the totals."""
    with db.read() as session:
        return read_rollups.POSITION.find(session) or 0


def _totals(session: Session) -> RunTotals:
    return read_rollups.TOTALS.find(session) or RunTotals()


def _up_to(rows: list[RunEvent], settled: datetime | None) -> list[RunEvent]:
    if settled is None:
        return rows
    stop = next((place for place, row in enumerate(rows) if row.at >= settled), len(rows))
    return rows[:stop]


def sums(rows: list[RunEvent]) -> list[NewRollup]:
    """The ends among events, added up by flow, hour and state. A run whose row is gone belongs to no flow any more."""
    totals: dict[tuple[UUID, datetime, str], NewRollup] = {}
    for row in rows:
        if row.kind != "flow_run.state" or not ends_run(row.data.get("type", "")) or row.flow_id is None:
            continue
        seconds = 0.0 if row.start_time is None else max(0.0, (row.at - row.start_time).total_seconds())
        hour = row.at.replace(minute=0, second=0, microsecond=0)
        key = (row.flow_id, hour, row.data["name"])
        total = totals.setdefault(
            key,
            {
                "flow_id": row.flow_id,
                "hour": hour,
                "state_name": row.data["name"],
                "state_type": row.data["type"],
                "runs": 0,
                "seconds": 0.0,
                "longest": 0.0,
            },
        )
        total["runs"] += 1
        total["seconds"] += seconds
        total["longest"] = max(total["longest"], seconds)
    return [totals[key] for key in sorted(totals, key=lambda key: (key[0].bytes, *key[1:]))]


def check_span(since: datetime, until: datetime) -> None:
    """Raise Invalid for a span that would give an unbounded answer."""
    hours = (until - since).total_seconds() / 3600
    if not 0 < hours <= MOST_HOURS:
        raise Invalid(f"Request the totals of 1 to {MOST_HOURS} hours, with `until` after `since`.")
