"""Writing and removing artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.protocol.artifact_kinds import FOREVER, LATEST
from appliance.server.db import usage
from appliance.server.db.reads import artifacts as reads
from appliance.server.db.reads import readable
from appliance.server.db.rows.artifacts import ArtifactFacts, ArtifactValues, NewArtifact
from appliance.server.db.tables.artifacts import Artifact, ArtifactKey
from appliance.server.db.tables.columns import table
from appliance.server.db.upserts import upsert
from appliance.server.db.writes import usage as usage_of_runs
from appliance.server.domain.quotas import ROW

_artifact = table(Artifact)
_key = table(ArtifactKey)
_later = _artifact.alias("later")
_OF_KEY = (_artifact.c.project_id == _key.c.project_id) & (_artifact.c.key == _key.c.key)
_REMOVED = (_artifact.c.id, _artifact.c.project_id, _artifact.c.flow_run_id, _artifact.c.key, _artifact.c.size)
_AT_ONCE = 20
"""As many may be large."""


def lock(session: Session, flow_run_id: UUID, slot: str) -> ArtifactFacts | None:
    """The artifact of a run in this slot, which stays as it is until the transaction ends."""
    mine = (_artifact.c.flow_run_id == flow_run_id, _artifact.c.slot == slot)
    statement = select(*reads.FACTS).where(*mine).with_for_update()
    return cast(ArtifactFacts | None, session.connection().execute(statement).one_or_none())


def next_version(session: Session, project_id: UUID, key: str, now: datetime) -> int:
    """The number of a new version of a key, which nobody else gets."""
    first = {"id": ids.uuid7(), "project_id": project_id, "key": key, "last_version": 1, "updated": now}
    statement = upsert(session, _key).values(first)
    more = {"last_version": _key.c.last_version + 1, "updated": now, "emptied": None}
    changed = statement.on_conflict_do_update(index_elements=["project_id", "key"], set_=more)
    return int(session.connection().execute(changed.returning(_key.c.last_version)).scalar_one())


def add(session: Session, row: NewArtifact) -> None:
    """Store an artifact, and count it for its project and run."""
    session.connection().execute(insert(_artifact), dict(row))
    _count(session, row["project_id"], row["flow_run_id"], row["id"], 1, row["size"] + ROW)


def replace(session: Session, known: ArtifactFacts, values: ArtifactValues) -> None:
    """Replace an artifact of a run with what a later request says, and count its size."""
    session.connection().execute(update(_artifact).where(_artifact.c.id == known.id).values(**values))
    if values["size"] != known.size:
        _count(session, known.project_id, known.flow_run_id, known.id, 0, values["size"] - known.size)


def remove(session: Session, artifact_id: UUID, now: datetime) -> bool:
    """Remove one artifact; whether it was there."""
    return _remove(session, _artifact.c.id == artifact_id, now) > 0


def remove_superseded(session: Session, project_id: UUID, key: str, version: int, now: datetime) -> None:
    """Remove versions of a key before this one that have outlived their runs only because they were the latest."""
    before = (_artifact.c.project_id == project_id, _artifact.c.key == key, _artifact.c.version < version)
    kept_on = _artifact.c.flow_run_id.is_(None) & (_artifact.c.retention == LATEST)
    some = select(_artifact.c.id).where(*before, kept_on).limit(_AT_ONCE)
    _remove(session, _artifact.c.id.in_(some), now)


def remove_some_of_run(session: Session, flow_run_id: UUID, limit: int, now: datetime) -> int:
    """Remove artifacts of a run that is being deleted, which takes what they have stored off its project. Those that stay are no longer of the
    run. Returns how many they were together."""
    some = select(*_REMOVED).where(_artifact.c.flow_run_id == flow_run_id).limit(min(limit, _AT_ONCE))
    rows = session.connection().execute(some).all()
    if not rows:
        return 0
    stay = _those_that_stay(session, [row.id for row in rows])
    if stay:
        parted = update(_artifact).where(_artifact.c.id.in_(stay)).values(flow_run_id=None)
        session.connection().execute(parted)
        size = sum(row.size + ROW for row in rows if row.id in stay)
        usage_of_runs.add_to_run(session, flow_run_id, -len(stay), -size)
    gone = [row for row in rows if row.id not in stay]
    if gone:
        session.connection().execute(delete(_artifact).where(_artifact.c.id.in_([row.id for row in gone])))
        _note_emptied(session, {(row.project_id, row.key) for row in gone}, now)
    return len(rows)


def remove_some_of_flow(session: Session, flow_id: UUID, now: datetime) -> int:
    """Remove artifacts of a flow that is being deleted, whose runs are gone; how many."""
    some = select(_artifact.c.id).where(_artifact.c.flow_id == flow_id).limit(_AT_ONCE)
    return _remove(session, _artifact.c.id.in_(some), now)


def forget_keys(session: Session, before: datetime, limit: int) -> int:
    """Forget keys whose last artifact was removed before a time; how many."""
    any_left = select(_artifact.c.id).where(_OF_KEY).exists()  # made in the meantime
    old = select(_key.c.id).where(_key.c.emptied < before, ~any_left).limit(limit)
    return int(session.connection().execute(delete(_key).where(_key.c.id.in_(old))).rowcount)


def _those_that_stay(session: Session, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these artifacts that outlive their run. Until the transaction ends, no key of theirs gets a new version."""
    among = select(_artifact.c.id).where(_OF_KEY, _artifact.c.id.in_(ids), _artifact.c.retention == LATEST)
    session.connection().execute(select(_key.c.id).where(among.exists()).order_by(_key.c.id).with_for_update(of=_key))
    same = (_later.c.project_id == _artifact.c.project_id) & (_later.c.key == _artifact.c.key)
    is_latest = ~select(_later.c.id).where(same, _later.c.version > _artifact.c.version).exists()
    stays = (_artifact.c.retention == FOREVER) | ((_artifact.c.retention == LATEST) & is_latest)
    return set(readable.scalars(session, select(_artifact.c.id).where(_artifact.c.id.in_(ids), stays)))


def _remove(session: Session, chosen: ColumnElement[bool], now: datetime) -> int:
    """Remove artifacts, and take them off what their projects and runs have stored."""
    gone = session.connection().execute(delete(_artifact).where(chosen).returning(*_REMOVED)).all()
    for row in gone:
        _count(session, row.project_id, row.flow_run_id, row.id, -1, -row.size - ROW)
    _note_emptied(session, {(row.project_id, row.key) for row in gone}, now)
    return len(gone)


def _note_emptied(session: Session, keys: set[tuple[UUID, str | None]], now: datetime) -> None:
    """Note which of these keys of projects have lost their last artifact."""
    for project_id, key in sorted((project_id, key) for project_id, key in keys if key is not None):
        any_left = select(_artifact.c.id).where(_OF_KEY).exists()
        one = (_key.c.project_id == project_id, _key.c.key == key)
        session.connection().execute(update(_key).where(*one, ~any_left).values(emptied=now))


def _count(session: Session, project_id: UUID, flow_run_id: UUID | None, id: UUID, rows: int, bytes: int) -> None:
    if flow_run_id is not None:
        usage_of_runs.add_to_run(session, flow_run_id, rows, bytes)
    usage.add(session, project_id, flow_run_id or id, rows, bytes)
