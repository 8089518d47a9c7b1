"""A version that becomes a flow's newest, by a registration or a rollback: numbered, stored, and followed by schedules and by runs that wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from appliance.protocol.flows import Registered, RegistrationPreview
from appliance.protocol.schedules import ScheduleNews
from appliance.server.actions import bundles, code_places, deploys, quotas, warnings
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import mapped_flows, waiting
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.writes import secrets as write_secrets
from appliance.server.domain import versions
from appliance.server.domain.rules import Rules
from appliance.server.errors import ClosedFolder
from appliance.server.events.outbox import announce


class NothingKept(Exception):
    """Ends a transaction without a commit."""


@dataclass(frozen=True)
class Stored:
    """What has been written so far. `created`: the version is new."""

    project: str
    flow: Flow
    version: FlowVersion
    created: bool
    news: list[ScheduleNews]

    @property
    def changes(self) -> list[str]:
        return (self.version.changes or []) if self.created else []


def is_same(stored: FlowVersion, version: FlowVersion) -> bool:
    """Whether both have the same content; earlier releases stored other hashes."""
    return version.content_hash in (stored.content_hash, versions.fingerprint(stored))


def number(session: Session, version: FlowVersion, newest: FlowVersion | None, earlier_hash: str) -> None:
    """Give a version its place after the newest, and say what it restores."""
    version.number = 1 if newest is None else newest.number + 1
    version.changes = [] if newest is None else versions.changes(newest, version)
    candidates = mapped_flows.versions_with(session, version.flow_id, (version.content_hash, earlier_hash))
    version.restores = next((stored.number for stored in candidates if is_same(stored, version)), None)


def add(
    session: Session,
    rules: Rules,
    flow: Flow,
    version: FlowVersion,
    secrets: Sequence[str],
    actor: Actor,
    now: datetime,
    **beside: Any,
) -> None:
    """Store a version that has a number. `beside`: what the event says beside its changes. Raises QuotaReached."""
    quotas.require_room(session, flow.project_id, rules)
    session.add(version)
    flow.updated = now
    session.flush()
    write_secrets.declare(session, version.id, list(secrets))
    data = {"version": version.number, "restores": version.restores, "changes": version.changes}
    announce(session, "flow", flow.id, "flow.registered", data | beside, actor, now)
    quotas.add_version(session, flow.project_id, version)


def complete(session: Session, work: Stored, actor: Actor, now: datetime) -> Registered:
    """What comes after flow, version and schedules are written: its bundle is named, and runs that wait follow. Raises ClosedFolder or Invalid."""
    code_places.refuse_closed(session, work.project, work.version)
    if work.created:
        bundles.name(session, work.flow.project_id, work.version, now)
        deploys.follow(session, work.flow, work.version, actor, now)
    deploys.look_again(session, work.version, actor, now)
    return Registered(
        flow_id=work.flow.id,
        version_id=work.version.id,
        version=work.version.number,
        created=work.created,
        url=f"/flows/{work.flow.id}",
        restores=work.version.restores if work.created else None,
        changes=work.changes,
        schedules=work.news,
        warnings=_warnings(session, work, now),
    )


def preview(session: Session, work: Stored, now: datetime, *, is_known: bool) -> RegistrationPreview:
    """What `complete` would answer; of a closed folder, that it is one. The caller keeps nothing."""
    answer = RegistrationPreview(
        flow_id=work.flow.id if is_known else None,
        version=work.version.number,
        created=work.created,
        restores=work.version.restores if work.created else None,
        changes=work.changes,
        schedules=[msgspec.structs.replace(item, id=None) if item.outcome == "added" else item for item in work.news],
        warnings=_warnings(session, work, now),
    )
    try:
        code_places.refuse_closed(session, work.project, work.version)
    except ClosedFolder as error:
        answer.closed, answer.closed_folder = error.message, str(error.details["folder"])
    return answer


def _warnings(session: Session, work: Stored, now: datetime) -> list[str]:
    return warnings.of_version(session, work.flow, work.version, waiting.agent_facts(session, now))
