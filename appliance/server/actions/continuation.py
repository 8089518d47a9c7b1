"""How a run goes on, for the actions that lead it on and for people who want to know beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import suggestions
from appliance.kit.documents import JsonDocument
from appliance.protocol.continuation import MOST_INDEXES, MOST_LISTED, Continuation, ContinuedTask, Reason
from appliance.protocol.flow_runs import RestartFlowRun, ResumeFlowRun
from appliance.server.db.reads import agents, flows, mapped_flows, states
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.rows.task_runs import EndedTaskRun
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow
from appliance.server.domain import continuation as rules
from appliance.server.domain.continuation import Plan, RecordedTask
from appliance.server.domain.restart import TaskKey, nothing_failed, to_run_again
from appliance.server.domain.transitions import PAUSED, SCHEDULED, Facts, Refuse
from appliance.server.domain.verbs import may
from appliance.server.errors import Conflict, DamagedRow, Invalid, NotFound


class PlannedRun(Protocol):
    """What matters of a run here."""

    @property
    def id(self) -> UUID: ...

    @property
    def flow_id(self) -> UUID: ...

    @property
    def flow_version_id(self) -> UUID: ...

    @property
    def state_type(self) -> str: ...


Stored = Mapping[TaskKey, EndedTaskRun]


def to_restart(session: Session, run: PlannedRun, request: RestartFlowRun) -> tuple[Plan, Stored]:
    """What a restart runs and reuses. Raises Invalid for a task that doesn't exist, and Conflict when there is nothing to restart."""
    if session.get_one(Flow, run.flow_id).archived:
        raise Conflict("The run's flow is archived; take it out of the archive to restart the run.")
    stored = read_task_runs.ended(session, run.id)
    graph = flows.graph_of(session, run.flow_version_id)
    if request.from_task is not None:
        _require_task(graph, request.from_task)
    keys = to_run_again(graph.get("edges", []), {key: one.state_type for key, one in stored.items()}, request.from_task)
    if nothing_failed(run.state_type, keys, request.from_task):
        raise Conflict(
            "No task of the run has failed; name the task to restart from, or create a new run to run all of it again."
        )
    again = {key: _why_again(key, stored[key], request.from_task) for key in keys if key in stored}
    if request.newest_version:
        version = mapped_flows.newest_version(session, run.flow_id)
        graph = graph if version is None else version.graph
    return _plan(session, run, graph, stored, again, anywhere=request.anywhere), stored


def to_resume(session: Session, run: PlannedRun, request: ResumeFlowRun | None = None) -> tuple[Plan, Stored]:
    """The same for a run that is paused, or waits for its next attempt. With a task in the request, its other paused tasks stay paused."""
    request = request or ResumeFlowRun()
    stored = read_task_runs.ended(session, run.id)
    graph = flows.graph_of(session, run.flow_version_id)
    found = _plan(session, run, graph, stored, {}, anywhere=request.anywhere)
    if request.task_slug is None:
        return found, stored
    stays = {
        key
        for key, one in stored.items()
        if one.state_type == PAUSED and (key[0] != request.task_slug or request.map_index not in (None, key[1]))
    }
    return rules.without(found, stays), stored


def place_after(session: Session, run: PlannedRun) -> str | None:
    """Where agents must be able to read results to go on with a run whose attempt has handed it back. A damaged row is no reason to refuse what the
    attempt reports."""
    try:
        return to_resume(session, run)[0].place if states.origins(session, run.id) else None
    except DamagedRow:
        return None


def _plan(
    session: Session,
    run: PlannedRun,
    graph: JsonDocument,
    stored: Stored,
    again: Mapping[TaskKey, Reason],
    *,
    anywhere: bool,
) -> Plan:
    recorded = {key: _recorded(one) for key, one in stored.items()}
    return rules.plan(graph, recorded, again, states.origins(session, run.id), anywhere=anywhere)


def _recorded(one: EndedTaskRun) -> RecordedTask:
    data = one.state_data or {}
    width = data.get("n_map_states")
    return RecordedTask(
        type=one.state_type,
        name=one.state_name,
        attempt=one.attempt,
        marked=bool(data.get("marked")),
        location=one.result_location,
        place=str(data.get("result_place") or ""),
        width=width if one.state_name == "Mapped" and isinstance(width, int) else None,
        begun=one.start_time is not None,
    )


