"""What new runs of a flow have beside what its code says, set by people without a new version. Schedules and requests say more than this."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.flows import SetFlowDefaults
from appliance.server.actions import flow_edits, run_configs
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import labels_of
from appliance.server.actions.planning import catch_up_missed, plan_again
from appliance.server.actions.schedule_rows import require_startable
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import mapped_flows
from appliance.server.db.session import Database
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.writes import flows, schedules
from appliance.server.domain import parameters as rules
from appliance.server.domain import run_configs as config_rules
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Invalid, NotFound
from appliance.server.events.outbox import announce


@keyed("flow.set_defaults")
def set_defaults(
    db: Database, actor: Actor, flow_id: UUID, request: SetFlowDefaults, *, now: datetime | None = None
) -> UUID:
    """Replace the flow's default parameters, labels and run config; runs that are only planned get them, too. Raises Invalid for what the newest
    version can't have."""
    now = now or clock.now()
    with db.write("flow.defaults") as session:
        flow = flow_edits.require(flows.lock(session, flow_id))
        flow_edits.refuse_if_deleted(session, flow)
        version = mapped_flows.newest_version(session, flow_id)
        if version is None:
            raise NotFound("There is no such flow; it may have been deleted.")
        overrides = _overrides(session, flow, version, request)
        if overrides == flow.overrides:
            return flow_id
        changed = sorted(key for key in {*overrides, *flow.overrides} if overrides.get(key) != flow.overrides.get(key))
        active = [] if flow.paused or flow.archived else schedules.lock_of_flow(session, flow.id)
        active = [schedule for schedule in active if schedule.active]
        for schedule in active:
            catch_up_missed(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        flow.overrides, flow.updated = overrides, now
        session.flush()
        for schedule in active:
            require_startable(session, flow, version, schedule)
            plan_again(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        data = {"changed": changed, "reason": clean(request.reason)}
        announce(session, "flow", flow.id, "flow.defaults", data, actor, now)
        return flow_id


def _overrides(session: Session, flow: Flow, version: FlowVersion, request: SetFlowDefaults) -> JsonDocument:
    """The flow's overrides as they are stored: only what says something."""
    _check_parameters(version, request.parameters)
    new = {**request.run_config, "env": config_rules.kept(request.run_config, flow.overrides.get("run_config"))}
    config = run_configs.override_of(new)
    labels = None if request.labels is None else labels_of(request.labels)
    if labels is None and run_configs.labels_in(request.run_config):
        labels = labels_of(run_configs.labels_in(request.run_config))
    overrides: JsonDocument = {}
    if request.parameters:
        overrides["parameters"] = request.parameters
    if labels is not None:
        overrides["labels"] = labels
    if config:
        overrides["run_config"] = config
        merged = config_rules.merge(version.run_config, config)
        run_configs.check(merged)
        run_configs.refuse_closed(
            session, flow.project_id, version, version.labels if labels is None else labels, merged
        )
    return overrides


def _check_parameters(version: FlowVersion, values: Parameters) -> None:
    """Raise Invalid for values that don't fit. A required parameter without one gets it from the schedule or the request."""
    declared = [item if item["name"] in values else item | {"required": False} for item in version.parameters]
    problems = rules.problems(declared, values)
    if problems:
        raise Invalid(" ".join(problems[:5]), problems=problems[:50])
