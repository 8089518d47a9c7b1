"""Limits on how many run at once and how many tasks start in a period, set and removed by people. Zero lets nothing start; what is running continues."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.limits import LONGEST_PERIOD, MOST_SLOTS, MOST_STARTS, SHORTEST_PERIOD
from appliance.server.actions.keyed import keyed
from appliance.server.actions.slots import forget_limits
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import mapped_flows, run_filter_names, run_filters
from appliance.server.db.rows.concurrency import LimitRow
from appliance.server.db.session import Database
from appliance.server.db.writes import concurrency
from appliance.server.domain.concurrency import FLOW, KINDS, LABEL, TASK_RATE
from appliance.server.domain.sanitize import clean, composed
from appliance.server.errors import Invalid, NotFound
from appliance.server.events.outbox import announce


def put(
    db: Database,
    actor: Actor,
    kind: str,
    name: str,
    slots: int,
    per: float | None = None,
    *,
    now: datetime | None = None,
) -> LimitRow:
    """Limit a flow (named `project/flow`), a label or a task tag to this many at once, or the starts of tasks with a tag to this many in `per`
    seconds; the same limit set again changes the numbers."""
    if kind not in KINDS:
        raise Invalid(f"A limit applies to a {', a '.join(KINDS)}, not to {kind!r}.")
    if isinstance(slots, bool) or not 0 <= slots <= MOST_SLOTS:
        raise Invalid(f"The slots of a limit must be a number from 0 to {MOST_SLOTS}.")
    _check_period(kind, slots, per)
    row = _put(db, actor, kind, name, slots, per, now=now or clock.now())
    forget_limits(db)
    return row


@keyed("limit.put")
def _put(db: Database, actor: Actor, kind: str, name: str, slots: int, per: float | None, *, now: datetime) -> LimitRow:
    with db.write("limit.put") as session:
        key = _flow_id(session, name) if kind == FLOW else _plain(composed(name) if kind == LABEL else name)
        new = concurrency.new_row(ids.uuid7(), kind, key, slots, per, clean(actor.name, 200), now)
        row = concurrency.put(session, new)
        _announce(session, row, "concurrency.set", actor, now)
        return row


def remove(db: Database, actor: Actor, limit_id: UUID, *, now: datetime | None = None) -> None:
    """Remove a limit; what waited under it can start at once."""
    _remove(db, actor, limit_id, now=now or clock.now())
    forget_limits(db)


@keyed("limit.remove")
def _remove(db: Database, actor: Actor, limit_id: UUID, *, now: datetime) -> None:
    with db.write("limit.remove") as session:
        row = concurrency.remove(session, limit_id)
        if row is None:
            raise NotFound("There is no such limit; it may have been removed.")
        _announce(session, row, "concurrency.removed", actor, now)


def _check_period(kind: str, slots: int, per: float | None) -> None:
    """A period belongs to a rate limit, whose starts are noted one by one."""
    if kind != TASK_RATE:
        if per is not None:
            raise Invalid(f"Only a limit of the kind {TASK_RATE} has a period; omit per.")
        return
    if per is None or not SHORTEST_PERIOD <= per <= LONGEST_PERIOD:
        raise Invalid(
            f"A limit of the kind {TASK_RATE} needs per, a period of {SHORTEST_PERIOD} to {LONGEST_PERIOD:,} s."
        )
    if slots > MOST_STARTS:
        raise Invalid(f"At most {MOST_STARTS:,} starts in a period can be counted; choose a shorter period.")


def _flow_id(session: Session, name: str) -> str:
    meanings = run_filters.project_and_flow(name)
    row = next((row for meant in meanings if (row := mapped_flows.find(session, None, *meant)) is not None), None)
    if row is None:
        project, _, flow = name.partition("/")
        meant = run_filter_names.like_flow(session, project, flow) if flow else None
        way_out = "give its project and its name, like reports/daily." if meant is None else f"did you mean {meant!r}?"
        raise NotFound(f"There is no flow {name[:160]!r}; {way_out}")
    return str(row.id)


def _plain(name: str) -> str:
    text = clean(name, 300).strip()
    if not text or text != name:
        raise Invalid("The name of a limit must be a label or a tag, 1 to 300 characters without surrounding spaces.")
    return text


def _announce(session: Session, row: LimitRow, kind: str, actor: Actor, now: datetime) -> None:
    announce(session, "concurrency", row.id, kind, _facts(row), actor, now)


def _facts(row: LimitRow) -> dict[str, Any]:
    period = {} if row.per is None else {"per": row.per}
    return {"of": row.kind, "name": row.name, "slots": row.slots, **period}
