"""The run protocol: may this attempt run, and what it reports while it does. Every answer may be lost; a repeated request is harmless."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, crash
from appliance.protocol.logs import LOGGER
from appliance.protocol.run_protocol import Begin, Begun, EarlierTask, Report, Reported
from appliance.protocol.state_change import StateChange
from appliance.server.actions import quotas, report_limits, report_rows, slots
from appliance.server.actions.log_budget import LogBudget
from appliance.server.actions.report_rows import Batch, GraphTask, TaskRows, log_row
from appliance.server.actions.states import close_tasks, conflict, facts_of, propose_state, store_report
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs as read_flow_runs
from appliance.server.db.reads import flows
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.reads.pages import RowPage
from appliance.server.db.retries import retried
from appliance.server.db.rows.flow_runs import AttemptRun, FlowRunColumns, LockedRun
from appliance.server.db.rows.task_runs import EarlierTaskRun
from appliance.server.db.session import Database
from appliance.server.db.writes import concurrency, flow_runs, logs, states, task_runs
from appliance.server.domain.bounds import check_name
from appliance.server.domain.quotas import LINE, ROW, Quota, Stored
from appliance.server.domain.report_budget import ReportBudget
from appliance.server.domain.run_protocol import Gap, Repeated, bounded, has_begun, judge_report, stop_reason
from appliance.server.domain.transitions import RUNNING, Refuse, Wait, accepted, ends_attempt
from appliance.server.errors import NotFound, SequenceGap
from appliance.server.events.outbox import announce

_graphs: OrderedDict[UUID, dict[str, GraphTask]] = OrderedDict()
"""Task names and tags by version: a version never changes, and every report needs them."""
_GRAPHS_KEPT = 64
_EARLIER_BYTES = 8 * 1024 * 1024
"""Of earlier task runs in one answer. A client reads at most 64 MB."""
_budget = LogBudget()


@retried
def begin(
    db: Database,
    actor: Actor,
    flow_run_id: UUID,
    request: Begin,
    after: str | None = None,
    *,
    now: datetime | None = None,
) -> Begun:
    """Let the attempt run, make it wait, or tell it to end. A go sets the run Running; a repeated request gets the same answer. The task runs of
    earlier attempts come in pages, unless `after` is None."""
    now = now or clock.now()
    with db.write("begin") as session:
        run = flow_runs.lock_attempt(session, flow_run_id)
        if run is None:
            raise _no_such_run()
        if has_begun(run, request.attempt):
            return _go(session, db, run, after)
        hold = "The flow is paused." if run.paused else ""
        columns: FlowRunColumns = {
            "start_time": now, "lease_expires_at": now + timedelta(seconds=db.rules.run_lease),
        }  # fmt: skip
        running = StateChange(RUNNING, "Running", now)
        verdict = propose_state(session, run, running, actor, columns, hold=hold, attempt=request.attempt)
        if isinstance(verdict, Refuse):
            return Begun(verdict="refused", reason=verdict.sentence)
        if isinstance(verdict, Wait):
            return Begun(verdict="wait", reason=verdict.reason, retry_after=verdict.retry_after)
        return _go(session, db, run, after)


@retried
def report(db: Database, actor: Actor, flow_run_id: UUID, request: Report, *, now: datetime | None = None) -> Reported:
    """Store a numbered batch once, however often it is sent; without events it is the heartbeat. Both prolong the lease."""
    now = now or clock.now()
    batch = report_rows.sort(flow_run_id, request)
    with db.write("report") as session:
        run = states.lock(session, flow_run_id)
        if run is None:
            raise _no_such_run()
        verdict = judge_report(run, request.attempt, request.seq, empty=not request.events)
        if isinstance(verdict, Refuse):
            raise conflict(verdict)
        if isinstance(verdict, Gap):
            raise SequenceGap(verdict.sentence, acked=run.last_seq)
        if isinstance(verdict, Repeated):
            return _answer(db, session, run, run.last_seq, run.cancel_requested or verdict.ended)
        ended = _store(session, db, run, batch, verdict.seq, actor, now)
        return _answer(db, session, run, verdict.seq, run.cancel_requested and not ended)


def _answer(db: Database, session: Session, run: LockedRun, acked: int, cancel: bool) -> Reported:
    tags = slots.limited_tags(db, session)
    reason = _cancel_reason(session, run) if cancel else ""
    return Reported(acked=acked, cancel=cancel, cancel_reason=reason, lease_s=db.rules.run_lease, limited_tags=tags)


def _cancel_reason(session: Session, run: LockedRun) -> str:
    known = read_flow_runs.of_attempts(session, [(run.id, run.attempt)]).get(run.id)
    return "" if known is None else stop_reason(known.state_type, known.state_name, known.state_message)


def _store(session: Session, db: Database, run: LockedRun, batch: Batch, seq: int, actor: Actor, now: datetime) -> bool:
    """Write all of a batch; has the attempt ended with it?"""
    strange = _strange_slugs(session, run, batch)
    wide = report_limits.without_far_children(batch, db.rules.mapped_children)
    budget = ReportBudget(run.report_bytes, db.rules.run_report_bytes)
    quota = _full(session, db, run, batch)
    if quota is not None:
        budget.close()
        batch.logs.clear()
    tasks = _store_tasks(session, run, batch, now, db.rules.task_run_states, budget) if batch.tasks else TaskRows()
    reached, too_many = bounded(run, accepted(facts_of(run), batch.flow), db.rules.flow_run_states, budget)
    lines = _budget.admit(run.id, batch.logs, db.rules.run_log_bytes_per_minute, now)
    sentences = [report_limits.unregistered(strange)] if strange else []
    if budget.is_newly_spent:  # said once, so it is not for the log's budget to drop
        sentences.append(report_limits.spent(db.rules) if quota is None else report_limits.full(quota, db.rules))
    lines += [log_row(run.id, now, "WARNING", LOGGER, text) for text in sentences]
    limits = report_limits.beyond(db.rules, wide, sorted(set(tasks.endless)), too_many=too_many)
    notices = [log_row(run.id, now, "WARNING", LOGGER, text) for text in limits]
    lines += _budget.admit(run.id, notices, db.rules.run_log_bytes_per_minute, now)
    logs.add(session, lines)
    if (batch.tasks or batch.logs) and (batch.freed or not reached):  # a new state of the run is news enough
        news = {"version": run.version, "lines": len(lines)} | ({"freed": True} if batch.freed else {})
        announce(session, "flow_run", run.id, "flow_run.progress", news, actor, now)
    if batch.freed:
        concurrency.free(session, run.id, batch.freed)
    lease = now + timedelta(seconds=db.rules.run_lease)
    columns: FlowRunColumns = {"last_seq": seq, "lease_expires_at": lease, "report_bytes": budget.used}
    stored = Stored(
        len(tasks.new) + len(tasks.states) + len(reached),
        len(tasks.new) * ROW + budget.admitted,
        len(lines),
        sum(LINE + len(row["message"].encode()) for row in lines),
    )
    store_report(session, run, reached, columns, stored, actor, now)
    if not reached:
        return False
    close_tasks(session, run, reached[-1].type, now)
    return ends_attempt(reached[-1].type)


def _full(session: Session, db: Database, run: LockedRun, batch: Batch) -> Quota | None:
    """The quota that the project of the run has reached, if there is something to store."""
    if not (batch.tasks or batch.flow or batch.logs):
        return None
    return quotas.reached(session, quotas.project_of(session, run.flow_id), db.rules)


def _strange_slugs(session: Session, run: LockedRun, batch: Batch) -> list[str]:
    """Take the task runs of tasks that the registered flow doesn't have, or doesn't map, out of the batch. The run itself may go on: its code decides,
    perhaps differently each time, which tasks it has."""
    named = {events[0].slug for events in batch.tasks.values()} | {
        slug for row in batch.logs if (slug := row["task_slug"])
    }
    if not named:
        return []
    graph = _graph(session, run.flow_version_id)
    unknown = named - graph.keys()
    for slug in unknown:
        check_name(slug, "slug")
    strange = {
        id: events[0].slug
        for id, events in batch.tasks.items()
        if events[0].slug in unknown or (events[0].map_index >= 0 and not graph[events[0].slug].mapped)
    }
    for id in strange:
        del batch.tasks[id]
    return sorted(set(strange.values()))


def _store_tasks(
    session: Session, run: LockedRun, batch: Batch, now: datetime, most_states: int, budget: ReportBudget
) -> TaskRows:
    """Store the task runs of a batch; the rows."""
    stored = {} if run.last_seq == 0 and run.attempt == 1 else read_task_runs.by_ids(session, list(batch.tasks))
    graph = _graph(session, run.flow_version_id)
    rows = report_rows.task_rows(run.id, run.attempt, batch.tasks, stored, graph, now, most_states, budget)
    task_runs.store(session, rows.new, rows.changed, rows.states)
    crash.point("report.tasks.stored")
    return rows


def _go(session: Session, db: Database, run: AttemptRun, after: str | None) -> Begun:
    earlier: RowPage[EarlierTaskRun] = RowPage([])
    if run.attempt > 1:
        most = None if after is None else _EARLIER_BYTES
        earlier = read_task_runs.of_flow_run(session, run.id, most, after or "")
    return Begun(
        verdict="go",
        flow_run_name=run.name,
        parameters=run.parameters,
        context=run.context,
        scheduled_time=run.due_at or run.scheduled_time,
        last_seq=run.last_seq,
        tasks=[_earlier_task(task) for task in earlier.rows],
        more_after=earlier.next,
        heartbeat_interval=db.rules.heartbeat_interval,
        longest_wait=db.rules.longest_wait,
        limited_tags=slots.limited_tags(db, session),
        starts_runs=True,
        makes_artifacts=db.rules.run_artifacts > 0,
        storage=run.storage,
        flow=run.flow,
        project=run.project,
        run_config=run.run_config,
    )


def _earlier_task(task: EarlierTaskRun) -> EarlierTask:
    return EarlierTask(
        task_slug=task.task_slug,
        map_index=task.map_index,
        type=task.state_type,
        name=task.state_name,
        message=task.state_message,
        data=task.state_data or {},
        result_location=task.result_location,
        run_count=task.run_count,
    )


def _no_such_run() -> NotFound:
    return NotFound("There is no such run; it may have been deleted.")


def _graph(session: Session, version_id: UUID) -> dict[str, GraphTask]:
    graph = _graphs.get(version_id)
    if graph is None:
        tasks = flows.graph_of(session, version_id).get("tasks", [])
        graph = {
            task["slug"]: GraphTask(task.get("name") or task["slug"], task.get("tags") or [], task.get("mapped", True))
            for task in tasks
        }
        _graphs[version_id] = graph
        while len(_graphs) > _GRAPHS_KEPT:
            _graphs.popitem(last=False)
    return graph
