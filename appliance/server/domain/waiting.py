"""Why a run is waiting: facts in, one sentence for people and one code for programs out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from appliance.kit.documents import JsonDocument
from appliance.protocol import run_config
from appliance.protocol.agents import Provided
from appliance.protocol.run_config import NO_NEEDS, Needs
from appliance.protocol.storage import SEALED
from appliance.server.domain import hosts
from appliance.server.domain.agent_states import GONE, ONLINE
from appliance.server.domain.concurrency import FLOW, LABEL, Key, full_sentence

Code = Literal[
    "starting",
    "paused",
    "no_code",
    "flow_paused",
    "flow_archived",
    "not_due",
    "maintenance",
    "held",
    "catch_up",
    "overlap",
    "limit",
    "no_agent",
    "no_kind",
    "no_storage",
    "no_label",
    "no_user",
    "no_python",
    "no_results",
    "agents_full",
    "soon",
]

PAUSED_WITH_PROJECT = "paused_with_project"
"""The key of a flow's settings that says that it was paused because its project was."""
ONLINE_FOR = timedelta(seconds=90)
"""An agent whose last word is older than this counts as offline."""
KINDS_OF_EARLIER = ("universal", "local")
STORAGES_OF_EARLIER = ("local",)
"""What process agents know that don't say which storages they know: they are of an earlier release."""

WAITING = frozenset({"SCHEDULED", "PENDING", "PAUSED"})
"""The types of states in which a run waits."""
_LACKING = frozenset({"no_kind", "no_storage", "no_label", "no_user", "no_python"})
"""What live agents lack may be what one has that takes no runs now."""
_RESTING = ("draining", "quarantined")
_PAUSED = "The run is paused until someone resumes it."
_NOT_YET = {
    "AwaitingRetry": "A task failed and will be retried at {at}; the run continues then.",
    "Paused": "The run is paused until {at}; resume it to continue sooner.",
}


@dataclass(frozen=True)
class AgentFacts:
    """What matters of an agent for the question who could take a run."""

    labels: frozenset[str]
    capacity: int
    running: int
    state: str
    last_seen: datetime
    projects: frozenset[UUID] | None = None
    """Those whose runs it takes; None: all."""
    kinds: frozenset[str] = frozenset(KINDS_OF_EARLIER)
    """Of run configs that it starts."""
    storages: frozenset[str] = frozenset(STORAGES_OF_EARLIER)
    """Those from which it takes code."""
    name: str = ""
    host: str = ""
    places: tuple[str, ...] = ()
    """Where its runs can read results, see domain.continuation."""
    id: UUID | None = None
    project_names: tuple[str, ...] = ()
    """Those of `projects`; none: all."""
    provided: Provided | None = None
    """What it gives runs that ask for it; None: it doesn't say."""

    def health(self, now: datetime) -> str:
        """One of HEALTHS."""
        return agent_health(self.state, self.last_seen, now, self.provided)

    def live(self, now: datetime) -> bool:
        return self.health(now) == ONLINE


@dataclass(frozen=True)
class Holder:
    """A run that others wait for."""

    id: UUID
    name: str


class AgentWords(Protocol):
    """What an agent has said of itself."""

    @property
    def type(self) -> str: ...

    @property
    def storages(self) -> list[str] | None: ...

    @property
    def provided(self) -> JsonDocument | None: ...


class KnownAgent(AgentWords, Protocol):
    """An agent that has enrolled."""

    @property
    def state(self) -> str: ...

    @property
    def last_seen(self) -> datetime: ...


def kinds_started(agent: AgentWords) -> tuple[str, ...]:
    """The kinds of run configs that an agent starts."""
    is_earlier = agent.type == "process" and agent.storages is None
    return KINDS_OF_EARLIER if is_earlier else run_config.kinds_of(agent.type)


def storages_known(agent: AgentWords) -> Sequence[str]:
    """The storages from which an agent takes code."""
    return STORAGES_OF_EARLIER if agent.storages is None else agent.storages


def provided_by(agent: AgentWords) -> Provided | None:
    """What an agent gives runs that ask for it; None: it doesn't say."""
    return None if agent.provided is None else msgspec.convert(agent.provided, Provided)


def pythons_of(provided: Provided) -> list[str]:
    """The Pythons for which runs may ask there, any of them included."""
    return [*provided.pythons, run_config.ANY_PYTHON] if provided.pythons else []


def has_user(needs: Needs, provided: Provided | None) -> bool:
    """Whether an agent starts runs as the user that a run asks for."""
    return needs.user is None or provided is None or needs.user in provided.users


def has_python(needs: Needs, provided: Provided | None) -> bool:
    """Whether an agent has the Python that a run asks for."""
    return needs.python is None or provided is None or needs.python in pythons_of(provided)


