"""Which agents would take a run, before there is one: for people who choose labels, and who wonder why nothing starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit.plurals import counted
from appliance.protocol.run_config import WORDS, Kind
from appliance.protocol.storage import KINDS as STORAGES
from appliance.server.actions import warnings
from appliance.server.actions.names import labels_of
from appliance.server.db.reads import projects, waiting
from appliance.server.db.reads.run_filter_names import check_project, unknown
from appliance.server.domain import hosts
from appliance.server.domain.agent_match import Missing, missing
from appliance.server.domain.waiting import AgentFacts, RunFacts, Situation, taken

MOST = 50
_ANY_PROJECT = UUID(int=0)


@dataclass(frozen=True)
class Candidate:
    """An agent, and what keeps it from taking the run. One that would take it may have no free slot now."""

    id: UUID
    name: str
    health: str
    capacity: int
    running: int
    missing: list[Missing]


@dataclass(frozen=True)
class AgentMatch:
    """`taking`: how many agents would take the run. `code` and `sentence` are what the run's wait reason would be. The agents that lack least
    come first, at most 50 of `total`."""

    taking: int
    code: str
    sentence: str
    agents: list[Candidate]
    total: int


def match(
    session: Session,
    labels: Sequence[str],
    project: str | None,
    kind: str | None,
    storage: str | None,
    user: str | None,
    python: str | None,
    now: datetime,
) -> AgentMatch:
    """Who would take a run with all of these labels, of this project, with a run config of this kind, and with its code in this storage;
    without one, of any project, started by any agent, from a file. One with a `user` or a `python` is a process. Raises Invalid and UnknownName."""
    config = {"type": _kind(kind or ("process" if user or python else "universal")), "user": user, "python": python}
    run = warnings.facts_of(_project_id(session, project), config, _storage(storage or "local"), labels_of(labels), now)
    facts = waiting.agent_facts(session, now)
    if project is None:
        facts = replace(facts, agents=[replace(agent, projects=None) for agent in facts.agents])
    needed = hosts.needed(run.labels, [agent.host for agent in facts.agents])
    candidates = [_candidate(run, project or "", needed, agent, now) for agent in facts.agents]
    candidates.sort(key=lambda one: (_distance(one), one.running >= one.capacity, one.name))
    taking = sum(not one.missing for one in candidates)
    code, sentence = _verdict(run, facts, candidates, taking)
    return AgentMatch(taking, code, sentence, candidates[:MOST], len(candidates))


def _distance(one: Candidate) -> int:
    """How many things the agent lacks."""
    return sum(max(1, len(part.values)) for part in one.missing)


def _verdict(run: RunFacts, facts: Situation, candidates: Sequence[Candidate], taking: int) -> tuple[str, str]:
    reason = taken(run, facts)
    if reason.code != "soon":
        return reason.code, reason.sentence
    if taking == 1:
        return reason.code, f"Agent {candidates[0].name} would take the run."
    return reason.code, f"{counted(taking, 'agent')} would take the run, the first that asks."


def _candidate(run: RunFacts, project: str, labels: frozenset[str], agent: AgentFacts, now: datetime) -> Candidate:
    assert agent.id is not None
    lacks = missing(run, project, labels, agent, now)
    return Candidate(agent.id, agent.name, agent.health(now), agent.capacity, agent.running, lacks)


def _project_id(session: Session, project: str | None) -> UUID:
    if project is None:
        return _ANY_PROJECT
    check_project(session, project)
    return projects.ids_of(session, [project])[project]


def _kind(kind: str) -> Kind:
    if kind not in WORDS:
        raise unknown("kind", kind, WORDS, "a run config is one of")
    return cast(Kind, kind)


def _storage(storage: str) -> str:
    if storage not in STORAGES:
        raise unknown("storage", storage, STORAGES, "the storages are")
    return storage
