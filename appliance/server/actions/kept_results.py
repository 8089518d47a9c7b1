"""Results that the appliance keeps for runs: the bytes are stored and read as they are, and never opened.

A result whose location has the run's id as a folder belongs to that run: only its live attempt writes it, and it goes with the run. Others, such as
targets and records of caches, are shared: any live attempt of the project writes them, and they go when they expire, or as old as runs get. Live
attempts read all of their own project, because a cache leads to what another run has computed.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from appliance.kit import clock, crash, ids
from appliance.protocol.results import (
    LONGEST_LOCATION,
    AskKeptResult,
    AskResult,
    ResultContent,
    ResultFacts,
    StoreResult,
)
from appliance.server.actions import quotas
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import conflict
from appliance.server.auth.identity import Actor
from appliance.server.db import usage
from appliance.server.db.reads import kept_results as reads
from appliance.server.db.retries import retried
from appliance.server.db.rows.flow_runs import LockedRun
from appliance.server.db.rows.kept_results import Content, Facts
from appliance.server.db.session import Database
from appliance.server.db.writes import kept_results as writes
from appliance.server.db.writes import secrets as write_projects
from appliance.server.db.writes import states
from appliance.server.db.writes import usage as write_usage
from appliance.server.domain.quotas import RESULT, RESULTS_OF_RUN, ROW
from appliance.server.domain.rules import Rules
from appliance.server.domain.run_protocol import may_use_results
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Conflict, Invalid, NoResult, NotFound, ResultsDoorClosed
from appliance.server.events.outbox import announce

_totals: WeakKeyDictionary[Database, tuple[float, tuple[int, int]]] = WeakKeyDictionary()
_DUTY, _CHEAP = 100, 0.005


def totals(db: Database) -> tuple[int, int]:
    """How many results there are, and their bytes, which are counted for at most a hundredth of the time."""
    began = clock.monotonic()
    until, known = _totals.get(db, (0.0, (0, 0)))
    if began < until:
        return known
    with db.read() as session:
        known = reads.totals(session)
    took = clock.monotonic() - began
    _totals[db] = began + (_DUTY * took if took > _CHEAP else 0.0), known
    return known


@retried
def store(db: Database, flow_run_id: UUID, request: StoreResult, *, now: datetime | None = None) -> ResultFacts:
    """Store a result of the live attempt of a run. The same bytes again change nothing but how long a shared result stays.

    Raises StaleAttempt, ResultsDoorClosed, QuotaReached, Invalid, or Conflict where other bytes are that are not to be replaced.
    """
    now, rules = now or clock.now(), db.rules
    size = len(request.content)
    _check(request, rules)
    facts = ResultFacts(exists=True, sha256=request.sha256, size=size, sealed=request.sealed)
    with db.write("results.store") as session:
        run = states.lock(session, flow_run_id)
        if run is None:
            raise NotFound("There is no such run; it may have been deleted.")
        refusal = may_use_results(run, request.attempt)
        if refusal is not None:
            raise conflict(refusal)
        project_id, owner = quotas.project_of(session, run.flow_id), _owner(flow_run_id, request.location)
        if owner is None:
            write_projects.lock_project(session, project_id)  # nobody else adds the same
        expires = None if owner else _expiry(request.expires, rules, now)
        known = writes.lock(session, project_id, request.location)
        if known is not None and known.flow_run_id != owner:
            raise Conflict("There is a result of another run at this location; choose another.")
        if known is not None and known.sha256 == request.sha256:
            if owner is None:
                writes.prolong(session, known.id, now, expires)
            return facts
        if known is not None and not request.replace:
            raise Conflict("There is another result at this location already, which is not to be replaced.")
        _require_room(session, run, project_id, owner, size - (known.size if known else 0), rules)
        if known is None:
            result_id = ids.uuid7()
            writes.add(
                session,
                {
                    "id": result_id, "project_id": project_id, "flow_run_id": owner, "location": request.location,
                    "sha256": request.sha256, "size": size, "sealed": request.sealed, "key_id": clean(request.key_id, 32) or None, "stored": now, "expires": expires,
                    "content": request.content,
                },
            )  # fmt: skip
        else:
            result_id = known.id
            writes.replace(session, result_id, request, now, expires)
        _count(session, project_id, owner, result_id, size, known)
        crash.point("results.stored")
    crash.point("results.committed")
    return facts


def read(db: Database, flow_run_id: UUID, request: AskResult) -> ResultContent:
    """The bytes of a result, for the live attempt of a run of its project. Raises StaleAttempt or NoResult."""
    with db.read() as session:
        content = reads.content(session, _project_of(session, flow_run_id, request), request.location)
    return _content(content)


def find(db: Database, flow_run_id: UUID, request: AskResult) -> ResultFacts:
    """Whether there is a result, likewise. Raises StaleAttempt."""
    with db.read() as session:
        facts = reads.facts(session, _project_of(session, flow_run_id, request), request.location)
    if facts is None:
        return ResultFacts(exists=False)
    return ResultFacts(exists=True, sha256=facts.sha256, size=facts.size, sealed=facts.sealed)


def read_as_person(db: Database, request: AskKeptResult) -> ResultContent:
    """The bytes of a result. Raises NoResult, or Invalid where several projects have one of this location."""
    with db.read() as session:
        projects = reads.projects_with(session, request.location, request.project)
        if len(projects) > 1:
            raise Invalid("Several projects have a result at this location; say which project.")
        return _content(reads.content(session, projects[0], request.location) if projects else None)


@keyed("results.remove")
def remove(db: Database, actor: Actor, result_id: UUID, *, now: datetime | None = None) -> None:
    """Remove a result: its task runs again when a restart, a target or a cache needs it."""
    now = now or clock.now()
    with db.write("results.remove") as session:
        if not writes.remove(session, result_id):
            raise NoResult("There is no such result; it may have been removed.")
        announce(session, "kept_result", result_id, "kept_result.removed", {}, actor, now)


def _project_of(session: Session, flow_run_id: UUID, request: AskResult) -> UUID:
    run = reads.reader(session, flow_run_id)
    if run is None:
        raise NotFound("There is no such run; it may have been deleted.")
    refusal = may_use_results(run, request.attempt)
    if refusal is not None:
        raise conflict(refusal)
    return run.project_id


def _content(content: Content | None) -> ResultContent:
    if content is None:
        raise NoResult("There is no such result; it may have been removed.")
    return ResultContent(
        sha256=content.sha256, content=content.content, sealed=content.sealed, project_id=content.project_id
    )


def _owner(flow_run_id: UUID, location: str) -> UUID | None:
    return flow_run_id if str(flow_run_id) in location.split("/")[:-1] else None


def _expiry(given: datetime | None, rules: Rules, now: datetime) -> datetime | None:
    if given is not None or rules.retention_runs_days <= 0:
        return given
    return now + timedelta(days=rules.retention_runs_days)


def _check(request: StoreResult, rules: Rules) -> None:
    if not rules.results_door:
        raise ResultsDoorClosed(
            "This appliance keeps no more results of runs, because APPLIANCE_RESULTS_DOOR is false; store them elsewhere, "
            "for example in an object store."
        )
    if not request.location or len(request.location.encode()) > LONGEST_LOCATION:
        raise Invalid(f"The location of a result must have between 1 and {LONGEST_LOCATION} bytes.")
    if any(ord(char) < 32 or ord(char) == 127 for char in request.location):
        raise Invalid("The location of a result must not contain control characters.")
    if len(request.content) > rules.results_door_object_bytes:
        raise RESULT.reached(rules.results_door_object_bytes)
    if hashlib.sha256(request.content).hexdigest() != request.sha256:
        raise Invalid("The bytes of the result don't match their hash; they were damaged on the way. Send them again.")


def _require_room(
    session: Session, run: LockedRun, project_id: UUID, owner: UUID | None, more: int, rules: Rules
) -> None:
    most = rules.results_door_run_bytes
    if owner and 0 < most < reads.bytes_of_run(session, run.id) + more:
        raise RESULTS_OF_RUN.reached(most)
    quotas.require_room_for(session, project_id, more, rules)


def _count(
    session: Session, project_id: UUID, owner: UUID | None, result_id: UUID, size: int, known: Facts | None
) -> None:
    rows, more = (1, size + ROW) if known is None else (0, size - known.size)
    if owner:
        write_usage.add_to_run(session, owner, rows, more)
    usage.add(session, project_id, owner or result_id, rows, more)
