"""What keeps an agent from taking a run: facts in, one phrase for each thing that is missing out. The verdicts are those of waiting.taken."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from appliance.protocol import run_config
from appliance.server.domain import hosts
from appliance.server.domain.waiting import AgentFacts, RunFacts, agent_health

MissingCode = Literal["label", "host", "project", "kind", "storage", "offline", "draining", "quarantined"]


@dataclass(frozen=True)
class Missing:
    """`code` is stable, for programs; `values` are the labels, hosts, project, kind or storage; `sentence` says what to do."""

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
        parts.append(Missing("storage", [run.storage], sentence))
    if not agent.live(now):
        parts.append(_not_there(agent_health(agent.state, agent.last_seen, now)))
    return parts


def _not_there(health: str) -> Missing:
    if health == "draining":
        return Missing("draining", [], "It is draining; resume it.")
    if health == "quarantined":
        return Missing("quarantined", [], "It is quarantined; resume it.")
    return Missing("offline", [], "It is offline; start it.")
