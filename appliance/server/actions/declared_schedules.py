"""The schedules that a flow's code declares: what it changes is merged into what is stored, and what operators have changed stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol.schedules import FieldChange, FieldEdit, ScheduleNews
from appliance.schedules import describe
from appliance.server.actions.planning import catch_up_missed, plan_again, plan_runs, switch_off, unplan
from appliance.server.actions.schedule_rows import (
    announce_change,
    declaration_of,
    edits_of,
    fill,
    new_row,
    remove,
    require_runnable,
    require_startable,
    touch,
)
from appliance.server.auth.identity import Actor
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import schedules
from appliance.server.domain import declarations
from appliance.server.domain.schedule_words import Outcome, sentence
from appliance.server.errors import Invalid

_PAUSED = "paused"
"""In a stored declaration: the flow was registered with its schedules paused."""


@dataclass(frozen=True)
class _Registering:
    """One registration: whose, of what, when, and whether the version is new, so that planned runs have to follow it."""

    session: Session
    flow: Flow
    version: FlowVersion
    is_new: bool
    active: bool
    actor: Actor
    now: datetime
    ahead: int


def sync_with_code(
    session: Session,
    flow: Flow,
    version: FlowVersion,
    before: Sequence[JsonDocument],
    *,
    is_new: bool,
    active: bool,
    actor: Actor,
    now: datetime,
    ahead: int,
) -> list[ScheduleNews]:
    """Merge what the version declares into the flow's schedules of code; `before` is what the version before declared.

    Those that the code does not declare any more are removed. With a new version, all active schedules of the flow are planned again,
    because their planned runs belong to the version before.
    """
    work = _Registering(session, flow, version, is_new, active, actor, now, ahead)
    declared = list({declarations.canonical(document): document for document in version.schedules}.values())
    stored = schedules.lock_of_flow(session, flow.id)
    rows = [schedule for schedule in stored if schedule.origin == "code"]
    bases = _bases(rows, before)
    matches = declarations.pairs(bases, declared)
    deleted = {declarations.canonical(document) for document in declarations.without(before, bases)}
    news: list[ScheduleNews | None] = [
        _remove(work, row) for position, row in enumerate(rows) if position not in matches.values()
    ]
    for index, document in enumerate(declared):
        if index in matches:
            news.append(_merge(work, rows[matches[index]], bases[matches[index]], document))
        elif declarations.canonical(document) in deleted:
            news.append(_news(None, document, "left deleted"))
        else:
            news.append(_add(work, document))
    news += [_follow(work, schedule) for schedule in stored if schedule.origin != "code"]
    return [item for item in news if item is not None]


def _bases(rows: Sequence[Schedule], before: Sequence[JsonDocument]) -> list[JsonDocument]:
    """What code declared of each schedule last time. Earlier releases did not keep it with the schedule: it is found in the version."""
    unknown = [row for row in rows if row.declared is None]
    left = declarations.without(before, [row.declared for row in rows if row.declared is not None])
    matches = declarations.pairs([_without_policies(row) for row in unknown], left)
    by_row = {unknown[position].id: left[index] for index, position in matches.items()}
    return [row.declared or by_row.get(row.id) or _without_policies(row) for row in rows]


def _without_policies(schedule: Schedule) -> JsonDocument:
    return {**schedule.document, "parameters": schedule.parameters, "labels": schedule.labels}


def _merge(work: _Registering, schedule: Schedule, before: JsonDocument, document: JsonDocument) -> ScheduleNews | None:
    was_paused = bool(before.get(_PAUSED))
    if schedule.active:
        require_runnable(work.flow, work.version, document.get("parameters") or {})
    merged = declarations.merge(before, document, declaration_of(schedule))
    catch_up_missed(work.session, schedule, work.actor, work.now, work.ahead)
    changes = merged.changes
    if changes:
        try:
            fill(schedule, merged.document, whole=True)
        except Invalid:  # edits that don't go together with what the code says now
            merged = declarations.taking_times(document, declaration_of(schedule), merged)
            changes = merged.changes
            fill(schedule, merged.document, whole=True)
    if schedule.active and not work.active and not was_paused:
        schedule.active = False
        changes = [*changes, FieldChange(field="active", before=True, after=False, edited=False)]
    schedule.declared = document if work.active else {**document, _PAUSED: True}
    if changes:
        touch(work.session, schedule, work.now)
        announce_change(work.session, schedule, "schedule.edited", work.actor, work.now)
    work.session.flush()
    if not schedule.active:
        unplan(work.session, schedule, work.now)
    elif changes or work.is_new:
        reason = _plan(work, schedule)
        if reason:
            return _news(schedule, document, "turned off", changes, merged.kept, reason)
    if changes:
        return _news(schedule, document, "changed", changes, merged.kept)
    return _news(schedule, document, "kept", (), merged.kept) if merged.kept or not schedule.active else None


def _add(work: _Registering, document: JsonDocument) -> ScheduleNews:
    schedule = new_row(work.session, work.flow, document, "code", work.active, work.now)
    schedule.declared = document if work.active else {**document, _PAUSED: True}
    work.session.flush()
    if work.active:
        require_startable(work.session, work.flow, work.version, schedule)
        plan_runs(work.session, [schedule], work.actor, work.now, work.ahead)
    announce_change(work.session, schedule, "schedule.created", work.actor, work.now)
    return _news(schedule, document, "added")


def _remove(work: _Registering, schedule: Schedule) -> ScheduleNews:
    news = _news(schedule, schedule.document, "removed", edits=edits_of(schedule))
    remove(work.session, schedule, work.actor, work.now)
    return news


def _follow(work: _Registering, schedule: Schedule) -> ScheduleNews | None:
    """An operator's own schedule stays as it is; its planned runs follow the new version."""
    if not schedule.active or not work.is_new:
        return None
    catch_up_missed(work.session, schedule, work.actor, work.now, work.ahead)
    reason = _plan(work, schedule)
    return _news(schedule, schedule.document, "turned off", reason=reason) if reason else None


def _plan(work: _Registering, schedule: Schedule) -> str:
    """Plan the schedule's runs again; turned off, the answer says why: its parameters don't fit the version."""
    try:
        require_startable(work.session, work.flow, work.version, schedule)
    except Invalid as error:
        unplan(work.session, schedule, work.now)
        switch_off(work.session, schedule, str(error), work.actor, work.now)
        return str(error)
    plan_again(work.session, schedule, work.actor, work.now, work.ahead)
    return ""


def _news(
    schedule: Schedule | None,
    document: JsonDocument,
    outcome: Outcome,
    changes: Sequence[FieldChange] = (),
    edits: Sequence[FieldEdit] = (),
    reason: str = "",
) -> ScheduleNews:
    description = describe(document if schedule is None else schedule.document)
    active = schedule is not None and schedule.active
    return ScheduleNews(
        id=None if schedule is None or outcome == "removed" else schedule.id,
        description=description,
        outcome=outcome,
        active=active and outcome != "removed",
        text=sentence(description, outcome, active, changes, edits, reason),
        changes=list(changes),
        edits=list(edits),
    )
