"""What happens to runs that wait when a flow is registered, or when an agent finds that their code is gone."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.agents import CodeGone, TakenBack
from appliance.protocol.state_change import StateChange
from appliance.server.actions import run_configs
from appliance.server.actions.agents import enrolled
from appliance.server.actions.flow_runs.new_runs import merge_parameters
from appliance.server.actions.names import labels_of
from appliance.server.actions.states import change_state
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs, mapped_flows
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.retries import retried
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.writes import states
from appliance.server.domain import deploys, hosts
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import FIRST, PAUSED
from appliance.server.errors import Invalid

MOST_AT_ONCE = 500
"""How many due runs move within the registration. More of them move when an agent finds that their code is gone."""
_NO_AGENT: FlowRunColumns = {"agent_id": None, "lease_expires_at": None, "run_token_hash": None}


def follow(session: Session, flow: Flow, version: FlowVersion, actor: Actor, now: datetime) -> None:
    """After a registration: scheduled runs that have not begun get the new version."""
    for run_id in flow_runs.behind(session, flow.id, version.id, MOST_AT_ONCE):
        run = states.lock(session, run_id)
        if run is not None and deploys.may_follow(run.state_type, run.attempt):
            _follow(session, run, flow, version, actor, now)


def look_again(session: Session, version: FlowVersion, actor: Actor, now: datetime) -> None:
    """After a registration, even of what is the newest version already: runs that wait for their code look for it again."""
    for run_id in flow_runs.without_code(session, version.flow_id):
        run = states.lock(session, run_id)
        if run is not None and deploys.may_look_again(run.state_type):
            message = f"Version {version.number} was registered; the run looks for its code again."
            change_state(session, run, FIRST.change(now, message), actor)


@retried
def take_back(
    db: Database, actor: Actor, agent_id: UUID, request: CodeGone, *, now: datetime | None = None
) -> TakenBack:
    """An agent can't obtain the code of an attempt that it has not started: the run moves to the newest version, or waits and says why. If it lacks
    something else, the run waits."""
    now = now or clock.now()
    with db.write("exit") as session:
        enrolled(session, actor, agent_id)
        run = states.lock(session, request.flow_run_id)
        if run is None or run.agent_id != agent_id or run.attempt != request.attempt:
            return TakenBack(taken_back=True)
        newest = mapped_flows.newest_version(session, run.flow_id)
        if newest is None or not deploys.may_take_back(run.state_type):
            return TakenBack(taken_back=False)  # it was asked to stop, for instance: starting it reports that it has
        reason = clean(request.reason, 1_000)
        if request.is_code:
            _take_back(session, run, newest, reason, actor, now)
        else:
            _let_wait(session, run, reason, deploys.lacking(reason), actor, now)
        return TakenBack(taken_back=True)


def _take_back(session: Session, run: LockedRun, newest: FlowVersion, reason: str, actor: Actor, now: datetime) -> None:
    before = session.get_one(FlowVersion, run.flow_version_id).number
    problem, has_begun = "", bool(read_task_runs.types_of(session, run.id))
    if newest.id != run.flow_version_id and not has_begun:
        try:
            columns = _columns(session, run, session.get_one(Flow, run.flow_id), newest)
            message = deploys.moved(before, newest.number, reason)
            change_state(session, run, FIRST.change(now, message), actor, _NO_AGENT | columns)
            return
        except Invalid as error:
            problem = str(error)
    message = deploys.stays(before, newest.number, reason, problem, has_begun=has_begun)
    _let_wait(session, run, f"The code of version {before} is gone: {reason}", message, actor, now)


def _let_wait(session: Session, run: LockedRun, reason: str, message: str, actor: Actor, now: datetime) -> None:
    change_state(session, run, FIRST.change(now, reason), actor, _NO_AGENT)
    returned = states.lock(session, run.id)
    assert returned is not None
    change_state(session, returned, StateChange(PAUSED, "Paused", now, message, deploys.WAITS_FOR_CODE), actor)


def _follow(session: Session, run: LockedRun, flow: Flow, version: FlowVersion, actor: Actor, now: datetime) -> None:
    before = session.get_one(FlowVersion, run.flow_version_id).number
    try:
        columns = _columns(session, run, flow, version)
    except Invalid:
        return  # it keeps its version while that can be obtained
    data = session.get_one(FlowRun, run.id).state_data
    message = deploys.moved(before, version.number)
    change_state(session, run, StateChange(run.state_type, run.state_name, now, message, data), actor, columns)


def _columns(session: Session, run: LockedRun, flow: Flow, version: FlowVersion) -> FlowRunColumns:
    """The columns of a run that change with its version. Raises Invalid when its parameters don't fit."""
    row, before = session.get_one(FlowRun, run.id), session.get_one(FlowVersion, run.flow_version_id)
    values = deploys.carried_over(row.parameters, before.parameters, version.parameters)
    columns: FlowRunColumns = {
        "flow_version_id": version.id,
        "parameters": merge_parameters(flow, version, values),
        "run_config": run_configs.moved(flow, version, row.overrides),
    }
    if row.labels == labels_of(before.labels) and flow.overrides.get("labels") is None:
        columns["labels"] = labels_of(version.labels)
    elif hosts.kept(row.labels) != hosts.kept(version.labels):
        own = set(row.labels) - set(hosts.kept(row.labels))
        columns["labels"] = labels_of([*own, *hosts.kept(version.labels)])
    return columns
