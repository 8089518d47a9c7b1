"""The agent protocol: enrol, claim work, report exits and logs."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock, crash, environment_names, ids
from appliance.kit.documents import JsonDocument
from appliance.protocol.agents import (
    MOST_RUNS_ASKED,
    AgentReport,
    AgentReported,
    Claim,
    Claimed,
    Deleted,
    Enrol,
    Enrolled,
    Exited,
    Held,
    Provided,
    Stop,
    WereDeleted,
    Work,
)
from appliance.server.actions import attempt_usage, quotas, takers
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import labels_of, required_name
from appliance.server.actions.report_rows import log_row
from appliance.server.actions.states import apply_remedy, record_bulk
from appliance.server.auth.identity import Actor, Binding
from appliance.server.db.reads import agents as read_agents
from appliance.server.db.reads import dispatch as read_dispatch
from appliance.server.db.reads import flow_runs as read_flow_runs
from appliance.server.db.reads import flows, removed_runs
from appliance.server.db.reads import tokens as read_tokens
from appliance.server.db.reads.dispatch import Taker
from appliance.server.db.retries import retried
from appliance.server.db.rows.agents import AgentRow, NewAgent
from appliance.server.db.rows.flow_runs import ClaimedRun, HeldRun, LockedRun
from appliance.server.db.session import Database
from appliance.server.db.writes import agents, concurrency, dispatch, flow_runs, logs, states, tokens
from appliance.server.domain import continuation
from appliance.server.domain.agent_states import GONE, ONLINE
from appliance.server.domain.concurrency import Ledger
from appliance.server.domain.repair import exited
from appliance.server.domain.run_protocol import stop_reason
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import CLAIM
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce

_MOST_AT_ONCE = 100
_MOST_HELD = 10_000
_MOST_TAIL = 100
_MOST_FOLDERS = 100
_MOST_PROJECTS = 100
_LONGEST_PATH = 4_096
_MOST_STORAGES = 50
_STORAGE_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_MOST_PROBLEMS, _LONGEST_PROBLEM = 10, 500
_MOST_PROVIDED = 200
_LONGEST_QUARANTINE = timedelta(hours=1)
_QUIET = 5.0
"""An agent that was heard from within these seconds and finds nothing to do costs no write."""


@retried
def enrol(db: Database, actor: Actor, request: Enrol, *, now: datetime | None = None) -> Enrolled:
    """Register the agent; the same name again is the same agent, back again. The first agent that enrols with a token is the only one that
    can use it from then on, with these labels or fewer: to any other, the agent is not found. A request that names another revision than the
    agent has is late, and changes nothing: Conflict, whose details name that revision."""
    now = now or clock.now()
    if not 1 <= request.capacity <= _MOST_HELD:
        raise Invalid(f"The capacity of an agent must be 1 to {_MOST_HELD}.")
    row: NewAgent = {
        "id": ids.uuid7(),
        "name": required_name(request.name, "agent"),
        "type": request.type,
        "labels": labels_of(request.labels),
        "projects": _projects_of(request.projects),
        "capacity": request.capacity,
        "version": clean(request.version, 50),
        "host": clean(request.host, 255),
        "roots": None if request.roots is None else _folders(request.roots),
        "closed": _folders(request.closed),
        "env_names": None if request.env_names is None else _patterns(request.env_names),
        "storages": None if request.storages is None else _storages(request.storages),
        "problems": [clean(problem, _LONGEST_PROBLEM) for problem in request.problems[:_MOST_PROBLEMS]],
        "results_url": None if request.results_url is None else clean(request.results_url, _LONGEST_PATH),
        "results_id": clean(request.results_id, 100) or None,
        "results_key_id": clean(request.results_key_id, 32) or None,
        "provided": None if request.provided is None else _provided(request.provided, now),
        "revision": 1,
        "state": ONLINE,
        "last_seen": now,
        "created": now,
    }
    with db.write("enrol") as session:
        if actor.binding is not None:
            _bind(session, actor, actor.binding, row["name"], row["labels"], row["projects"] or [], now)
        enrolment = agents.enrol(session, row)
        if request.after not in (None, enrolment.revision - 1):
            raise Conflict(
                "The agent has enrolled since then, or is not enrolled any more; this request is late.",
                revision=enrolment.revision - 1,
            )
        announce(session, "agent", enrolment.id, "agent.enrolled", {"name": row["name"]}, actor, now)
    return Enrolled(
        agent_id=enrolment.id,
        revision=enrolment.revision,
        heartbeat_interval=db.rules.heartbeat_interval,
        cancel_grace=db.rules.cancel_grace,
    )


def _provided(said: Provided, now: datetime) -> JsonDocument:
    if max(map(len, (said.users, said.pythons, said.limits))) > _MOST_PROVIDED:
        raise Invalid(f"An agent names at most {_MOST_PROVIDED} users, Pythons, and limits.")
    until = said.quarantined_until
    if until is not None and until.tzinfo is None:
        raise Invalid("The time until which an agent is quarantined must have an offset.")
    cleaned = Provided(
        users=[clean(user, 255) for user in said.users],
        pythons=[clean(python, _LONGEST_PATH) for python in said.pythons],
        limits={clean(name, 40): most for name, most in said.limits.items()},
        results_key_ids=[clean(id, 32) for id in said.results_key_ids[:_MOST_PROVIDED]],
        quarantined_until=None if until is None else min(until, now + _LONGEST_QUARANTINE),
    )
    document: JsonDocument = msgspec.to_builtins(cleaned)
    return document


def _projects_of(names: list[str]) -> list[str]:
    if len(names) > _MOST_PROJECTS:
        raise Invalid(f"An agent names at most {_MOST_PROJECTS} projects; without any, it takes the runs of all.")
    return sorted({required_name(name, "project") for name in names})


def _folders(paths: list[str]) -> list[str]:
    if len(paths) > _MOST_FOLDERS or any(len(path) > _LONGEST_PATH for path in paths):
        raise Invalid(f"An agent names at most {_MOST_FOLDERS} folders, each with at most {_LONGEST_PATH} characters.")
    return [clean(path) for path in paths]


def _storages(types: list[str]) -> list[str]:
    if len(types) > _MOST_STORAGES or not all(_STORAGE_TYPE.fullmatch(type) for type in types):
        raise Invalid(f"An agent names at most {_MOST_STORAGES} storages, by the types in their documents.")
    return sorted(set(types))


def _patterns(names: list[str]) -> list[str]:
    try:
        return list(environment_names.patterns_in(",".join(names))) if names else []
    except ValueError as error:
        raise Invalid(f"The agent's list of environment variables {error}.") from error


@retried
def sign_off(db: Database, actor: Actor, agent_id: UUID, *, now: datetime | None = None) -> None:
    """Record that the agent has stopped, so that it is offline at once. Its runs continue. Signing off again changes nothing."""
    now = now or clock.now()
    with db.write("agent.sign_off") as session:
        agent = enrolled(session, actor, agent_id)
        if agents.sign_off(session, agent_id, now):
            announce(session, "agent", agent_id, "agent.signed_off", {"name": agent.name}, actor, now)


@dataclass(frozen=True)
class ClaimResult:
    """The answer to a claim. `blocked`: there are due runs for the agent, but limits or other runs hold them back."""

    answer: Claimed
    blocked: bool = False


def claim(db: Database, actor: Actor, agent_id: UUID, request: Claim, *, now: datetime | None = None) -> Claimed:
    """Claim due runs, without waiting. Also the agent's heartbeat, and where it learns which of its attempts to stop."""
    return claim_due(db, actor, agent_id, request, now=now).answer


