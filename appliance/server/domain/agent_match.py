"""What keeps an agent from taking a run: facts in, one phrase for each thing that is missing out. The verdicts are those of waiting.taken."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from appliance.protocol import run_config
from appliance.server.domain import hosts
from appliance.server.domain.waiting import AgentFacts, RunFacts, has_python, has_user

MissingCode = Literal[
    "label", "host", "project", "kind", "storage", "user", "python", "offline", "draining", "quarantined"
]


@dataclass(frozen=True)
class Missing:
    """`code` is stable, for programs; `values` are the labels, hosts, project, kind, storage, user or Python; `sentence` says what to do."""

    code: MissingCode
    values: list[str]
    sentence: str


def missing(run: RunFacts, project: str, labels: frozenset[str], agent: AgentFacts, now: datetime) -> list[Missing]:
    """Why the agent wouldn't take the run, lasting things first; `labels` are those that count (hosts.needed). Empty: it would."""
    parts: list[Missing] = []
    lacking = sorted(labels - agent.labels)
    own = [label for label in lacking if hosts.host_of(label) is None]
    if own:
        options = " ".join(f"--label {shlex.quote(label)}" for label in own)
        parts.append(Missing("label", own, f"It lacks {', '.join(own)}; start it with {options}, too."))
    elsewhere = [host for label in lacking if (host := hosts.host_of(label)) is not None]
    if elsewhere:
        parts.append(Missing("host", elsewhere, f"The code is on host {', '.join(elsewhere)}, and this agent is not."))
    if agent.projects is not None and run.project_id not in agent.projects:
        names = ", ".join(agent.project_names)
        sentence = f"It takes the runs of {names} alone; start it with --project {shlex.quote(project)}, too."
        parts.append(Missing("project", [project], sentence))
    if run.kind not in agent.kinds:
        parts.append(Missing("kind", [run.kind], f"It doesn't start {run_config.WORDS[run.kind]}."))
    if run.storage not in agent.storages:
        sentence = f"It takes no code from storage {run.storage}; upgrade it."
        if run.storage == "local":
            sentence = "It takes no code that stays in files; register the flow as a bundle."
        if run.storage == "docker":
            sentence = "It starts no containers, and the code is in an image; start a Docker agent."
        parts.append(Missing("storage", [run.storage], sentence))
    if not has_user(run.needs, agent.provided):
        sentence = f"It starts no runs as user {run.needs.user}; list the user in its APPLIANCE_AGENT_USERS."
        parts.append(Missing("user", [str(run.needs.user)], sentence))
    if not has_python(run.needs, agent.provided):
        parts.append(Missing("python", [str(run.needs.python)], _no_python(run.needs.python, agent)))
    if not agent.live(now):
        parts.append(_not_there(agent.health(now)))
    return parts


def _no_python(python: str | None, agent: AgentFacts) -> str:
    if agent.provided is None or not agent.provided.pythons:
        return "It makes no environments for flows; set its APPLIANCE_AGENT_ENVIRONMENTS=true."
    if python and python.startswith("/"):
        return f"It may not use {python}; name that in its APPLIANCE_AGENT_PYTHONS."
    return f"It has no Python {python}; install that there, or name its interpreter in APPLIANCE_AGENT_PYTHONS."


def _not_there(health: str) -> Missing:
    if health == "draining":
        return Missing("draining", [], "It is draining; resume it.")
    if health == "quarantined":
        return Missing(
            "quarantined", [], "It is quarantined, since starts keep failing there; fix what its problem says."
        )
    return Missing("offline", [], "It is offline; start it.")
