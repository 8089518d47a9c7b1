"""Create: a run of the newest version of a flow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.run_config import kind_of
from appliance.server.actions import names, quotas, run_configs, warnings
from appliance.server.actions.flow_runs.new_runs import Parent, insert_runs, merge_parameters, run_row
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import labels_of, required_name
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs, flows, run_filter_names, waiting
from appliance.server.db.rows.flow_runs import NewFlowRun
from appliance.server.db.rows.flows import RunnableFlow, RunnableVersion
from appliance.server.db.session import Database
from appliance.server.domain.rules import Rules
from appliance.server.errors import Conflict, Invalid, NotFound


class Created(NamedTuple):
    """The run for a request, and the names of its flow and project. `row`: what was stored; None when a request with the same
    idempotency key had created the run before."""

    id: UUID
    row: NewFlowRun | None
    flow: str
    project: str
    warnings: list[str] = []


@keyed("flow_run.create", keep=lambda created: created._replace(row=None))
def create_run(db: Database, actor: Actor, request: CreateFlowRun, *, now: datetime | None = None) -> Created:
    """Create a run of the flow's newest version. The same idempotency key again answers the run that it created the first time."""
    now = now or clock.now()
    scheduled = request.scheduled_time or now
    if scheduled.tzinfo is None:
        raise Invalid("The scheduled time must have an offset, like 2026-01-31T06:30:00+00:00.")
    key = names.idempotency_key(request.idempotency_key)
    with db.write("create") as session:
        return create_within(session, db.rules, actor, request, scheduled, key, now)


def create_within(
    session: Session,
    rules: Rules,
    actor: Actor,
    request: CreateFlowRun,
    scheduled: datetime,
    key: str | None,
    now: datetime,
    parent: Parent | None = None,
) -> Created:
    """The same inside another action's transaction."""
    flow, version = _runnable(session, request)
    if key is not None and (existing := flow_runs.id_of_key(session, flow.id, key)) is not None:
        return Created(existing, None, flow.name, flow.project)
    if flow.archived or version is None:
        raise Conflict(f"Flow {flow.name!r} is archived; take it out of the archive to run it.")
    if parent is not None and parent.version is not None:
        version = cast(RunnableVersion, flows.version(session, flow.id, parent.version))
    quotas.require_open_run(session, flow.project_id, rules.project_open_runs)
    quotas.require_room(session, flow.project_id, rules)
    config = run_configs.override_of(request.run_config)
    labels = None if request.labels is None else labels_of(request.labels)
    if labels is None and run_configs.labels_in(request.run_config):
        labels = labels_of(run_configs.labels_in(request.run_config))
    row = run_row(
        flow,
        version,
        name=ids.readable_name() if request.name is None else required_name(request.name, "run"),
        parameters=merge_parameters(flow, version, request.parameters),
        labels=labels,
        run_config=config,
        given=request.parameters,
        scheduled_time=scheduled.astimezone(UTC),
        actor=actor,
        now=now,
        idempotency_key=key,
        parent=parent,
    )
    if config:
        run_configs.refuse_closed(session, flow.project_id, version, row["labels"], row["run_config"])
    if not insert_runs(session, [row], actor, now) and key is not None:
        existing = flow_runs.id_of_key(session, flow.id, key)  # another request with the key came first
        assert existing is not None
        return Created(existing, None, flow.name, flow.project)
    return Created(row["id"], row, flow.name, flow.project, _warnings(session, flow, version, row, now))


def _warnings(
    session: Session, flow: RunnableFlow, version: RunnableVersion, row: NewFlowRun, now: datetime
) -> list[str]:
    """What the run will wait for that is worth saying at once. Runs that any agent starts cost no look at the agents."""
    config = row["run_config"]
    if kind_of(config) == "universal":
        return []
    facts = warnings.facts_of(flow.project_id, config, version.storage_type, row["labels"], now)
    return warnings.unserved(facts, waiting.agent_facts(session, now))


def _runnable(session: Session, request: CreateFlowRun) -> tuple[RunnableFlow, RunnableVersion | None]:
    if request.flow_id is None and (request.project is None or request.flow is None):
        raise Invalid("Name the flow by its id, or by project and flow.")
    runnable = flows.runnable(session, request.flow_id, request.project, request.flow)
    if runnable is None:
        if request.project is None or request.flow is None:
            raise NotFound("There is no such flow; register it first, or correct the name.")
        meant = run_filter_names.like_flow(session, request.project, request.flow)
        way_out = "register it first, or correct the name." if meant is None else f"did you mean {meant!r}?"
        raise NotFound(f"There is no flow {request.flow!r} in project {request.project!r}; {way_out}")
    return runnable