@dataclass(frozen=True)
class LimitFacts:
    """A limit and the runs that hold its slots, the longest holding first."""

    slots: int
    holders: tuple[Holder, ...]

    @property
    def full(self) -> bool:
        return len(self.holders) >= self.slots


class MaintenanceFacts(Protocol):
    """Why no run starts at all, and until when."""

    @property
    def until(self) -> datetime | None: ...

    @property
    def reason(self) -> str: ...


class OutageFacts(Protocol):
    """Planned runs that came due in (after, until] wait for their schedules' policies."""

    @property
    def after(self) -> datetime: ...

    @property
    def until(self) -> datetime: ...


@dataclass(frozen=True)
class Situation:
    """What all waiting runs have in common at one moment."""

    now: datetime
    agents: Sequence[AgentFacts] = ()
    limits: Mapping[Key, LimitFacts] = field(default_factory=dict)
    busy_schedules: Mapping[UUID, Holder] = field(default_factory=dict)
    """Schedules whose runs must not overlap, with the run that is in progress."""
    held_until: datetime | None = None
    """After an outage: runs that were due by then are held until an administrator has decided."""
    maintenance: MaintenanceFacts | None = None
    outage: OutageFacts | None = None


@dataclass(frozen=True)
class RunFacts:
    """What matters of a run."""

    state_type: str
    state_name: str
    scheduled_time: datetime
    labels: frozenset[str]
    flow_paused: bool = False
    flow_archived: bool = False
    project_paused: bool = False
    flow_id: UUID | None = None
    flow: str = ""
    project_id: UUID | None = None
    schedule_id: UUID | None = None
    message: str = ""
    """What its state says."""
    kind: run_config.Kind = "universal"
    storage: str = "local"
    needs: Needs = NO_NEEDS
    waits_for_code: bool = False
    results_at: str | None = None
    """The place of the results from which it goes on, if only some agents can read it."""
    planned_for: datetime | None = None
    """The due time of a run that its schedule has planned and about which nobody has decided anything yet."""


@dataclass(frozen=True)
class Waiting:
    """`code` is stable, for programs; `sentence` is for people. `holders` are the runs whose end it waits for."""

    code: Code
    sentence: str
    holders: tuple[Holder, ...] = ()


HEALTHS = ("online", "draining", "quarantined", "offline")


def agent_health(state: str, last_seen: datetime, now: datetime, provided: Provided | None) -> str:
    """One of HEALTHS."""
    if state in GONE or now - last_seen > ONLINE_FOR:
        return "offline"
    return "quarantined" if state == ONLINE and quarantine_end(provided, now) else state


def health_of(agent: KnownAgent, now: datetime) -> str:
    """One of HEALTHS."""
    return agent_health(agent.state, agent.last_seen, now, provided_by(agent))


def quarantine_end(provided: Provided | None, now: datetime) -> datetime | None:
    """Before when an agent takes no runs, because starts have failed there in a row; None if it takes some."""
    until = None if provided is None else provided.quarantined_until
    return until if until is not None and until > now else None


def why(run: RunFacts, situation: Situation) -> Waiting | None:
    """Why the run has not started; None when it is not waiting."""
    if run.state_type == "PENDING":
        return Waiting("starting", "An agent has taken the run and is starting its process.")
    if run.state_type == "PAUSED" and run.waits_for_code:
        return Waiting("no_code", run.message)
    if run.state_type == "PAUSED":
        return Waiting("paused", f"{run.message} Resume it to continue." if run.message else _PAUSED)
    if run.state_type != "SCHEDULED":
        return None
    if run.flow_archived:
        return Waiting("flow_archived", "The flow is archived; take it out of the archive, or cancel the run.")
    if run.flow_paused:
        what = "The flow is" if not run.project_paused else "The flow's project is"
        return Waiting("flow_paused", f"{what} paused.")
    if run.scheduled_time > situation.now:
        at = f"{run.scheduled_time:%Y-%m-%d %H:%M:%S} UTC"
        return Waiting("not_due", _NOT_YET.get(run.state_name, "Due at {at}.").format(at=at))
    if situation.maintenance is not None:
        return Waiting("maintenance", _in_maintenance(situation.maintenance))
    if run.planned_for is not None and _is_undecided(run.planned_for, situation.outage):
        return Waiting(
            "catch_up", "The run came due during an outage; its schedule's catch-up policy decides in a moment."
        )
    if situation.held_until is not None and run.scheduled_time <= situation.held_until:
        return Waiting("held", "The run came due during an outage and is held; an administrator releases or skips it.")
    return _held_back(run, situation) or taken(run, situation)


def _is_undecided(due: datetime, outage: OutageFacts | None) -> bool:
    return outage is not None and outage.after < due <= outage.until