def _why_again(key: TaskKey, one: EndedTaskRun, from_task: str | None) -> Reason:
    if one.state_type != "SUCCESS":
        return "failed"
    return "chosen" if key[0] == from_task else "downstream"


def _require_task(graph: JsonDocument, slug: str) -> None:
    slugs = [task["slug"] for task in graph.get("tasks", [])]
    if slug not in slugs:
        close = suggestions.closest(slug, slugs)
        hint = f"did you mean {close!r}?" if close is not None else "look at the list of its tasks."
        raise Invalid(f"The run's flow has no task {slug[:80]!r}; {hint}")


# --- beforehand


def preview(db: Database, flow_run_id: UUID, restart: RestartFlowRun, resume: ResumeFlowRun) -> Continuation:
    """What happens if the run is restarted or, if it has not ended, resumed. Raises NotFound, and Invalid for a task that doesn't exist."""
    with db.read() as session:
        run = session.get(FlowRun, flow_run_id)
        if run is None:
            raise NotFound("There is no such run; it may have been deleted.")
        verb = _verb_for(run)
        try:
            if verb == "restart":
                verdict = may("restart", Facts(run.state_type, run.state_name, run.attempt, version=run.version))
                if isinstance(verdict, Refuse):
                    return Continuation(verb=verb, refusal=verdict.sentence)
                plan, stored = to_restart(session, run, restart)
            else:
                plan, stored = to_resume(session, run, resume)
        except Conflict as error:
            return Continuation(verb=verb, refusal=error.message)
        return _described(session, run, verb, plan, stored)


def _verb_for(run: FlowRun) -> Literal["restart", "resume", "wait"]:
    if run.state_type == PAUSED or (run.state_type == SCHEDULED and run.state_name == "Paused"):
        return "resume"
    return "wait" if run.state_type == SCHEDULED and run.attempt > 0 else "restart"


def _described(
    session: Session, run: FlowRun, verb: Literal["restart", "resume", "wait"], plan: Plan, stored: Stored
) -> Continuation:
    runs, runs_omitted = _listed(plan, plan.runs, stored)
    reused, reused_omitted = _listed(plan, plan.reused, stored)
    return Continuation(
        verb=verb,
        runs=runs[:MOST_LISTED],
        reused=reused[:MOST_LISTED],
        run_count=sum(one.count for one in runs),
        again_count=sum(one.count for one in runs if one.begun),
        reused_count=sum(one.count for one in reused),
        omitted=runs_omitted + reused_omitted,
        place=_place_in_words(session, run, plan),
        refusal=plan.refusal,
    )


def _listed(plan: Plan, keys: Mapping[TaskKey, Reason], stored: Stored) -> tuple[list[ContinuedTask], int]:
    """Task runs with the same task and reason in one item each, in the order of the graph, and how many of them are beyond the limit. What no author
    has written, such as parameters, is left out."""
    tasks = {task["slug"]: task for task in plan.graph.get("tasks", [])}
    shown = [slug for slug, task in tasks.items() if not task.get("auto_generated") and not rules.is_parameter(task)]
    groups: dict[str, dict[tuple[Reason, bool], list[int]]] = {slug: {} for slug in shown}
    for (slug, index), reason in sorted(keys.items()):
        if slug not in groups:
            continue
        begun = (one := stored.get((slug, index))) is not None and one.start_time is not None
        groups[slug].setdefault((reason, begun), []).append(index)
    items = [
        ContinuedTask(
            slug=slug,
            name=tasks[slug].get("name") or slug,
            count=len(children) or 1,
            reason=reason,
            sentence=rules.WORDS[reason],
            mapped=bool(tasks[slug].get("mapped")),
            indexes=children[:MOST_INDEXES],
            begun=begun,
        )
        for slug in shown
        for (reason, begun), indexes in groups[slug].items()
        if (children := [index for index in indexes if index >= 0]) or not _is_parent(slug, stored)
    ]
    return items, max(0, len(items) - MOST_LISTED)


def _is_parent(slug: str, stored: Stored) -> bool:
    """Of a mapped task, only its children count, once there are any."""
    one = stored.get((slug, -1))
    return one is not None and one.state_name == "Mapped"


def _place_in_words(session: Session, run: FlowRun, plan: Plan) -> str:
    if plan.place is None:
        return ""
    names = rules.readers_of(plan.place, agents.every(session))
    origin = rules.origin_at(plan.place, states.origins(session, run.id))
    return rules.place_in_words(names, origin)
