"""The run protocol: may this attempt run, and what it reports while it does. Every answer may be lost; asking again is harmless."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, crash
from appliance.protocol.run_protocol import Begin, Begun, EarlierTask, FlowStateEvent, Report, Reported
from appliance.protocol.states import TERMINAL
from appliance.server.actions import report_rows as batches
from appliance.server.actions import slots
from appliance.server.actions.states import close_tasks, handed_back, store_state
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flows
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.retries import retried
from appliance.server.db.rows.events import StateNews
from appliance.server.db.rows.flow_runs import AttemptRun, FlowRunColumns, LockedRun
from appliance.server.db.rows.states import NewState
from appliance.server.db.session import Database
from appliance.server.db.writes import concurrency, flow_runs, logs, states, task_runs
from appliance.server.domain.sanitize import clean, clean_document
from appliance.server.domain.transitions import HANDED_BACK, Accept, Facts, Proposed, Refuse, Wait, decide
from appliance.server.errors import Conflict, Invalid, NotFound, SequenceGap, StaleAttempt
from appliance.server.events.outbox import announce, announce_all

_graphs: OrderedDict[UUID, dict[str, tuple[str, list[str]]]] = OrderedDict()
"""Task names and tags by version: a version never changes, and every report needs them."""
_GRAPHS_KEPT = 64

_Run = TypeVar("_Run", bound=LockedRun)


@retried
def begin(db: Database, actor: Actor, flow_run_id: UUID, request: Begin, *, now: datetime | None = None) -> Begun:
    """Let the attempt run, have it wait, or tell it to end. A go sets the run Running; asking again answers the same."""
    now = now or clock.now()
    with db.write("begin") as session:
        run = _required(flow_runs.lock_attempt(session, flow_run_id))
        if run.state_type == "RUNNING" and run.attempt == request.attempt:
            return _go(session, db, run)
        hold = "The flow is paused." if run.paused else ""
        facts = Facts(run.state_type, run.state_name, run.attempt, hold)
        verdict = decide(facts, Proposed("RUNNING", "Running", request.attempt))
        if isinstance(verdict, Refuse):
            return Begun(verdict="refused", reason=verdict.sentence)
        if isinstance(verdict, Wait):
            return Begun(verdict="wait", reason=verdict.reason, retry_after=verdict.retry_after)
        extra: FlowRunColumns = {"start_time": now, "lease_expires_at": now + timedelta(seconds=db.rules.run_lease)}
        store_state(session, run, verdict.type, verdict.name, "", None, actor, now, extra)
        return _go(session, db, run)


@retried
def report(db: Database, actor: Actor, flow_run_id: UUID, request: Report, *, now: datetime | None = None) -> Reported:
    """Store a numbered batch once, however often it is sent; without events it is the heartbeat. Both prolong the lease."""
    now = now or clock.now()
    batch = batches.sort(flow_run_id, request)
    with db.write("report") as session:
        run = _required(states.lock(session, flow_run_id))
        if request.attempt != run.attempt:
            raise StaleAttempt(f"Attempt {request.attempt} was replaced by attempt {run.attempt}; end this process.")
        ended = run.state_type in TERMINAL or run.state_type in HANDED_BACK
        if request.seq <= run.last_seq and (request.events or ended):
            return Reported(
                acked=run.last_seq,
                cancel=run.cancel_requested or ended,
                lease_s=db.rules.run_lease,
                limited_tags=slots.limited_tags(db, session),
            )
        if request.seq > run.last_seq + bool(request.events):
            raise SequenceGap(
                f"Batch {request.seq} came before batch {run.last_seq + 1}; send that one first.", acked=run.last_seq
            )
        if ended or run.state_type not in ("RUNNING", "CANCELLING"):
            raise StaleAttempt(f"The run is {run.state_name} and takes no reports; end this process.")
        seq = request.seq if request.events else run.last_seq
        ended_as = _store(session, db, run, batch, seq, actor, now)
        return Reported(
            acked=seq,
            cancel=run.cancel_requested and not ended_as,
            lease_s=db.rules.run_lease,
            limited_tags=slots.limited_tags(db, session),
        )


def _store(
    session: Session, db: Database, run: LockedRun, batch: batches.Batch, seq: int, actor: Actor, now: datetime
) -> str | None:
    """Write all of a batch; the type in which the attempt ended, or None."""
    if batch.tasks:
        known = {} if run.last_seq == 0 and run.attempt == 1 else read_task_runs.stored(session, list(batch.tasks))
        graph = _graph(session, run.flow_version_id)
        rows = batches.task_rows(run.id, run.attempt, batch.tasks, known, graph, now)
        task_runs.store(session, rows.new, rows.changed, rows.states)
        crash.point("report.tasks.stored")
    logs.add(session, batch.logs)
    lease = now + timedelta(seconds=db.rules.run_lease)
    values: FlowRunColumns = {"last_seq": seq, "lease_expires_at": lease}
    history = _flow_states(run, batch.flow, actor)
    ended_as = None
    if history:
        last = history[-1]
        values |= states.columns(last)
        if last["type"] in TERMINAL:
            ended_as = str(last["type"])
            values |= {"end_time": last["at"], "lease_expires_at": None}
        elif last["type"] in HANDED_BACK:
            ended_as = str(last["type"])
            values |= handed_back(last)
    if not states.change(session, run.id, run.version, values):
        raise Conflict("The run changed at the same moment; send the report again.")
    crash.point("report.changed")
    states.add(session, history)
    if ended_as in TERMINAL:
        close_tasks(session, run, ended_as, now)
    if batch.freed:
        concurrency.free(session, run.id, batch.freed)
    if (batch.tasks or batch.logs) and (batch.freed or not history):  # a new state of the run is news enough
        news = {"version": run.version} | ({"freed": True} if batch.freed else {})
        announce(session, "flow_run", run.id, "flow_run.progress", news, actor, now)
    told = [(run.id, StateNews(type=row["type"], name=row["name"], version=row["version"])) for row in history]
    announce_all(session, "flow_run", "flow_run.state", told, actor, now)
    return ended_as


def _flow_states(run: LockedRun, events: list[FlowStateEvent], actor: Actor) -> list[NewState]:
    """The history rows for those of the run's own events that the rules accept; others come too late and change nothing."""
    rows: list[NewState] = []
    type: str = run.state_type
    name, version = run.state_name, run.version
    for event in events:
        if len(event.name) > 40:
            raise Invalid("The name of a state is at most 40 characters long.")
        timed = event.type == "PAUSED" and (event.data or {}).get("start_time") is not None
        wanted = "SCHEDULED" if timed else event.type  # a pause with an end goes on by itself, under its own name
        verdict = decide(Facts(type, name, run.attempt), Proposed(wanted, event.name, run.attempt))
        if not isinstance(verdict, Accept) or (type, name) == (verdict.type, verdict.name):
            continue
        type, name, version = verdict.type, verdict.name, version + 1
        data = None if event.data is None else clean_document(event.data)
        actor_name = clean(actor.name, 200)
        rows.append(
            states.row(run.id, version, run.attempt, type, name, event.at, actor_name, clean(event.message), data)
        )
    return rows