def _in_maintenance(facts: MaintenanceFacts) -> str:
    why = f" ({facts.reason})" if facts.reason else ""
    end = "it ends" if facts.until is None else f"{facts.until:%Y-%m-%d %H:%M:%S} UTC"
    return f"The appliance is in maintenance{why}; no run starts until {end}."


def _held_back(run: RunFacts, situation: Situation) -> Waiting | None:
    older = situation.busy_schedules.get(run.schedule_id) if run.schedule_id is not None else None
    if older is not None:
        sentence = f"Run {older.name} of the same schedule is still in progress, and its runs may not overlap."
        return Waiting("overlap", sentence, (older,))
    keys: list[tuple[Key, str]] = [((FLOW, str(run.flow_id)), f"The limit of flow {run.flow}")]
    keys += [((LABEL, label), f"The limit of label {label}") for label in sorted(run.labels)]
    for key, what in keys:
        limit = situation.limits.get(key)
        if limit is not None and limit.full:
            names = [holder.name for holder in limit.holders]
            return Waiting("limit", full_sentence(what, limit.slots, len(names), names), limit.holders)
    return None


def _without_results(place: str, situation: Situation) -> str:
    names = sorted(agent.name for agent in situation.agents if place in agent.places)
    if not names:
        who, do = "no agent that is known", "Start the agent again that had it"
    else:
        who = f"only agent {names[0]}" if len(names) == 1 else f"only agents {', '.join(names[:3])}"
        do = f"Start agent {names[0]} again, or give it the run's labels"
    where = f"in a folder that {who} can read"
    if place.startswith("key:"):
        key = place.removeprefix("key:").partition(" ")[0]
        where = f"sealed with key {key} that {who} {'have' if len(names) > 1 else 'has'}"
        do = do if names else "Set APPLIANCE_BUNDLE_KEY_FILE to that key for an agent"
    return (
        f"The run goes on from results {where}, which does not take it now. {do}, or continue the run anywhere: "
        "`appliance resume RUN --anywhere` runs the tasks again whose results are there, and with --dry-run lists them."
    )


def taken(run: RunFacts, situation: Situation) -> Waiting:
    """Whether an agent would take the run: the code `soon`, or else why none does."""
    now, verdict = situation.now, _taken_by_live(run, situation)
    if verdict.code not in _LACKING and not (
        verdict.code == "no_agent" and any(one.live(now) for one in situation.agents)
    ):
        return verdict
    labels = hosts.needed(run.labels, [agent.host for agent in situation.agents])
    suited = [agent for agent in situation.agents if _suits(run, labels, agent)]
    health = {agent.name: agent.health(now) for agent in suited}
    resting = sorted(name for name, one in health.items() if one in _RESTING)
    return Waiting("no_agent", _at_rest(resting, {health[name] for name in resting})) if resting else verdict


def _taken_by_live(run: RunFacts, situation: Situation) -> Waiting:
    online = [agent for agent in situation.agents if agent.live(situation.now)]
    if not online and run.kind not in ("docker", "kubernetes"):
        return Waiting("no_agent", _no_agent(situation))
    live = [agent for agent in online if agent.projects is None or run.project_id in agent.projects]
    if online and not live:
        return Waiting("no_agent", "No live agent takes runs of this project.")
    starting = [agent for agent in live if run.kind in agent.kinds]
    if not starting:
        return Waiting("no_kind", f"No live agent starts {run_config.WORDS[run.kind]}.")
    knowing = [agent for agent in starting if run.storage in agent.storages]
    if not knowing:
        return Waiting("no_storage", _no_storage(run.storage))
    labels = hosts.needed(run.labels, [agent.host for agent in situation.agents])
    fitting = [agent for agent in knowing if labels <= agent.labels]
    if not fitting:
        return Waiting("no_label", _no_label(labels, knowing))
    able = [agent for agent in fitting if has_user(run.needs, agent.provided)]
    if not able:
        return Waiting("no_user", _no_user(run.needs.user))
    fitting = [agent for agent in able if has_python(run.needs, agent.provided)]
    if not fitting:
        return Waiting("no_python", _no_python(run.needs.python, able))
    if run.results_at is not None:
        fitting = [agent for agent in fitting if run.results_at in agent.places]
        if not fitting:
            return Waiting("no_results", _without_results(run.results_at, situation))
    if all(agent.running >= agent.capacity for agent in fitting):
        return Waiting(
            "agents_full", "All agents are full." if not labels else "All agents with the run's labels are full."
        )
    return Waiting("soon", "An agent will take the run in a moment.")