@retried
def claim_due(
    db: Database, actor: Actor, agent_id: UUID, request: Claim, *, now: datetime | None = None
) -> ClaimResult:
    """The same, and whether due runs are held back."""
    now = now or clock.now()
    if len(request.holding) > _MOST_HELD:
        raise Invalid(f"An agent holds at most {_MOST_HELD} runs.")
    holding = [(held.flow_run_id, held.attempt) for held in request.holding]
    new_labels = None if request.labels is None else labels_of(request.labels)
    with db.read() as session:
        agent = enrolled(session, actor, agent_id)
        labels = agent.labels if new_labels is None else new_labels
        if actor.binding is not None:  # another agent may have enrolled under this name, with a token that permits more
            _check_labels(labels, actor.binding.labels)
            _check_projects(agent.projects or (), actor.binding.projects)
        if agent.state in GONE:  # its successor of the same name was faster, and is here; or somebody has forgotten it
            raise NotFound("This agent has signed off; enrol it again.")
        limit = min(request.free_slots, _MOST_AT_ONCE) if agent.state == ONLINE else 0
        fresh = (now - agent.last_seen).total_seconds() < _QUIET and labels == agent.labels
        taker = takers.taker_of(agent, labels)
        due = limit > 0 and read_dispatch.any_due(session, taker, now)
        if fresh and not due:
            return ClaimResult(Claimed(stop=_stops(session, agent_id, holding)))
    lease = now + timedelta(seconds=db.rules.run_lease)
    with db.write("claim") as session:
        if fresh and not read_dispatch.any_due(session, taker, now):  # all were woken, and another was faster
            return ClaimResult(Claimed(stop=_stops(session, agent_id, holding)))
        agents.touch(session, agent_id, new_labels, now)
        if holding:
            flow_runs.prolong(session, agent_id, holding, lease)
        stop = _stops(session, agent_id, holding)
        claimed = _take(session, agent.id, taker, limit, now, lease) if limit > 0 else []
        crash.point("claim.updated")
        work = _hand_out(session, claimed, continuation.origin_of(agent), actor, now) if claimed else []
        return ClaimResult(Claimed(work=work, stop=stop), blocked=due and not work)


