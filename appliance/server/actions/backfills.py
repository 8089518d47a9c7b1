"""Backfills: missing runs for past due times, created at a bounded rate. Unique keys ensure that no due time runs twice.

A run created here is due now, so that it neither overtakes others nor looks late; its code sees the due time that it is for. Its
schedule's overlap policy applies to it as to any other run, so where runs may not overlap, they are created one at a time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, takewhile
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.backfills import Backfill, BackfillPreview, BackfillRange
from appliance.schedules import ScheduleError, parse, validate
from appliance.server.actions import quotas, run_configs
from appliance.server.actions.flow_runs.edit import HIGHEST_PRIORITY
from appliance.server.actions.flow_runs.new_runs import insert_runs, merge_parameters, run_row
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import backfills as reads
from appliance.server.db.reads import mapped_flows
from appliance.server.db.rows.flow_runs import NewFlowRun
from appliance.server.db.rows.jobs import JobColumns, JobRow
from appliance.server.db.session import Database
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import schedules
from appliance.server.domain.backfills import room
from appliance.server.domain.quotas import OPEN_RUNS
from appliance.server.domain.rules import Rules
from appliance.server.domain.run_configs import SCHEDULE
from appliance.server.errors import Conflict, DamagedRow, Invalid, NotFound

MOST = 10_000
"""The maximum number of due times in one backfill."""
_BATCH = 50
_AGAIN = "The runs that were created stay; the same backfill, created again, goes on with the due times that have none."
_SHOWN = 100
_TICK = timedelta(microseconds=1)
_BESIDE = ("parameters", "labels", "run_config")


def preview(db: Database, request: BackfillRange, *, now: datetime | None = None) -> BackfillPreview:
    """How many due times the range has, and which of them have runs already."""
    now = now or clock.now()
    with db.read() as session:
        scope = _scope(session, request)
        times = _times(scope, request, now)
        existing_runs = reads.times_with_runs(
            session, scope.flow_id, request.schedule_id, scope.key, request.start, request.end
        )
    existing = [time for time in times if time in existing_runs]
    return BackfillPreview(
        count=len(times),
        existing=len(existing),
        first=times[0] if times else None,
        last=times[-1] if times else None,
        existing_times=existing[:_SHOWN],
    )


def job_document(session: Session, request: Backfill, now: datetime) -> JsonDocument:
    """The request as a job stores it, with the schedule as it is now: later edits don't affect the job. Raises Invalid, NotFound
    or Conflict."""
    scope = _scope(session, request)
    _times(scope, request, now)
    if not -HIGHEST_PRIORITY <= request.priority <= HIGHEST_PRIORITY:
        raise Invalid(f"The priority must be a number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}.")
    flow, version = _runnable(session, scope)
    merge_parameters(flow, version, {**scope.parameters, **request.parameters})
    run_configs.merged(flow, version, scope.run_config)
    document: JsonDocument = msgspec.to_builtins(request)
    return document | {"scope": msgspec.to_builtins(scope)}


def step(session: Session, job: JobRow, now: datetime, rules: Rules) -> JobColumns:
    """Create as many runs as the rate allows now; the columns of the job that change, none when it has to wait. A quota ends the job."""
    scope = msgspec.convert(job.request["scope"], Scope)
    request = msgspec.convert({key: value for key, value in job.request.items() if key != "scope"}, Backfill)
    schedule = None
    if request.schedule_id is not None:
        schedule = schedules.lock(session, request.schedule_id)
        if schedule is None:
            return {"state": "failed", "message": "The schedule was deleted; the runs that were created stay."}
    try:
        flow, version = _runnable(session, scope)
        parameters = merge_parameters(flow, version, {**scope.parameters, **request.parameters})
    except (Conflict, DamagedRow, Invalid, NotFound) as error:
        return {"state": "failed", "message": error.message}
    at_once = 1 if schedule is not None and schedule.overlap != "allow" else request.at_once
    unfinished = reads.unfinished(session, flow.id, scope.key)
    count, window = room(job.progress, now, unfinished, at_once, request.per_minute, _BATCH)
    if count <= 0:
        return {}
    count = quotas.take_open_runs(session, flow.project_id, count, rules.project_open_runs)
    if not count:
        return {"state": "failed", "message": f"{OPEN_RUNS.reached(rules.project_open_runs).message} {_AGAIN}"}
    if (quota := quotas.reached(session, flow.project_id, rules)) is not None:
        return {"state": "failed", "message": f"{quota.reached(quotas.most(quota, rules)).message} {_AGAIN}"}
    after = clock.parse(job.progress["after"]) if "after" in job.progress else request.start - _TICK
    times = [time for time in parse(scope.document).next(count, after) if time < request.end]
    actor = Actor("user", job.created_by)
    rows = [
        run_row(
            flow,
            version,
            name=ids.readable_name(),
            parameters=parameters,
            labels=scope.labels or None,
            layer=SCHEDULE,
            run_config=scope.run_config,
            given={**scope.parameters, **request.parameters},
            scheduled_time=time,
            actor=actor,
            now=now,
            schedule_id=request.schedule_id,
            idempotency_key=f"{scope.key}{clock.isoformat(time)}",
        )
        | {"due_at": time, "scheduled_time": now, "priority": request.priority}
        for time in times
    ]
    return _insert(session, job, rows, actor, now) | _progress(job, times, count, window)


def _insert(session: Session, job: JobRow, rows: list[NewFlowRun], actor: Actor, now: datetime) -> JobColumns:
    """Insert the runs; how many were new, and how many due times had one already."""
    inserted = set(insert_runs(session, rows, actor, now))
    new = [row for row in rows if row["id"] in inserted]
    if new and new[0]["schedule_id"] is not None:
        schedules.unskip(session, new[0]["schedule_id"], [due for row in new if (due := row["due_at"]) is not None])
    return {"done": job.done + len(new), "refused": job.refused + len(rows) - len(new)}


def _progress(job: JobRow, times: list[datetime], requested: int, window: JsonDocument) -> JobColumns:
    progress = dict(job.progress) | window
    if times:
        progress["after"] = clock.isoformat(times[-1])
    return {"progress": progress, "state": "done" if len(times) < requested else "running"}


class Scope(msgspec.Struct, frozen=True):
    """The flow, the schedule's document with parameters and labels, and the prefix of the runs' idempotency keys."""

    flow_id: UUID
    document: JsonDocument
    key: str
    parameters: Parameters = {}
    labels: list[str] = []
    run_config: JsonDocument = {}


def _scope(session: Session, request: BackfillRange) -> Scope:
    if request.schedule_id is not None:
        if request.flow_id is not None or request.document is not None:
            raise Invalid("Name a schedule, or a flow and a schedule's document, not both.")
        schedule = session.get(Schedule, request.schedule_id)
        if schedule is None:
            raise NotFound("There is no such schedule; it may have been deleted.")
        key = f"backfill:{schedule.id}:"
        own = schedule.run_config or {}
        return Scope(schedule.flow_id, schedule.document, key, schedule.parameters, schedule.labels, own)
    if request.flow_id is None or request.document is None:
        raise Invalid("Name a schedule, or a flow and a schedule's document.")
    try:
        validate(request.document)
    except ScheduleError as error:
        raise Invalid(str(error)) from error
    digest = ids.sha256(msgspec.json.encode(request.document, order="sorted").decode())
    own = {key: value for key, value in request.document.items() if key not in _BESIDE}
    parts = {name: request.document[name] for name in _BESIDE if request.document.get(name)}
    scope = {"flow_id": request.flow_id, "document": own, "key": f"backfill:{digest[:32]}:"} | parts
    try:
        converted = msgspec.convert(scope, Scope)
    except msgspec.ValidationError as error:
        raise Invalid(
            "A schedule's parameters and run config must be objects and its labels a list of strings."
        ) from error
    return msgspec.structs.replace(converted, run_config=run_configs.override_of(converted.run_config))


def _runnable(session: Session, scope: Scope) -> tuple[Flow, FlowVersion]:
    flow, version = session.get(Flow, scope.flow_id), mapped_flows.newest_version(session, scope.flow_id)
    if flow is None or version is None:
        raise NotFound("There is no such flow; check the list of flows.")
    if flow.archived:
        raise Conflict(f"Flow {flow.name!r} is archived; take it out of the archive first.")
    return flow, version


def _times(scope: Scope, request: BackfillRange, now: datetime) -> list[datetime]:
    """Every due time of the range. Raises Invalid when the range can't be one."""
    if request.start.tzinfo is None or request.end.tzinfo is None:
        raise Invalid("Start and end must have an offset, like 2026-01-31T06:30:00+00:00.")
    if request.start >= request.end:
        raise Invalid("The start of a backfill must be before its end.")
    if request.end > now:
        raise Invalid(
            "A backfill covers the past, but its end is in the future, where the schedule itself creates the runs."
        )
    try:
        due = takewhile(lambda time: time < request.end, parse(scope.document).times(request.start - _TICK))
        times = list(islice(due, MOST + 1))
    except ScheduleError as error:
        raise Invalid(str(error)) from error
    if len(times) > MOST:
        raise Invalid(f"The range has more than {MOST} due times; make it shorter.")
    return times
