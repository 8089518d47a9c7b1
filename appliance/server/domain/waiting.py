"""Why a run is waiting, in one sentence: facts in, sentence out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

ONLINE_FOR = timedelta(seconds=90)
"""An agent whose last word is older than this counts as offline."""


_NOT_YET = {
    "AwaitingRetry": "A task failed and tries again at {at}; the run goes on then.",
    "Paused": "The run is paused until {at}; resume it to go on sooner.",
}


@dataclass(frozen=True)
class AgentFacts:
    """What matters of an agent for the question who could take a run."""

    labels: frozenset[str]
    capacity: int
    running: int
    state: str  # online, draining, quarantined
    last_seen: datetime

    def live(self, now: datetime) -> bool:
        return self.state == "online" and now - self.last_seen <= ONLINE_FOR


@dataclass(frozen=True)
class RunFacts:
    """What matters of a run."""

    state_type: str
    state_name: str
    scheduled_time: datetime
    labels: frozenset[str]
    flow_paused: bool = False


def agent_health(state: str, last_seen: datetime, now: datetime) -> str:
    """online, draining, quarantined or offline."""
    return state if now - last_seen <= ONLINE_FOR else "offline"


def wait_reason(run: RunFacts, agents: Sequence[AgentFacts], now: datetime) -> str | None:
    """Why the run has not started; None when it is not waiting."""
    if run.state_type == "PENDING":
        return "An agent has taken the run and is starting its process."
    if run.state_type == "PAUSED":
        return "The run is paused until someone resumes it."
    if run.state_type != "SCHEDULED":
        return None
    if run.flow_paused:
        return "The flow is paused."
    if run.scheduled_time > now:
        at = f"{run.scheduled_time:%Y-%m-%d %H:%M:%S} UTC"
        return _NOT_YET.get(run.state_name, "Due at {at}.").format(at=at)
    return _why_nobody_takes(run.labels, [agent for agent in agents if agent.live(now)])


def _why_nobody_takes(labels: frozenset[str], live: list[AgentFacts]) -> str:
    if not live:
        return "No agent is online."
    fitting = [agent for agent in live if labels <= agent.labels]
    if not fitting:
        nowhere = sorted(label for label in labels if not any(label in agent.labels for agent in live))
        if len(nowhere) == 1:
            return f"No live agent has label {nowhere[0]}."
        if nowhere:
            return f"No live agent has the labels {', '.join(nowhere)}."
        return f"No live agent has all of the labels {', '.join(sorted(labels))}."
    if all(agent.running >= agent.capacity for agent in fitting):
        return "All agents are full." if not labels else "All agents with the run's labels are full."
    return "An agent will take the run in a moment."