def _take(
    session: Session, agent_id: UUID, taker: Taker, limit: int, now: datetime, lease: datetime
) -> list[ClaimedRun]:
    limits = concurrency.lock_run_limits(session)
    if not limits:
        return dispatch.claim(session, agent_id, taker, limit, now, lease)
    ledger = Ledger(limits, read_dispatch.live(session))
    return dispatch.claim_within(session, agent_id, taker, limit, now, lease, ledger)


@keyed("agent.report")
def report(
    db: Database, actor: Actor, agent_id: UUID, request: AgentReport, *, now: datetime | None = None
) -> AgentReported:
    """Store what the agent saw of its processes. An attempt whose process exited without reporting an end is Crashed, or Cancelled. A report with log
    lines has a key, so that they are stored once."""
    now = now or clock.now()
    for line in request.logs:
        if line.at.tzinfo is None:
            raise Invalid("The time of a log line must have an offset.")
    stale: dict[tuple[UUID, int], Held] = {}
    with db.write("exit") as session:
        agent = enrolled(session, actor, agent_id)
        attempts = [(held.flow_run_id, held.attempt) for held in request.started]
        attempts += [(line.flow_run_id, line.attempt) for line in request.logs]
        rows = read_flow_runs.of_attempts(session, attempts)
        for run, attempt in attempts:
            if not _is_held(rows.get(run), agent_id, attempt):
                stale[run, attempt] = Held(flow_run_id=run, attempt=attempt)
        lines = [
            log_row(line.flow_run_id, line.at, line.level, "appliance.agent", line.message)
            for line in request.logs
            if (line.flow_run_id, line.attempt) not in stale
        ]
        logs.add(session, lines)
        quotas.add_lines(session, lines)
        for exit in sorted(request.exited, key=lambda exit: exit.flow_run_id):
            if not _end(session, agent, exit, actor, now):
                stale[exit.flow_run_id, exit.attempt] = Held(flow_run_id=exit.flow_run_id, attempt=exit.attempt)
    return AgentReported(stale=list(stale.values()))


def deleted(db: Database, actor: Actor, agent_id: UUID, request: WereDeleted) -> Deleted:
    """Which of these runs were deleted here. Of a run that this database never had, or no longer remembers, nothing is said: an agent that was
    pointed to an empty or restored database must not remove anything for that."""
    if len(request.flow_run_ids) > MOST_RUNS_ASKED:
        raise Invalid(f"An agent asks for at most {MOST_RUNS_ASKED:,} runs at once.")
    with db.read() as session:
        enrolled(session, actor, agent_id)
        return Deleted(flow_run_ids=removed_runs.among(session, request.flow_run_ids))