def _go(session: Session, db: Database, run: AttemptRun) -> Begun:
    earlier = read_task_runs.of_flow_run(session, run.id) if run.attempt > 1 else []
    return Begun(
        verdict="go",
        flow_run_name=run.name,
        parameters=run.parameters,
        context=run.context,
        scheduled_time=run.due_at or run.scheduled_time,
        last_seq=run.last_seq,
        tasks=[
            EarlierTask(
                task_slug=task.task_slug,
                map_index=task.map_index,
                type=task.state_type,
                name=task.state_name,
                message=task.state_message,
                data=task.state_data or {},
                result_location=task.result_location,
                run_count=task.run_count,
            )
            for task in earlier
        ],
        heartbeat_interval=db.rules.heartbeat_interval,
        longest_wait=db.rules.longest_wait,
        limited_tags=slots.limited_tags(db, session),
        storage=run.storage,
        flow=run.flow,
        project=run.project,
        run_config=run.run_config,
    )


def _required(run: _Run | None) -> _Run:
    if run is None:
        raise NotFound("There is no such run; it may have been deleted.")
    return run


def _graph(session: Session, version_id: UUID) -> dict[str, tuple[str, list[str]]]:
    known = _graphs.get(version_id)
    if known is None:
        tasks = flows.graph_of(session, version_id).get("tasks", [])
        known = {task["slug"]: (task.get("name") or task["slug"], task.get("tags") or []) for task in tasks}
        _graphs[version_id] = known
        while len(_graphs) > _GRAPHS_KEPT:
            _graphs.popitem(last=False)
    return known
