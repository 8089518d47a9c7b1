"""How a run goes on, for the actions that lead it on and for people who want to know beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
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
from appliance.server.domain.continuation import Plan, Recorded, RecordedTask
from appliance.server.domain.restart import TaskKey, nothing_failed, to_run_again
from appliance.server.domain.transitions import Facts, Refuse
from appliance.server.domain.verbs import NextVerb, may, next_verb
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
    recorded = _recorded(stored)
    again = {key: rules.why_again(key, recorded[key], request.from_task) for key in keys if key in recorded}
    if request.newest_version:
        version = mapped_flows.newest_version(session, run.flow_id)
        graph = graph if version is None else version.graph
    return _plan(session, run, graph, recorded, again, anywhere=request.anywhere), stored


def to_resume(session: Session, run: PlannedRun, request: ResumeFlowRun | None = None) -> tuple[Plan, Stored]:
    """The same for a run that is paused, or waits for its next attempt. With a task in the request, its other paused tasks stay paused."""
    request = request or ResumeFlowRun()
    stored = read_task_runs.ended(session, run.id)
    graph = flows.graph_of(session, run.flow_version_id)
    recorded = _recorded(stored)
    plan = _plan(session, run, graph, recorded, {}, anywhere=request.anywhere)
    if request.task_slug is not None:
        plan = rules.without(plan, rules.still_paused(recorded, request.task_slug, request.map_index))
    return plan, stored


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
    recorded: Recorded,
    again: Mapping[TaskKey, Reason],
    *,
    anywhere: bool,
) -> Plan:
    return rules.plan(graph, recorded, again, states.origins(session, run.id), anywhere=anywhere)


def _recorded(stored: Stored) -> Recorded:
    return {key: RecordedTask.of(row) for key, row in stored.items()}


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
        facts = Facts(run.state_type, run.state_name, run.attempt, version=run.version)
        verb = next_verb(facts)
        try:
            if verb == "restart":
                verdict = may("restart", facts)
                if isinstance(verdict, Refuse):
                    return Continuation(verb=verb, refusal=verdict.sentence)
                plan, _ = to_restart(session, run, restart)
            else:
                plan, _ = to_resume(session, run, resume)
        except Conflict as error:
            return Continuation(verb=verb, refusal=error.message)
        return _described(session, run, verb, plan)


def _described(session: Session, run: FlowRun, verb: NextVerb, plan: Plan) -> Continuation:
    runs, runs_omitted = _listed(plan, plan.runs)
    reused, reused_omitted = _listed(plan, plan.reused)
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


def _listed(plan: Plan, keys: Mapping[TaskKey, Reason]) -> tuple[list[ContinuedTask], int]:
    """Task runs with the same task and reason in one item each, in the order of the graph, and how many of them are beyond the limit. What no author
    has written, such as parameters, is left out."""
    tasks = {task["slug"]: task for task in plan.graph.get("tasks", [])}
    authored = [slug for slug, task in tasks.items() if not task.get("auto_generated") and not rules.is_parameter(task)]
    groups: dict[str, dict[tuple[Reason, bool], list[int]]] = {slug: {} for slug in authored}
    for (slug, index), reason in sorted(keys.items()):
        if slug not in groups:
            continue
        begun = (one := plan.recorded.get((slug, index))) is not None and one.begun
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
        for slug in authored
        for (reason, begun), indexes in groups[slug].items()
        if (children := [index for index in indexes if index >= 0]) or not _is_parent(plan, slug)
    ]
    return items, max(0, len(items) - MOST_LISTED)


def _is_parent(plan: Plan, slug: str) -> bool:
    """Of a mapped task, only its children count, once there are any."""
    one = plan.recorded.get((slug, -1))
    return one is not None and one.width is not None


def _place_in_words(session: Session, run: FlowRun, plan: Plan) -> str:
    if plan.place is None:
        return ""
    names = rules.readers_of(plan.place, agents.every(session))
    origin = rules.origin_at(plan.place, states.origins(session, run.id))
    return rules.place_in_words(plan.place, names, origin)
