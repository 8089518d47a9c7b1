"""Flows: registering what `flow.register` sends, together with the schedules that the code declares."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.kit.documents import JsonDocument
from appliance.kit.plurals import counted
from appliance.kit.secret_names import is_name, name_problem
from appliance.protocol import run_config as run_configs
from appliance.protocol import storage as storages
from appliance.protocol.flows import Registered, Registration, RegistrationPreview
from appliance.protocol.secrets import MOST_DECLARED
from appliance.server.actions import (
    code_places,
    declared_schedules,
    env_names,
    flow_edits,
    new_versions,
    projects,
    quotas,
    schedule_rows,
    takers,
)
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import labels_of, required_name
from appliance.server.actions.new_versions import Stored
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import former_names, mapped_flows
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.writes import flows
from appliance.server.db.writes import former_names as write_former_names
from appliance.server.domain import graphs, hosts, parameters, schema_checks, versions
from appliance.server.domain.bounds import check_name
from appliance.server.domain.sanitize import clean, clean_document
from appliance.server.errors import Conflict, Invalid, Renamed
from appliance.server.events.outbox import announce

LONGEST_OWNER = 200
EDGES_PER_TASK = 4
"""Of the most tasks that a flow may have."""
_HASH = re.compile(r"[0-9a-f]{64}")


class TaskDocument(msgspec.Struct):
    slug: str
    name: str = ""
    tags: list[str] = []


class EdgeDocument(msgspec.Struct):
    upstream: str
    downstream: str


class ParameterDocument(msgspec.Struct):
    name: str
    required: bool = False
    default: Any = None
    schema: JsonDocument = {}


class FlowDocument(msgspec.Struct):
    """The parts of a flow's document that the server reads; everything else in it is kept as it is."""

    tasks: list[TaskDocument]
    edges: list[EdgeDocument] = []
    parameters: list[ParameterDocument] = []
    reference_tasks: list[str] = []
    schedules: list[JsonDocument] = []
    run_config: JsonDocument = {}
    sdk_version: str = ""
    secrets: list[str] = []
    owner: str = ""


@keyed("flow.register")
def register(db: Database, actor: Actor, request: Registration, *, now: datetime | None = None) -> Registered:
    """Store the flow as a new version, unless the newest has the same content; the schedules that its code declares follow.

    Older content becomes a new version that says which one it restores, so that a rollback works and no version changes.
    """
    now = now or clock.now()
    document = _checked(db, request, now)
    with db.write("register") as session:
        work = _store(db, session, actor, request, document, now)
        return new_versions.complete(session, work, actor, now)


@retried
def preview(db: Database, actor: Actor, request: Registration, *, now: datetime | None = None) -> RegistrationPreview:
    """What `register` would answer. Nothing is kept. Raises what it would raise, but says of a closed folder that it is one."""
    now = now or clock.now()
    document = _checked(db, request, now)
    names = required_name(request.project, "project"), required_name(request.name, "flow")
    with suppress(new_versions.NothingKept), db.write("register") as session:
        is_known = mapped_flows.find(session, None, *names) is not None
        work = _store(db, session, actor, request, document, now)
        answer = new_versions.preview(session, work, now, is_known=is_known)
        raise new_versions.NothingKept
    return answer


def _checked(db: Database, request: Registration, now: datetime) -> FlowDocument:
    """The flow's document, if all that can be known without the database is right. Raises Invalid."""
    required_name(request.name, "flow")
    required_name(request.project, "project")
    if not _HASH.fullmatch(request.content_hash):
        raise Invalid("The content hash must be 64 hexadecimal digits.")
    document = _parse(request.document, db.rules.flow_tasks)
    code_places.check(request.storage, document.run_config)
    schedule_rows.look_ahead(document.schedules, now, db.rules.scheduled_runs_ahead)
    return document