def _hand_out(
    session: Session, claimed: list[ClaimedRun], origin: JsonDocument | None, actor: Actor, now: datetime
) -> list[Work]:
    """Give each claimed attempt its token, its history row and its event."""
    secrets = [ids.secret("run") for _ in claimed]
    flow_runs.set_tokens(
        session, [{"run": run.id, "hash": ids.sha256(secret)} for run, secret in zip(claimed, secrets, strict=True)]
    )
    record_bulk(session, CLAIM, claimed, actor, now, data=origin)
    work = flows.work_of_versions(session, [run.flow_version_id for run in claimed])
    return [
        Work(
            flow_run_id=run.id,
            attempt=run.attempt,
            run_token=secret,
            name=run.name,
            flow=work[run.flow_version_id].flow,
            project=work[run.flow_version_id].project,
            storage=work[run.flow_version_id].storage,
            run_config=run.run_config,
            project_id=work[run.flow_version_id].project_id,
        )
        for run, secret in zip(claimed, secrets, strict=True)
        if run.flow_version_id in work  # otherwise it is damaged, and the run comes back until it ends as Crashed
    ]


def _stops(session: Session, agent_id: UUID, holding: list[tuple[UUID, int]]) -> list[Stop]:
    rows = read_flow_runs.of_attempts(session, holding)
    stops = []
    for run, attempt in holding:
        reason = _stop_reason(rows.get(run), agent_id, attempt)
        if reason:
            stops.append(Stop(flow_run_id=run, attempt=attempt, reason=reason))
    return stops


def _stop_reason(run: HeldRun | None, agent_id: UUID, attempt: int) -> str:
    if run is None:
        return "The run was deleted."
    if not _is_held(run, agent_id, attempt):
        return "Another attempt has replaced this one."
    return stop_reason(run.state_type, run.state_name, run.state_message)


def _end(session: Session, agent: AgentRow, exit: Exited, actor: Actor, now: datetime) -> bool:
    """Record the end of a process; False when the attempt is not this agent's any more."""
    run = states.lock(session, exit.flow_run_id)
    if run is None:
        return False
    is_held = _is_held(run, agent.id, exit.attempt)
    attempt_usage.record(session, agent, run, exit, is_held, actor, now)
    if not is_held:
        return False
    data = {
        "exit_code": exit.code,
        "signal": exit.signal,
        "tail": [clean(line, 2_000) for line in exit.tail[-_MOST_TAIL:]],
    }
    remedy = exited(run, _cause(exit), data, now)
    if remedy is not None:
        apply_remedy(session, run, remedy, actor)
    return True


def _cause(exit: Exited) -> str:
    if exit.reason:
        return clean(exit.reason)
    if exit.signal is not None:
        return f"The run's process was killed by {clean(exit.signal, 40)}."
    if exit.code == 0:
        return "The run's process ended with exit code 0, but did not report how the run ended."
    return f"The run's process ended with exit code {exit.code}."


def _is_held(run: HeldRun | LockedRun | None, agent_id: UUID, attempt: int) -> bool:
    return run is not None and run.agent_id == agent_id and run.attempt == attempt


def enrolled(session: Session, actor: Actor, agent_id: UUID) -> AgentRow:
    """The agent, if this actor may speak for it. Raises NotFound."""
    agent = read_agents.get(session, agent_id)
    if agent is None or (actor.binding is not None and actor.binding.name != agent.name):
        raise NotFound("This agent is not enrolled; enrol it again.")
    return agent


def _bind(
    session: Session, actor: Actor, binding: Binding, name: str, labels: list[str], projects: list[str], now: datetime
) -> None:
    if binding.name is None and actor.name != name and read_tokens.has_token(session, name, now):
        raise NotFound(
            f"Agent {name!r} has a token already; revoke that, or create one that is named like the agent: "
            f"appliance token create {name} --scope agent"
        )
    tokens.bind(session, binding.token_id, name, labels, projects)
    row = read_tokens.get(session, binding.token_id)
    bound_name = None if row is None else row.bound_name
    if row is None or bound_name != name:
        raise NotFound(
            f"This token belongs to another agent; create one for {name}: appliance token create {name} --scope agent"
        )
    _check_labels(labels, row.bound_labels or ())
    _check_projects(projects, row.bound_projects or ())


def _check_labels(labels: Collection[str], bound: Collection[str]) -> None:
    others = sorted(set(labels) - set(bound))
    if others:
        raise NotFound(
            f"The first agent with this token did not have the label {others[0]}; create another token for these labels."
        )


def _check_projects(projects: Collection[str], bound: Collection[str]) -> None:
    others = sorted(set(projects) - set(bound)) if projects else ["all projects"]
    if bound and others:
        raise NotFound(
            f"The first agent with this token did not take runs of {others[0]}; create another token for that."
        )
