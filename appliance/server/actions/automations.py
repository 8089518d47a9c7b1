"""Automations: people create, change and delete them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.automations import (
    STATES,
    Action,
    AutomationView,
    CreateAutomation,
    DeliveryView,
    EditAutomation,
)
from appliance.server.actions import automation_rights
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import labels_of
from appliance.server.auth.guards import Permission, permissions_of
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import automations as reads
from appliance.server.db.reads import events, flows, run_filter_names, users
from appliance.server.db.rows.automations import AutomationColumns, AutomationRow, DeliveryCounts, DeliveryRow
from appliance.server.db.session import Database
from appliance.server.db.writes import automations as writes
from appliance.server.domain import automation_acts as acts
from appliance.server.domain import automation_words, run_query, targets
from appliance.server.domain import automations as rules
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce

LONGEST_NAME = 100
_MOST_PER_PERIOD, _LONGEST_PERIOD = 1_000, 30 * 86_400.0
_UNKNOWN = "There is no such automation; it may have been deleted."
_OWN = ("name", "enabled")
"""Of the following, what may change without a change of the person who answers for what the automation does."""
_COUNTED = ("name", "events", "q", "action", "at_most", "per", "unless_known", "unless_maintenance", "enabled")


@keyed("automation.create")
def create(db: Database, actor: Actor, request: CreateAutomation, *, now: datetime | None = None) -> UUID:
    """Create an automation. It acts on what happens from now on."""
    now = now or clock.now()
    columns = _columns(request, now)
    with db.write("automation.create") as session:
        _check_names(session, columns, now)
        _check_start(session, request.action)
        columns["action"] = _stored(request.action, automation_rights.owner(actor, request.action))
        if reads.named(session, columns["folded_name"]) is not None:
            raise Conflict(f"There is another automation named {columns['name']!r}; choose a different name.")
        if reads.number(session) >= reads.MOST:
            raise Conflict(f"There are {reads.MOST} automations already; delete some of them first.")
        id, by = ids.uuid7(), clean(actor.name, 200)
        columns["after_event"] = events.newest_id(session)
        writes.add(
            session, {**columns, "id": id, "revision": 1, "created": now, "created_by": by, "updated": now, "updated_by": by}
        )  # fmt: skip
        announce(session, "automation", id, "automation.created", {"name": columns["name"]}, actor, now)
        return id


@keyed("automation.edit")
def edit(
    db: Database, actor: Actor, automation_id: UUID, request: EditAutomation, *, now: datetime | None = None
) -> None:
    """Change an automation. Once it is enabled again, it acts on what happens from then on. Who changes what it does, or when, answers for it."""
    now = now or clock.now()
    with db.write("automation.edit") as session:
        row = writes.lock(session, automation_id)
        if row is None:
            raise NotFound(_UNKNOWN)
        if request.revision not in (None, row.revision):
            raise Conflict(f"{row.updated_by} has changed the automation meanwhile; look at it again.")
        whole = CreateAutomation(**{name: _chosen(request, row, name) for name in _COUNTED})
        columns = _columns(whole, now)
        if request.q is not None or request.events is not None:
            _check_names(session, columns, now)
        if request.action is not None:
            _check_start(session, request.action)
        columns["action"] = _stored(whole.action, _owner(row, whole, columns, actor))
        if reads.named(session, columns["folded_name"]) not in (None, automation_id):
            raise Conflict(f"There is another automation named {columns['name']!r}; choose a different name.")
        if whole.enabled and not row.enabled:
            columns["after_event"] = events.newest_id(session)
        columns |= {"revision": row.revision + 1, "updated": now, "updated_by": clean(actor.name, 200)}
        writes.change(session, automation_id, **columns)
        data = {"name": columns["name"], "enabled": whole.enabled}
        announce(session, "automation", automation_id, "automation.edited", data, actor, now)


@keyed("automation.delete")
def delete(db: Database, actor: Actor, automation_id: UUID, *, now: datetime | None = None) -> None:
    """Delete an automation with its deliveries. Pending deliveries are dropped."""
    now = now or clock.now()
    with db.write("automation.delete") as session:
        name = writes.remove(session, automation_id)
        if name is None:
            raise NotFound(_UNKNOWN)
        announce(session, "automation", automation_id, "automation.deleted", {"name": name}, actor, now)


def every(session: Session, actor: Actor) -> list[AutomationView]:
    """All automations, by name."""
    rows = reads.every(session)
    counts = reads.counts(session, [row.id for row in rows])
    names = _names(session, rows)
    return [_view(row, counts.get(row.id), actor, names) for row in rows]


def one(session: Session, automation_id: UUID, actor: Actor) -> AutomationView:
    """One automation. Raises NotFound."""
    row = known(session, automation_id)
    return _view(row, reads.counts(session, [row.id]).get(row.id), actor, _names(session, [row]))


def known(session: Session, automation_id: UUID) -> AutomationRow:
    """Its row. Raises NotFound."""
    row = reads.one(session, automation_id)
    if row is None:
        raise NotFound(_UNKNOWN)
    return row


def action_of(document: Mapping[str, Any]) -> Action:
    """The action as it was given."""
    return msgspec.convert({name: value for name, value in document.items() if name != "owner"}, Action)


def delivery_state(state: str | None) -> str | None:
    """The state of a filter. Raises UnknownName."""
    if state is not None and state not in STATES:
        raise run_filter_names.unknown("state", state, STATES, "a delivery is one of")
    return state


def delivery_view(row: DeliveryRow) -> DeliveryView:
    return DeliveryView(
        id=row.id, automation_id=row.automation_id, event=row.event, text=str(row.message.get("text", "")),
        object_id=row.object_id, state=row.state, reason=row.reason, attempts=row.attempts, created=row.created,
        tried_at=row.tried_at, next_try_at=row.next_try_at if row.state == "pending" else None, answer=row.answer,
        message=row.message, started=_started(row),
    )  # fmt: skip


def _started(row: DeliveryRow) -> UUID | None:
    return UUID(row.message["started"]) if "started" in row.message else None


def _names(session: Session, rows: Sequence[AutomationRow]) -> dict[str, str]:
    """The names of users, if any of the automations acts with the rights of one."""
    return (
        {str(user.id): user.username for user in users.every(session)}
        if any("owner" in row.action for row in rows)
        else {}
    )


def _view(row: AutomationRow, counts: DeliveryCounts | None, actor: Actor, names: Mapping[str, str]) -> AutomationView:
    action = action_of(row.action)
    if Permission.EDIT_AUTOMATION not in permissions_of(actor):
        action = targets.masked(action)
    words = automation_words.sentence(
        row.events, row.q, action, row.at_most, row.per, row.unless_known, row.unless_maintenance
    )
    return AutomationView(
        id=row.id, name=row.name, sentence=words, enabled=row.enabled, events=row.events, q=row.q, action=action,
        at_most=row.at_most, per=row.per, unless_known=row.unless_known, unless_maintenance=row.unless_maintenance,
        revision=row.revision, created=row.created, created_by=row.created_by, updated=row.updated,
        updated_by=row.updated_by, acts_as=names.get(row.action.get("owner", ""), ""), pending=counts.pending if counts else 0, failed=counts.failed if counts else 0,
        last_at=counts.last_at if counts else None,
    )  # fmt: skip


def _chosen(request: EditAutomation, row: AutomationRow, name: str) -> Any:
    value = getattr(request, name)
    if value is None:
        value = getattr(row, name)
        return action_of(value) if name == "action" else value
    return value


def _columns(request: CreateAutomation, now: datetime) -> AutomationColumns:
    name = " ".join(request.name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"The name of an automation has 1 to {LONGEST_NAME} printable characters.")
    chosen = _events(request.events)
    rules.check_query(rules.subject_of(chosen), run_query.parse(request.q.strip(), now))
    check_rate(request.at_most, request.per)
    _check_action(request, chosen)
    return {
        "name": name, "folded_name": name.casefold(), "enabled": request.enabled, "events": chosen, "q": request.q.strip(),
        "at_most": request.at_most, "per": request.per,
        "unless_known": request.unless_known, "unless_maintenance": request.unless_maintenance,
    }  # fmt: skip


def _check_action(request: CreateAutomation, events: Sequence[str]) -> None:
    rules.check_text(request.action.text)
    if not acts.acts(request.action):
        targets.check(request.action)
        return
    acts.check(request.action, events)
    labels_of(request.action.labels or ())
    if not request.at_most:
        raise Invalid("An automation that changes something needs a bound: say how often at most, such as 3 per hour.")


def _check_start(session: Session, action: Action) -> None:
    """Raise NotFound for a flow that doesn't exist, and Invalid for parameters that it doesn't have."""
    if action.kind != "start":
        return
    project, _, name = action.flow.partition("/")
    flow_and_version = flows.runnable(session, None, project, name)
    if flow_and_version is None:
        meant = run_filter_names.like_flow(session, project, name)
        raise NotFound(
            f"There is no flow {action.flow[:160]!r}; {'correct its name.' if meant is None else f'did you mean {meant!r}?'}"
        )
    version = flow_and_version[1]
    known = set() if version is None else {parameter["name"] for parameter in version.parameters}
    for parameter in action.parameters:
        if parameter not in known:
            raise Invalid(f"Flow {action.flow} has no parameter {parameter[:80]!r}.")


def _stored(action: Action, owner: UUID | None) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(action)
    return document if owner is None else document | {"owner": str(owner)}


def _owner(row: AutomationRow, whole: CreateAutomation, columns: AutomationColumns, actor: Actor) -> UUID | None:
    """Who answers for what the automation does: the user who has changed that last."""
    same = all(getattr(row, name) == columns.get(name) for name in _COUNTED if name not in (*_OWN, "action"))
    if same and action_of(row.action) == whole.action:
        return automation_rights.owner_of(row.action)
    return automation_rights.owner(actor, whole.action)


def _events(chosen: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(chosen))


def check_rate(at_most: int, per: float) -> None:
    if not 0 <= at_most <= _MOST_PER_PERIOD or not 1 <= per <= _LONGEST_PERIOD:
        raise Invalid(f"An automation acts at most 0 to {_MOST_PER_PERIOD} times per second to 30 days; 0: no limit.")


def _check_names(session: Session, columns: AutomationColumns, now: datetime) -> None:
    """Raise UnknownName if the query names what doesn't exist."""
    run_filter_names.check(session, run_query.parse(columns["q"], now))
