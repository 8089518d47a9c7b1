"""Artifacts of runs: made by the live attempt of a run, one for each slot, so that a task that is tried again replaces what it has made before.

Each artifact with a key is a new version of it in the project. Versions go with their runs, except those that are to stay longer.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, crash, ids
from appliance.protocol import artifact_kinds as kinds
from appliance.protocol.artifacts import ArtifactMade, MakeArtifact
from appliance.server.actions import quotas
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import conflict
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import artifacts as reads
from appliance.server.db.retries import retried
from appliance.server.db.rows.artifacts import ArtifactContent, ArtifactFacts, ArtifactRow, ArtifactValues
from appliance.server.db.rows.flow_runs import LockedRun
from appliance.server.db.session import Database
from appliance.server.db.writes import artifacts as writes
from appliance.server.db.writes import states
from appliance.server.domain.bounds import check_name
from appliance.server.domain.quotas import ARTIFACT, ARTIFACTS_OF_RUN, BYTES_OF_ARTIFACTS
from appliance.server.domain.rules import Rules
from appliance.server.domain.run_protocol import may_make_artifacts
from appliance.server.domain.sanitize import MAX_INDEX, MAX_SLUG, clean
from appliance.server.errors import Conflict, Invalid, NoArtifact, NotFound
from appliance.server.events.outbox import announce

_SLOT = re.compile(r"[0-9a-f]{64}")


@retried
def make(db: Database, flow_run_id: UUID, request: MakeArtifact, *, now: datetime | None = None) -> ArtifactMade:
    """Make an artifact of the live attempt of a run, or replace the one in its slot, unless a later request has done that.

    Raises StaleAttempt, QuotaReached, Invalid, or Conflict where the slot has one of another kind or key.
    """
    now, rules = now or clock.now(), db.rules
    values = _checked(request, rules, now)
    with db.write("artifacts.make") as session:
        run = states.lock(session, flow_run_id)
        if run is None:
            raise NotFound("There is no such run; it may have been deleted.")
        refusal = may_make_artifacts(run, request.attempt)
        if refusal is not None:
            raise conflict(refusal)
        known = writes.lock(session, flow_run_id, request.slot)
        _require_room(session, run, values["size"], known, rules)
        made = _add(session, run, request, values) if known is None else _replace(session, known, request, values)
        crash.point("artifacts.made")
    crash.point("artifacts.committed")
    return made


def content(session: Session, artifact_id: UUID) -> ArtifactContent:
    """An artifact with its bytes. Raises NoArtifact."""
    known = reads.content(session, artifact_id)
    if known is None:
        raise _no_such_artifact()
    return known


def one(session: Session, artifact_id: UUID) -> ArtifactRow:
    """An artifact. Raises NoArtifact."""
    row = reads.one(session, artifact_id)
    if row is None:
        raise _no_such_artifact()
    return row


@keyed("artifacts.remove")
def remove(db: Database, actor: Actor, artifact_id: UUID, *, now: datetime | None = None) -> None:
    """Remove an artifact. Later versions of its key keep their numbers. Raises NoArtifact."""
    now = now or clock.now()
    with db.write("artifacts.remove") as session:
        if not writes.remove(session, artifact_id, now):
            raise _no_such_artifact()
        announce(session, "artifact", artifact_id, "artifact.removed", {}, actor, now)


def _add(session: Session, run: LockedRun, request: MakeArtifact, values: ArtifactValues) -> ArtifactMade:
    project_id, now = quotas.project_of(session, run.flow_id), values["updated"]
    version = None if request.key is None else writes.next_version(session, project_id, request.key, now)
    artifact_id = ids.uuid7()
    writes.add(
        session,
        {
            **values,
            "id": artifact_id,
            "project_id": project_id,
            "flow_id": run.flow_id,
            "flow_run_id": run.id,
            "slot": request.slot,
            "task_slug": request.task_slug,
            "map_index": request.map_index,
            "kind": request.kind,
            "key": request.key,
            "version": version,
            "created": now,
        },
    )
    if request.key is not None and version is not None:
        writes.remove_superseded(session, project_id, request.key, version, now)
    return ArtifactMade(id=artifact_id, version=version)


def _replace(session: Session, known: ArtifactFacts, request: MakeArtifact, values: ArtifactValues) -> ArtifactMade:
    if (known.kind, known.key) != (request.kind, request.key):
        raise Conflict("The slot has an artifact of another kind or key; use another slot.")
    if (known.attempt, known.number) < (request.attempt, request.number):
        writes.replace(session, known, values)
    return ArtifactMade(id=known.id, version=known.version)


def _checked(request: MakeArtifact, rules: Rules, now: datetime) -> ArtifactValues:
    """What is stored. Raises Invalid or QuotaReached."""
    size = len(request.content)
    if size > rules.artifact_bytes:
        raise ARTIFACT.reached(rules.artifact_bytes)
    if hashlib.sha256(request.content).hexdigest() != request.sha256:
        raise Invalid(
            "The bytes of the artifact don't match their hash; they were damaged on the way. Send them again."
        )
    _check_place(request)
    is_file = request.kind == kinds.FILE
    if is_file != (request.file_name is not None):
        raise Invalid("A file has a name, and other artifacts have none.")
    problem = (
        kinds.problem(request.kind, request.content)
        or kinds.key_problem(request.key, request.retention)
        or kinds.progress_problem(request.kind, request.progress)
        or (kinds.file_name_problem(request.file_name) if request.file_name is not None else None)
    )
    if problem:
        raise Invalid(problem)
    return {
        "attempt": request.attempt,
        "number": request.number,
        "title": clean(request.title, kinds.LONGEST_TITLE),
        "media_type": kinds.media_type(request.kind, request.content),
        "file_name": request.file_name,
        "size": size,
        "sha256": request.sha256,
        "progress": request.progress,
        "retention": request.retention,
        "updated": now,
        "content": request.content,
    }


def _check_place(request: MakeArtifact) -> None:
    if _SLOT.fullmatch(request.slot) is None:
        raise Invalid("The slot of an artifact has 64 hexadecimal digits.")
    if not 0 <= request.attempt <= MAX_INDEX or not 0 <= request.number <= MAX_INDEX:
        raise Invalid("The number of the attempt or of the request is out of range.")
    if not -1 <= request.map_index <= MAX_INDEX:
        raise Invalid("The map index of the task is out of range.")
    if request.task_slug is not None:
        if not 0 < len(request.task_slug) <= MAX_SLUG:
            raise Invalid("The slug of the task is empty or too long.")
        check_name(request.task_slug, "task_slug")


def _require_room(session: Session, run: LockedRun, size: int, known: ArtifactFacts | None, rules: Rules) -> None:
    number, total = reads.sums_of_run(session, run.id)
    if known is None and number >= rules.run_artifacts:
        raise ARTIFACTS_OF_RUN.reached(rules.run_artifacts)
    more = size - (known.size if known else 0)
    if more <= 0 and known is not None:
        return
    if 0 < rules.run_artifacts_bytes < total + more:
        raise BYTES_OF_ARTIFACTS.reached(rules.run_artifacts_bytes)
    quotas.require_room_for(session, quotas.project_of(session, run.flow_id), more, rules)


def _no_such_artifact() -> NoArtifact:
    return NoArtifact("There is no such artifact; it may have been deleted.")
