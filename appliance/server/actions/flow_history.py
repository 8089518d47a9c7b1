"""What the last runs of a flow say of it: for people who ask why it fails, and what makes it slow."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_history import FlowHistory, FlowTasks, PastRun
from appliance.server.db.reads import flow_history as reads
from appliance.server.db.reads import flows, known_failures, task_runs
from appliance.server.db.rows.flow_runs import PastRunRow
from appliance.server.domain.failures import failure_of, has_failed, is_known_at, is_own_cause
from appliance.server.domain.flow_history import FailedRun, affordable, figures, is_over, percentile, ranked, successful
from appliance.server.errors import NotFound


def history(session: Session, flow_id: UUID, now: datetime) -> FlowHistory:
    """How long the flow's last runs took, and why some failed. Raises NotFound."""
    _require(session, flow_id)
    rows = reads.runs(session, flow_id, now)
    failed = [row for row in rows if has_failed(row.state_type)]
    tasks = task_runs.first_failures(session, [row.id for row in failed if not is_own_cause(row.state_name)])
    causes = [
        FailedRun(row.id, row.end_time or row.state_at, failure_of(row.state_message, tasks.get(row.id)))
        for row in failed
    ]
    known = known_failures.open_of_flows(session, [flow_id]) if failed else ()
    runs = [_run(row) for row in rows]
    seconds = successful(runs)
    return FlowHistory(
        flow_id=flow_id,
        runs=runs,
        median_seconds=percentile(seconds, 0.5),
        p95_seconds=percentile(seconds, 0.95),
        causes=ranked(
            causes, frozenset((one.task_slug, one.fingerprint) for one in known if is_known_at(one.until, now))
        ),
    )


def typical_seconds(session: Session, flow_id: UUID, now: datetime) -> float | None:
    """How long the flow's last runs that succeeded took, the median; None if there are none."""
    return percentile(successful(map(_run, reads.runs(session, flow_id, now))), 0.5)


def tasks(session: Session, flow_id: UUID, now: datetime) -> FlowTasks:
    """What each task took in the flow's last runs that have ended. Raises NotFound."""
    _require(session, flow_id)
    over = [row for row in reads.runs(session, flow_id, now) if is_over(row.state_type)]
    latest = over[: reads.MOST_RUNS_WITH_TASKS]
    chosen = affordable(latest)
    graphs = reads.graphs(session, {row.flow_version_id for row in chosen})
    edges = {
        version: [(edge["upstream"], edge["downstream"]) for edge in graph.get("edges", [])]
        for version, (graph, _parameters) in graphs.items()
    }
    hidden = {
        task["slug"]
        for graph, _parameters in graphs.values()
        for task in graph.get("tasks", [])
        if task.get("auto_generated")
    }
    hidden |= {parameter["name"] for _graph, parameters in graphs.values() for parameter in parameters}
    spans = reads.task_spans(session, [row.id for row in chosen])
    of_runs = {row.id: edges.get(row.flow_version_id, []) for row in chosen}
    return FlowTasks(
        flow_id=flow_id,
        runs=len(chosen),
        left_out=len(latest) - len(chosen),
        tasks=figures(spans, of_runs, frozenset(hidden)),
    )


def _require(session: Session, flow_id: UUID) -> None:
    if flows.get(session, flow_id) is None:
        raise NotFound("There is no such flow; it may have been deleted.")


def _run(row: PastRunRow) -> PastRun:
    took = None if row.start_time is None or row.end_time is None else row.end_time - row.start_time
    return PastRun(
        id=row.id,
        name=row.name,
        state_type=row.state_type,
        state_name=row.state_name,
        scheduled_time=row.scheduled_time,
        start_time=row.start_time,
        end_time=row.end_time,
        seconds=None if took is None else took.total_seconds(),
        version=row.number,
    )