def _store(
    db: Database, session: Session, actor: Actor, request: Registration, document: FlowDocument, now: datetime
) -> Stored:
    """Write flow, version and schedules."""
    name, project_name = required_name(request.name, "flow"), required_name(request.project, "project")
    project_id = projects.ensure(session, actor, request.project, now, as_new=request.as_new)
    _refuse_former_name(session, project_id, name, as_new=request.as_new)
    flow = flows.lock_or_create(session, project_id, name, now, flow_edits.of_new_flow(session, project_id))
    flow_edits.refuse_if_deleted(session, flow)
    if flow.archived:
        raise Conflict(f"Flow {name!r} is archived; take it out of the archive first, or register under another name.")
    _set_owner(session, flow, document.owner, actor, now)
    newest = mapped_flows.newest_version(session, flow.id)
    version = _new_version(flow, request, document, _host_labels(session, project_name, request.host), actor, now)
    env_names.refuse_closed(session, project_name, version.storage_type, version.labels, version.run_config)
    created = newest is None or not new_versions.is_same(newest, version)
    if newest is None or created:
        new_versions.number(session, version, newest, request.content_hash)
        new_versions.add(session, db.rules, flow, version, document.secrets, actor, now)
    else:
        version = newest
    news = declared_schedules.sync_with_code(
        session, flow, version, [] if newest is None else newest.schedules,
        is_new=created, active=request.set_schedules_active, actor=actor, now=now, ahead=db.rules.scheduled_runs_ahead,
    )  # fmt: skip
    return Stored(project_name, flow, version, created, news)


def _set_owner(session: Session, flow: Flow, owner: str, actor: Actor, now: datetime) -> None:
    """A flow whose code names none has no owner."""
    owner = clean(owner.strip(), LONGEST_OWNER)
    if owner != flow.owner:
        flow.owner, flow.updated = owner, now
        announce(session, "flow", flow.id, "flow.owner", {"owner": owner}, actor, now)


def _refuse_former_name(session: Session, project_id: UUID, name: str, *, as_new: bool) -> None:
    """A flow that was renamed goes on under its new name: code with the old one must not begin a second history unnoticed."""
    renamed = former_names.flow_renamed_from(session, project_id, name)
    if renamed is None or mapped_flows.exists(session, project_id, name):
        return
    if not as_new:
        flow_id, current = renamed
        raise Renamed(
            f"Flow {name!r} was renamed to {current!r}; use that name in the code, or register a new flow (--as-new).",
            id=str(flow_id),
            name=current,
        )
    write_former_names.release(session, former_names.FLOW, project_id, name)


def _parse(document: JsonDocument, most_tasks: int) -> FlowDocument:
    try:
        flow = msgspec.convert(document, FlowDocument)
    except msgspec.ValidationError as error:
        raise Invalid(f"The flow's document is not valid: {error}.") from error
    try:
        run_configs.decode(flow.run_config)
    except ValueError as error:
        raise Invalid(str(error)) from error
    _check_graph(flow, most_tasks)
    _check_secrets(flow.secrets)
    if len(flow.owner) > LONGEST_OWNER or not flow.owner.isprintable():
        raise Invalid(f"The owner of the flow must be one line of at most {LONGEST_OWNER} characters.")
    if len(flow.schedules) > schedule_rows.MOST_PER_FLOW:
        raise Invalid(
            f"The flow has more than {schedule_rows.MOST_PER_FLOW} schedules; merge some of them into one with more times."
        )
    if len(flow.parameters) > parameters.MOST_PARAMETERS:
        raise Invalid(
            f"The flow has more than {parameters.MOST_PARAMETERS:,} parameters; put some of them into one document."
        )
    if len({parameter.name for parameter in flow.parameters}) != len(flow.parameters):
        raise Invalid("Two parameters of the flow have the same name; give each a unique one.")
    unreadable = schema_checks.first_unreadable((parameter.name, parameter.schema) for parameter in flow.parameters)
    if unreadable is not None:
        raise Invalid(
            f"The schema of parameter {unreadable[:80]!r} is not a valid JSON schema, is too large, or has a pattern with look-around, "
            "back-references, or too many repetitions; correct its type hint."
        )
    for parameter in flow.parameters:
        problems = parameters.unstorable({parameter.name: parameter.default})
        if problems:
            raise Invalid(problems[0])
    return flow