def excess(run: RunFacts, situation: Situation) -> str:
    """Why each live agent that would take the run gives it back for its limits, in a sentence; empty if one doesn't."""
    needed = hosts.needed(run.labels, [agent.host for agent in situation.agents])
    provided = [agent.provided for agent in situation.agents if _takes(run, needed, agent, situation.now)]
    for name, amount in run.needs.limits.items():
        most = [None if one is None else one.limits.get(name) for one in provided]
        bounds = [bound for bound in most if bound is not None]
        if bounds and len(bounds) == len(most) and amount > max(bounds):
            return (
                f"The limit {name}={amount} is more than processes of any live agent that could start the run may have, which is {max(bounds)}: runs are paused "
                "until somebody raises the hard limit with which an agent is started, or lowers it in the run config."
            )
    return ""


def _takes(run: RunFacts, labels: frozenset[str], agent: AgentFacts, now: datetime) -> bool:
    return agent.live(now) and _suits(run, labels, agent)


def _suits(run: RunFacts, labels: frozenset[str], agent: AgentFacts) -> bool:
    return (
        (agent.projects is None or run.project_id in agent.projects)
        and run.kind in agent.kinds
        and run.storage in agent.storages
        and labels <= agent.labels
        and has_user(run.needs, agent.provided)
        and has_python(run.needs, agent.provided)
    )


def _no_agent(situation: Situation) -> str:
    health = {agent.name: agent.health(situation.now) for agent in situation.agents}
    drained = sorted(name for name, one in health.items() if one == "draining")
    quarantined = sorted(name for name, one in health.items() if one == "quarantined")
    if quarantined:
        return f"No agent takes new runs: starts keep failing at {quarantined[0]}, which pauses between tries; `appliance get agents` says why."
    if not drained:
        return "No agent is online."
    if len(drained) == 1:
        return f"No agent takes new runs: {drained[0]} is drained. Resume it, or start another."
    return f"No agent takes new runs: {', '.join(drained[:3])} {'and others ' if len(drained) > 3 else ''}are drained. Resume one, or start another."


def _at_rest(names: Sequence[str], health: Collection[str]) -> str:
    """That the agents that would take a run take none now."""
    which = (
        f"The only agent that would take the run, {names[0]},"
        if len(names) == 1
        else f"The agents that would take the run, {', '.join(names[:3])}{' and others' if len(names) > 3 else ''},"
    )
    if "quarantined" in health:
        verb = "pauses" if len(names) == 1 else "pause"
        return f"{which} {verb} between tries, since starts keep failing there; `appliance get agents` says why."
    verb, one = ("is", "it") if len(names) == 1 else ("are", "one")
    return f"{which} {verb} drained: resume {one}, or start another."


def _no_storage(storage: str) -> str:
    if storage == SEALED:
        return "The code is sealed, and no live agent that could start the run has a key (APPLIANCE_BUNDLE_KEY_FILE)."
    if storage == "local":
        return "No live agent that could start the run takes code that stays in files; for Docker agents, register it as a bundle."
    if storage == "docker":
        return "The code is in an image, and no live agent that could start the run starts containers of it; start a Docker agent."
    return f"No live agent that could start the run knows storage {storage!r}."


def _no_user(user: str | None) -> str:
    return (
        f"No live agent starts such runs as user {user!r}: list the user in APPLIANCE_AGENT_USERS of an agent that works as root, or name another "
        "in the run config."
    )


def _no_python(python: str | None, agents: Sequence[AgentFacts]) -> str:
    if not any(agent.provided and agent.provided.pythons for agent in agents):
        return (
            "No live agent that could start the run makes environments for flows: set APPLIANCE_AGENT_ENVIRONMENTS=true for one, or remove python, "
            "requirements, and lock from the run config."
        )
    if python and python.startswith("/"):
        return f"No live agent that could start the run may use {python}: name it in APPLIANCE_AGENT_PYTHONS of one, or ask for a version instead."
    return (
        f"No live agent that could start the run has Python {python}: install it for one, or name its interpreter in APPLIANCE_AGENT_PYTHONS there, or ask for "
        "another version."
    )


def _no_label(labels: frozenset[str], agents: Sequence[AgentFacts]) -> str:
    unavailable = sorted(label for label in labels if not any(label in agent.labels for agent in agents))
    elsewhere = [host for label in unavailable if (host := hosts.host_of(label)) is not None]
    if elsewhere:
        return f"The code is on host {elsewhere[0]}, and no agent of that host is online."
    closest = min(agents, key=lambda agent: (len(labels - agent.labels), agent.name))
    lacks = f"; the closest, {closest.name}, lacks {', '.join(sorted(labels - closest.labels))}"
    end = f"{lacks if labels & closest.labels else ''}."
    if len(unavailable) == 1:
        return f"No live agent has label {unavailable[0]}{end}"
    if unavailable:
        return f"No live agent has the labels {', '.join(unavailable)}{end}"
    return f"No live agent has all of the labels {', '.join(sorted(labels))}{end}"
