"""Child runs: what a task of a run starts with the run's token. The version of the run declares what each task may start; each task run has one
child at most, which the database ensures."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, crash
from appliance.protocol.flow_runs import CreateFlowRun, RestartFlowRun
from appliance.protocol.run_protocol import AskChild, AwaitChildren, ChildAnswer, ChildResult, EndedChildren
from appliance.server.actions.flow_runs import restart
from appliance.server.actions.flow_runs.change import within
from appliance.server.actions.flow_runs.create import create_within
from appliance.server.actions.flow_runs.new_runs import Parent
from appliance.server.actions.states import conflict
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import child_runs as reads
from appliance.server.db.reads import flow_runs, waiting
from appliance.server.db.retries import retried
from appliance.server.db.rows.flow_runs import ChildRow, LockedRun
from appliance.server.db.rows.task_runs import GivenResult
from appliance.server.db.session import Database
from appliance.server.db.writes import child_runs as writes
from appliance.server.db.writes import states
from appliance.server.domain.automation_acts import chain_in
from appliance.server.domain.child_runs import (
    MOST_LEVELS,
    TOO_DEEP,
    Step,
    declared,
    in_words,
    is_in_the_way,
    is_over,
    next_step,
)
from appliance.server.domain.run_protocol import may_start_runs, may_start_tasks
from appliance.server.domain.sanitize import MAX_INDEX, MAX_SLUG
from appliance.server.errors import Conflict, Invalid, NotFound, Undeclared


@retried
def follow(
    db: Database, actor: Actor, flow_run_id: UUID, request: AskChild, *, now: datetime | None = None
) -> ChildAnswer:
    """The child of a task run: created if it has none, restarted if an earlier try of the task knows that it has failed. Raises StaleAttempt,
    Undeclared, and what creating a run raises."""
    now = now or clock.now()
    _check(request)
    with db.read() as session:  # most requests find a child that runs
        _require_live(session, flow_run_id, request.attempt)
        child = _find(session, flow_run_id, request)
        if child is not None and _step(child, request) == "follow":
            return _answer(session, flow_run_id, child, request, now)
    with db.write("child") as session:
        run = states.lock(session, flow_run_id)
        if run is None:
            raise _no_such_run()
        refusal = may_start_runs(run, request.attempt)
        if refusal is not None:
            raise conflict(refusal)
        child = _find(session, flow_run_id, request)
        refused = ""
        if child is None:
            _create(session, db, actor, run, request, now)
        else:
            refused = _take_step(session, actor, run, child, request, now)
        child = _find(session, flow_run_id, request)
        assert child is not None
        crash.point("child.followed")
        return _answer(session, flow_run_id, child, request, now, refused)


def ended(db: Database, flow_run_id: UUID, request: AwaitChildren) -> EndedChildren:
    """The children that have ended, of those for which tasks of the attempt wait. Raises StaleAttempt."""
    with db.read() as session:
        _require_live(session, flow_run_id, request.attempt)
        ends = reads.ended(session, flow_run_id)
    mark = f"{len(ends)}.{ends[0][1].isoformat()}" if ends else "0"
    return EndedChildren(ended=[child for child, _ in ends], mark=mark)


def _find(session: Session, parent: UUID, request: AskChild) -> ChildRow | None:
    if request.flow_run_id is None:
        return reads.of_task(session, parent, request.task_slug, request.map_index)
    child = reads.of_run(session, parent, request.flow_run_id)
    if child is None:
        raise NotFound(
            "No task of this run has started a run with this id; wait for the result of create_flow_run or run_flow."
        )
    return child


def _step(child: ChildRow, request: AskChild) -> Step:
    return next_step(
        child.state_type,
        child.parent_try,
        f"{request.attempt}.{request.count}",
        restarts=request.result_of is None,
        waits_anew=request.wait and not child.parent_waits,
    )


def _take_step(
    session: Session, actor: Actor, run: LockedRun, child: ChildRow, request: AskChild, now: datetime
) -> str:
    """Returns why the child can't be restarted, if it should be and can't."""
    this_try, step = f"{request.attempt}.{request.count}", _step(child, request)
    if step == "restart":
        return _restart(session, actor, run, child, this_try, now)
    if step == "wait":
        writes.wait_for(session, child.id)
    if step == "note":
        writes.note_try(session, child.id, this_try)
    return ""


def _create(session: Session, db: Database, actor: Actor, run: LockedRun, request: AskChild, now: datetime) -> None:
    starter = reads.starter(session, run.id)
    assert starter is not None
    flow = declared(starter.graph, request.task_slug, starter.project)
    if flow is None:
        raise Undeclared(
            f"Version {starter.number} of flow {starter.flow!r} doesn't declare that task {request.task_slug!r} starts runs; use run_flow(...) "
            "or flow.as_task() for that, and register the flow again."
        )
    if len(reads.ancestors(session, run.id, MOST_LEVELS + 1)) > MOST_LEVELS:
        raise Conflict(TOO_DEEP)
    creation = CreateFlowRun(
        project=flow.project, flow=flow.flow, parameters=request.parameters, labels=request.labels, name=request.name
    )
    parent = Parent(run.id, request.task_slug, request.map_index, request.wait, flow.version)
    create_within(session, db.rules, _for_people(session, actor, run), creation, now, None, now, parent)


def _restart(session: Session, actor: Actor, run: LockedRun, child: ChildRow, this_try: str, now: datetime) -> str:
    """Restart the child, or say why that is not possible."""
    request = RestartFlowRun(reason="its task is tried again.")
    try:
        within(session, child.id, now, restart.change(_for_people(session, actor, run), request, "restart_child"))
    except (Conflict, Invalid) as error:
        writes.note_try(session, child.id, this_try)
        return f"It can't be restarted: {error.message}"
    writes.note_try(session, child.id, None)
    return ""


def _for_people(session: Session, actor: Actor, run: LockedRun) -> Actor:
    """The run under the name that people know, for the history of its children, which automations have led to as much as to itself."""
    return replace(actor, name=f"run {run.name}", chain=chain_in(reads.context_of(session, run.id)))


def _answer(
    session: Session, parent: UUID, child: ChildRow, request: AskChild, now: datetime, refused: str = ""
) -> ChildAnswer:
    over = is_over(child.state_type, awaited=request.wait)
    reason = None
    if not over:
        reason = waiting.reasons(session, flow_runs.by_ids(session, [child.id]), now).get(child.id)
    answer = ChildAnswer(
        flow_run_id=child.id,
        name=child.name,
        flow=child.flow,
        state_type=child.state_type,
        state_name=child.state_name,
        message=f"{child.state_message} {refused}".strip(),
        over=over,
    )
    if over and request.result_of:
        answer.results, answer.mapped = _results(session, child, request.result_of, request.result_index)
    if reason is not None:
        line = reads.ancestors(session, parent, MOST_LEVELS)
        answer.reason = in_words(reason, line[1:])
        answer.gives_back = is_in_the_way(reason, parent, others_live=reads.any_live(session, parent))
    return answer


def _results(session: Session, child: ChildRow, slug: str, map_index: int) -> tuple[list[ChildResult] | None, bool]:
    rows, mapped = reads.results(session, child.id, slug, map_index)
    if len(rows) > reads.MOST_RESULTS:
        raise Invalid(
            f"The task has more than {reads.MOST_RESULTS:,} children; read their results one by one, with map_index."
        )
    return [_result(row) for row in rows] if rows or mapped else None, mapped


def _result(row: GivenResult) -> ChildResult:
    return ChildResult(
        state_type=row.state_type,
        state_name=row.state_name,
        message=row.state_message,
        location=row.result_location,
        sha256=(row.state_data or {}).get("result_sha256"),
    )


def _require_live(session: Session, flow_run_id: UUID, attempt: int) -> None:
    run = flow_runs.attempt_state(session, flow_run_id)
    if run is None:
        raise _no_such_run()
    refusal = may_start_tasks(run, attempt)
    if refusal is not None:
        raise conflict(refusal)


def _no_such_run() -> NotFound:
    return NotFound("There is no such run; it may have been deleted.")


def _check(request: AskChild) -> None:
    if not request.task_slug or len(request.task_slug) > MAX_SLUG or "\0" in request.task_slug:
        raise Invalid("The slug of the task is empty or too long.")
    if not -1 <= request.map_index <= MAX_INDEX:
        raise Invalid("The map index of the task is out of range.")
    if not 0 <= request.attempt <= MAX_INDEX or not 0 <= request.count <= MAX_INDEX:
        raise Invalid("The number of the attempt or of the task's try is out of range.")
    if request.result_of is not None and (request.flow_run_id is None or not -1 <= request.result_index <= MAX_INDEX):
        raise Invalid("Results are those of a run that is named, of a task run whose map index is -1 or higher.")