def _check_graph(flow: FlowDocument, most_tasks: int) -> None:
    if len(flow.tasks) > most_tasks:
        raise Invalid(
            f"The flow has {counted(len(flow.tasks), 'task')}, and at most {most_tasks:,} are allowed; map one task over a list instead, or "
            "ask an administrator to raise APPLIANCE_FLOW_TASKS."
        )
    most_edges = EDGES_PER_TASK * most_tasks
    if len(flow.edges) > most_edges:
        raise Invalid(
            f"The flow has {len(flow.edges):,} dependencies between its tasks, and at most {most_edges:,} are allowed; have a task in between collect "
            "what many depend on, or ask an administrator to raise APPLIANCE_FLOW_TASKS."
        )
    slugs = {task.slug for task in flow.tasks}
    for task in flow.tasks:
        check_name(task.slug, "slug")
        check_name(task.name, "name")
    if len(slugs) != len(flow.tasks):
        raise Invalid("Two tasks of the flow have the same slug; give each a unique one.")
    if any(len(slug) > 300 for slug in slugs):
        raise Invalid("A task's slug is too long; use at most 300 characters.")
    for edge in flow.edges:
        if not {edge.upstream, edge.downstream} <= slugs:
            raise Invalid(
                f"An edge from {edge.upstream!r} to {edge.downstream!r} names a task that the flow does not have."
            )
    if strangers := [slug for slug in flow.reference_tasks if slug not in slugs]:
        raise Invalid(f"The reference task {strangers[0][:300]!r} is none of the flow's tasks.")
    if graphs.has_cycle([(edge.upstream, edge.downstream) for edge in flow.edges]):
        raise Invalid("The tasks of the flow depend on each other in a circle; remove one of the edges.")


def _check_secrets(names: list[str]) -> None:
    if len(names) > MOST_DECLARED or len(set(names)) != len(names):
        raise Invalid(
            f"A flow declares at most {MOST_DECLARED} secrets, each once; put some of them into one, as JSON."
        )
    for name in names:
        if not is_name(name):
            raise Invalid(name_problem(name))


def _host_labels(session: Session, project: str, host: str) -> list[str]:
    """That of the host which has the code, if an agent is known there."""
    label = hosts.label_of(host)
    return [label] if label is not None and takers.has_host(session, project, host.strip()) else []


def _new_version(
    flow: Flow, request: Registration, document: FlowDocument, host_labels: list[str], actor: Actor, now: datetime
) -> FlowVersion:
    """The version that this would be, without a number."""
    raw = clean_document(request.document)
    run_labels = document.run_config.get("labels", [])
    version = FlowVersion(
        id=ids.uuid7(),
        flow_id=flow.id,
        number=0,
        content_hash="",
        graph=_graph(raw),
        parameters=raw.get("parameters", []),
        schedules=clean_document(document.schedules),
        storage=clean_document(request.storage),
        storage_type=storages.needed(request.storage),
        run_config=raw.get("run_config", {}),
        labels=labels_of([*request.labels, *run_labels, *host_labels]),
        sdk_version=clean(document.sdk_version, 50),
        created=now,
        created_by=clean(actor.name, 200),
    )
    version.content_hash = versions.fingerprint(version)
    version.stored_bytes = quotas.size_of_version(raw | {"files": version.storage.get("files", {})})
    return version


def _graph(document: JsonDocument) -> JsonDocument:
    """Most flows declare no secrets; their content has the same hash as before there were any."""
    graph = {key: document.get(key, []) for key in ("tasks", "edges", "reference_tasks")}
    return graph | {"secrets": document["secrets"]} if document.get("secrets") else graph
