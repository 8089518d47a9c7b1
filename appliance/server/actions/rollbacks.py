"""Rolling a flow back: a copy of an earlier version becomes its newest, and schedules and waiting runs follow as after a registration."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.flows import Registered, RegistrationPreview, RollBack
from appliance.server.actions import declared_schedules, env_names, flow_edits, new_versions, schedule_rows
from appliance.server.actions.keyed import keyed
from appliance.server.actions.new_versions import Stored
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flows as read_flows
from appliance.server.db.reads import mapped_flows
from appliance.server.db.reads import projects as read_projects
from appliance.server.db.retries import retried
from appliance.server.db.rows.flows import FlowVersionRow
from appliance.server.db.session import Database
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.writes import flows
from appliance.server.domain import rollbacks, versions
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Conflict

_LONGEST_REASON = 500
_COPIED = (*versions.PARTS, "storage_type", "sdk_version", "stored_bytes")


@keyed("flow.roll_back")
def roll_back(
    db: Database, actor: Actor, flow_id: UUID, request: RollBack, *, now: datetime | None = None
) -> Registered:
    """Make a copy of an earlier version the newest one. Runs in progress keep their version. Raises Conflict when another version than the
    one in the request is the newest by now."""
    now = now or clock.now()
    old = _look(db, flow_id, request, now)
    with db.write("flow.roll_back") as session:
        work = _store(db, session, actor, flow_id, request, old, now)
        answer = new_versions.complete(session, work, actor, now)
        answer.warnings = _left_behind(session, old, work) + answer.warnings
        return answer


@retried
def preview(
    db: Database, actor: Actor, flow_id: UUID, request: RollBack, *, now: datetime | None = None
) -> RegistrationPreview:
    """What `roll_back` would answer. Nothing is kept. Raises what it would raise, but says of a closed folder that it is one."""
    now = now or clock.now()
    old = _look(db, flow_id, request, now)
    with suppress(new_versions.NothingKept), db.write("flow.roll_back") as session:
        work = _store(db, session, actor, flow_id, request, old, now)
        answer = new_versions.preview(session, work, now, is_known=True)
        answer.warnings = _left_behind(session, old, work) + answer.warnings
        raise new_versions.NothingKept
    return answer


def _look(db: Database, flow_id: UUID, request: RollBack, now: datetime) -> FlowVersionRow:
    """The version to roll back to; versions never change. Raises NotFound or Invalid."""
    with db.read() as session:
        old = read_flows.version(session, flow_id, request.to)
    schedule_rows.look_ahead(old.schedules, now, db.rules.scheduled_runs_ahead)
    return old


def _store(
    db: Database, session: Session, actor: Actor, flow_id: UUID, request: RollBack, old: FlowVersionRow, now: datetime
) -> Stored:
    """Write version and schedules."""
    flow = flow_edits.require(flows.lock(session, flow_id))
    flow_edits.refuse_if_deleted(session, flow)
    if flow.archived:
        raise Conflict(f"Flow {flow.name!r} is archived; take it out of the archive first.")
    newest = mapped_flows.newest_version(session, flow_id)
    assert newest is not None  # there is an older one
    version = _copy(flow, old, actor, now)
    _refuse_in_vain(request, newest, version)
    [project] = read_projects.by_ids(session, [flow.project_id])
    env_names.refuse_closed(session, project.name, version.storage_type, version.labels, version.run_config)
    new_versions.number(session, version, newest, version.content_hash)
    reason = clean(request.reason, _LONGEST_REASON).strip()
    version.restores = old.number
    version.changes = [rollbacks.words(old.number, reason), *(version.changes or [])]
    secrets = version.graph.get("secrets", [])
    new_versions.add(session, db.rules, flow, version, secrets, actor, now, rolled_back_to=old.number, reason=reason)
    news = declared_schedules.sync_with_code(
        session, flow, version, newest.schedules,
        is_new=True, active=True, actor=actor, now=now, ahead=db.rules.scheduled_runs_ahead,
    )  # fmt: skip
    return Stored(project.name, flow, version, True, news)


def _copy(flow: Flow, old: FlowVersionRow, actor: Actor, now: datetime) -> FlowVersion:
    parts = {name: getattr(old, name) for name in _COPIED}
    who = clean(actor.name, 200)
    version = FlowVersion(
        id=ids.uuid7(), flow_id=flow.id, number=0, content_hash="", created=now, created_by=who, **parts
    )
    version.content_hash = versions.fingerprint(version)
    return version


def _refuse_in_vain(request: RollBack, newest: FlowVersion, version: FlowVersion) -> None:
    """Raise Conflict unless the caller has seen the newest version and another one would be the newest then."""
    if request.newest is not None and request.newest != newest.number:
        raise Conflict(
            f"Version {newest.number} was registered in the meantime; look at what differs from it, and roll back again.",
            version=newest.number,
        )
    if new_versions.is_same(newest, version):
        raise Conflict(
            f"The newest version, {newest.number}, has the content of version {request.to}; there is nothing to roll back.",
            version=newest.number,
        )


def _left_behind(session: Session, old: FlowVersionRow, work: Stored) -> list[str]:
    before = read_flows.version(session, work.flow.id, work.version.number - 1)
    return rollbacks.left_behind(old.number, old.storage, before.storage)
