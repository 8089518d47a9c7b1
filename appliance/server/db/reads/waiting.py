"""Reads for why runs wait: agents, limits with their holders, and schedules whose runs must not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.protocol.run_config import kind_of, needs_of
from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import (
    agents,
    concurrency,
    flow_runs,
    flows,
    hold,
    maintenance,
    outages,
    projects,
    readable,
    run_configs,
)
from appliance.server.db.rows.flow_runs import FlowRunRow, RunStart
from appliance.server.db.rows.flows import FlowRow
from appliance.server.db.tables import metadata
from appliance.server.domain import continuation, hosts
from appliance.server.domain.concurrency import FLOW, LABEL, Key
from appliance.server.domain.deploys import waits_for_code
from appliance.server.domain.transitions import LATE
from appliance.server.domain.waiting import (
    PAUSED_WITH_PROJECT,
    WAITING,
    AgentFacts,
    Holder,
    LimitFacts,
    RunFacts,
    Situation,
    Waiting,
    kinds_started,
    provided_by,
    storages_known,
    why,
)

_run = metadata.tables["flow_run"]
_schedule = metadata.tables["schedule"]
_BUSY_SCHEDULES = Prepared(
    select(_schedule.c.id, _run.c.id, _run.c.name)
    .join(_run, _run.c.schedule_id == _schedule.c.id)
    .where(LIVE_NOW, _schedule.c.overlap != "allow")
)


def situation(session: Session, now: datetime) -> Situation:
    """The current facts for all waiting runs, in a handful of small queries."""
    return Situation(
        now,
        _agents(session),
        _limits(session),
        _busy_schedules(session),
        hold.held_until(hold.HOLD.find(session)),
        maintenance.find(session, now),
        outages.find(session, now),
    )


def agent_facts(session: Session, now: datetime) -> Situation:
    """The agents alone, for the question who would take a run."""
    return Situation(now, _agents(session))


def reasons(session: Session, runs: Sequence[FlowRunRow], now: datetime) -> dict[UUID, Waiting]:
    """Why the waiting ones among these runs wait."""
    waiting = [run for run in runs if run.state_type in WAITING]
    if not waiting:
        return {}
    common = situation(session, now)
    flows_by_id = {flow.id: flow for flow in flows.by_ids(session, {run.flow_id for run in waiting})}
    starts = run_configs.starts(session, [run.id for run in waiting])
    verdicts = {
        run.id: why(run_facts(run, flows_by_id[run.flow_id], starts.get(run.id)), common)
        for run in waiting
        if run.flow_id in flows_by_id
    }
    return {run_id: reason for run_id, reason in verdicts.items() if reason is not None}


def run_facts(run: FlowRunRow, flow: FlowRow, start: RunStart | None) -> RunFacts:
    """The facts of a run, from its row, its flow's, and how it is started (None: that is damaged)."""
    return RunFacts(
        state_type=run.state_type,
        state_name=run.state_name,
        message=run.state_message,
        scheduled_time=run.scheduled_time,
        labels=frozenset(run.labels),
        flow_paused=flow.paused,
        flow_archived=flow.archived,
        project_paused=PAUSED_WITH_PROJECT in flow.settings,
        flow_id=flow.id,
        project_id=flow.project_id,
        flow=flow.name,
        schedule_id=run.schedule_id,
        kind="universal" if start is None else kind_of(start.run_config),
        storage="local" if start is None else start.storage_type,
        needs=needs_of({} if start is None else start.run_config),
        waits_for_code=waits_for_code(run.state_data),
        results_at=run.results_at,
        planned_for=run.due_at if _is_only_planned(run) else None,
    )


def _is_only_planned(run: FlowRunRow) -> bool:
    """As conditions.ONLY_PLANNED."""
    untouched = run.version == 1 or (run.version == 2 and run.state_name == LATE.name)
    return run.schedule_id is not None and run.attempt == 0 and run.idempotency_key is None and untouched


def _agents(session: Session) -> list[AgentFacts]:
    rows = agents.every(session)
    running = flow_runs.live_counts_of_agents(session, [row.id for row in rows])
    limited = {name for row in rows for name in row.projects or ()}
    ids = projects.ids_of(session, limited) if limited else {}
    return [
        AgentFacts(
            frozenset(hosts.with_host(row.labels, row.host)),
            row.capacity,
            running.get(row.id, 0),
            row.state,
            row.last_seen,
            frozenset(ids[name] for name in row.projects if name in ids) if row.projects else None,
            frozenset(kinds_started(row)),
            frozenset(storages_known(row)),
            row.name,
            row.host,
            continuation.places_of(row),
            row.id,
            tuple(row.projects or ()),
            provided_by(row),
        )
        for row in rows
    ]


def _limits(session: Session) -> dict[Key, LimitFacts]:
    rows = [row for row in concurrency.every(session) if row.kind in (FLOW, LABEL)]
    if not rows:
        return {}
    holders: dict[Key, list[Holder]] = {(row.kind, row.name): [] for row in rows}
    for run in concurrency.live_runs(session):
        for key in ((FLOW, str(run.flow_id)), *((LABEL, label) for label in set(run.labels))):
            if key in holders:
                holders[key].append(Holder(run.id, run.name))
    return {(row.kind, row.name): LimitFacts(row.slots, tuple(holders[row.kind, row.name])) for row in rows}


def _busy_schedules(session: Session) -> dict[UUID, Holder]:
    return {schedule_id: Holder(run_id, name) for schedule_id, run_id, name in readable.every(session, _BUSY_SCHEDULES)}
