"""How a run goes on: which of its task runs the next attempt runs, which it reuses, and which agents can read what it reuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from typing import Protocol

from appliance.kit.documents import JsonDocument
from appliance.protocol.continuation import Reason
from appliance.protocol.reuse import Link, TaskGraph, TaskKey, to_repeat
from appliance.protocol.states import TERMINAL

_FOLDER, _HOST, _KEY = "folder:", "host:", "key:"
_MOST_KEYS = 4
"""Of one agent: a site has more than two only while it gives up the oldest."""
KEPT_HERE = "appliance:"
"""The address of results that the server keeps itself."""
_CLEANUP = "ResourceCleanup"
_ALWAYS = frozenset({"ResourceInit", "ResourceSetup", _CLEANUP, "SecretTask", "EnvVarSecret"})
"""The types of the SDK's own tasks that run in every attempt."""


class SpeakingAgent(Protocol):
    """What an agent says of itself. `results_url` is None when it doesn't say where its runs store results."""

    @property
    def name(self) -> str: ...

    @property
    def host(self) -> str: ...

    @property
    def results_url(self) -> str | None: ...

    @property
    def results_id(self) -> str | None: ...

    @property
    def results_key_id(self) -> str | None: ...

    @property
    def provided(self) -> JsonDocument | None: ...


class TaskRow(Protocol):
    """What is stored of a task run."""

    @property
    def state_type(self) -> str: ...

    @property
    def state_name(self) -> str: ...

    @property
    def state_data(self) -> JsonDocument | None: ...

    @property
    def attempt(self) -> int: ...

    @property
    def result_location(self) -> str | None: ...

    @property
    def start_time(self) -> datetime | None: ...


def places_of(agent: SpeakingAgent) -> tuple[str, ...]:
    """The places of results that the agent's runs can read and some others can't. One of an earlier release doesn't say."""
    if agent.results_url is None:
        return ()
    return _places(agent.results_id, agent.host, _keys_of(agent))


def _keys_of(agent: SpeakingAgent) -> list[str]:
    """Those with which its runs open results, the one that seals them first."""
    more: list[str] = (agent.provided or {}).get("results_key_ids") or []
    own = [agent.results_key_id] if agent.results_key_id else []
    return list(dict.fromkeys([*own, *more]))[:_MOST_KEYS]


def _places(results_id: object, host: object, keys: Iterable[str]) -> tuple[str, ...]:
    """The folder, the host, what is sealed with each of the keys, and all combinations, for runs that need several."""
    named = ((_FOLDER, results_id), (_HOST, host), *((_KEY, key) for key in sorted(keys)))
    places = [f"{kind}{name}" for kind, name in named if name]
    return tuple(" ".join(some) for size in range(1, len(places) + 1) for some in combinations(places, size))


def _places_at(origin: JsonDocument) -> tuple[str, ...]:
    own = [origin["results_key_id"]] if origin.get("results_key_id") else []
    return _places(origin.get("results_id"), origin.get("host"), origin.get("results_key_ids") or own)


def origin_of(agent: SpeakingAgent) -> JsonDocument | None:
    """What the state of a claimed run says of its agent: where the results of the attempt will be."""
    if agent.results_url is None:
        return None
    return {
        "agent": agent.name,
        "host": agent.host,
        "results_url": agent.results_url,
        "results_id": agent.results_id,
        **({"results_key_id": agent.results_key_id} if agent.results_key_id else {}),
        **({"results_key_ids": keys} if len(keys := _keys_of(agent)) > 1 else {}),
    }


@dataclass(frozen=True)
class RecordedTask:
    """What is known of a task run of earlier attempts."""

    type: str
    name: str
    attempt: int = 1
    marked: bool = False
    """Did a person set its state?"""
    location: str | None = None
    """Where its result is; empty: it returned None."""
    place: str = ""
    """The address of the place with the result."""
    width: int | None = None
    """The number of children of a mapped task."""
    begun: bool = False
    """Has its code begun to run?"""

    @classmethod
    def of(cls, row: TaskRow) -> RecordedTask:
        """As it is stored."""
        data = row.state_data or {}
        width = data.get("n_map_states")
        return cls(
            type=row.state_type,
            name=row.state_name,
            attempt=row.attempt,
            marked=bool(data.get("marked")),
            location=row.result_location,
            place=str(data.get("result_place") or ""),
            width=width if row.state_name == "Mapped" and isinstance(width, int) else None,
            begun=row.start_time is not None,
        )

    @property
    def finished(self) -> bool:
        return self.type in TERMINAL and self.name != "Looped"

    @property
    def has_value(self) -> bool:
        return self.type == "SUCCESS" and self.name not in ("Mapped", "Looped")


Recorded = Mapping[TaskKey, RecordedTask]
Origins = Mapping[int, JsonDocument]
"""By attempt, what the state with which an agent took it says."""


@dataclass(frozen=True)
class Plan:
    """What the next attempt does. `place`: only agents there can read all that it reuses; None: any agent."""

    runs: Mapping[TaskKey, Reason]
    reused: Mapping[TaskKey, Reason]
    elsewhere: frozenset[TaskKey] = frozenset()
    """Those that run again although their results exist, because they are in another place."""
    place: str | None = None
    refusal: str = ""
    graph: JsonDocument = field(default_factory=dict)
    recorded: Recorded = field(default_factory=dict)


def why_again(key: TaskKey, task: RecordedTask, from_task: str | None) -> Reason:
    """Why a restart runs it again."""
    if task.type != "SUCCESS":
        return "failed"
    return "chosen" if key[0] == from_task else "downstream"


def still_paused(recorded: Recorded, task_slug: str, map_index: int | None) -> set[TaskKey]:
    """The paused task runs other than the task, or the mapped child, that is resumed."""
    return {
        key
        for key, task in recorded.items()
        if task.type == "PAUSED" and (key[0] != task_slug or map_index not in (None, key[1]))
    }


def plan(
    graph: JsonDocument,
    recorded: Recorded,
    again: Mapping[TaskKey, Reason],
    origins: Origins,
    *,
    anywhere: bool = False,
) -> Plan:
    """`again` are those that the verb itself runs again."""
    reuse = _Reuse(graph, recorded, again, origins)
    needed: Counter[str] = Counter()
    repeated = reuse.repeated(frozenset(), needed)
    open = frozenset() if anywhere else _best(needed, origins)
    closed = frozenset(needed) - open
    while closed:
        repeated = reuse.repeated(closed, needed)
        if closed >= needed.keys() - open:
            break
        closed |= needed.keys() - open  # what is needed to repeat those may be elsewhere, too
    place = " ".join(sorted(needed.keys() & open)) or None
    runs = dict(again)
    for key, task in recorded.items():
        if key in runs or task.name == "Looped":
            continue
        if key[0] in reuse.graph.always and not task.width:
            runs[key] = "always"
        elif key in repeated:
            runs[key] = "elsewhere" if reuse.place_of(key) in closed and task.location else "not_kept"
            if key[0] in reuse.graph.cleaning:
                runs[key] = "always"
        elif not task.finished:
            runs[key] = "waited"
    for slug in reuse.graph.tasks:
        if (slug, -1) not in recorded and (slug, 0) not in recorded and slug not in reuse.graph.always:
            runs[slug, -1] = "not_run"
    reused = {key: _why_reused(task, key in reuse.asked) for key, task in recorded.items() if key not in runs}
    elsewhere = frozenset(key for key, reason in runs.items() if reason == "elsewhere")
    return Plan(runs, reused, elsewhere, place, refused(graph, recorded, runs), graph, recorded)


def _best(needed: Counter[str], origins: Origins) -> frozenset[str]:
    """The places that one agent can read with most of the values that are needed; in doubt, that of the newest attempt."""
    offers = [frozenset(_places_at(one)) for _, one in sorted(origins.items())]
    return max(reversed(offers), key=lambda offer: sum(needed[one] for one in offer), default=frozenset())


def without(plan: Plan, stays: Collection[TaskKey]) -> Plan:
    """The plan if these paused task runs stay paused: they don't run, and what is downstream of them and has not run yet doesn't, either."""
    closed, links = {slug for slug, _ in stays}, task_graph(plan.graph).links
    while more := {link.downstream for link in links if link.upstream in closed} - closed:
        closed |= more
    runs = {
        key: reason
        for key, reason in plan.runs.items()
        if key not in stays and not (reason in ("not_run", "waited") and key[0] in closed and key not in plan.elsewhere)
    }
    return replace(plan, runs=runs)


class _Reuse:
    """The rule of `protocol.reuse` over what the server knows."""

    def __init__(
        self, graph: JsonDocument, recorded: Recorded, again: Mapping[TaskKey, Reason], origins: Origins
    ) -> None:
        self.graph = task_graph(graph)
        self._recorded, self._origins = recorded, origins
        self._finished = {key: task.width for key, task in recorded.items() if task.finished and key not in again}
        self.asked: set[TaskKey] = set()

    def repeated(self, closed: frozenset[str], needed: Counter[str]) -> set[TaskKey]:
        """What runs again if nothing at these places can be read. `needed` counts the values that are needed at each place."""
        needed.clear()
        self.asked.clear()

        def is_gone(key: TaskKey) -> bool:
            task = self._recorded[key]
            self.asked.add(key)
            if not task.has_value:
                return False
            if task.location is None or (task.location and task.place.startswith("memory:")):
                return True
            place = self.place_of(key) if task.location else None
            if place is not None:
                needed[place] += 1
            return place in closed

        return to_repeat(self.graph, self._finished, is_gone)

    def place_of(self, key: TaskKey) -> str | None:
        """The place of its result, if only some agents can read it. Attempts of earlier agents don't say."""
        task = self._recorded[key]
        origin = self._origins.get(task.attempt)
        if origin is not None and task.place == KEPT_HERE and origin.get("results_key_id"):
            return f"{_KEY}{origin['results_key_id']}"
        if origin is None or not task.place.startswith("file:"):
            return None
        if task.place == origin.get("results_url") and origin.get("results_id"):
            return f"{_FOLDER}{origin['results_id']}"
        return f"{_HOST}{origin['host']}" if origin.get("host") else None


def task_graph(graph: JsonDocument) -> TaskGraph:
    """The graph of a registered version, as far as reuse depends on it."""
    tasks = {task["slug"]: task for task in graph.get("tasks", [])}
    links = tuple(
        Link(
            edge["upstream"],
            edge["downstream"],
            edge.get("key") is not None,
            bool(edge.get("mapped")),
            bool(edge.get("flattened")),
        )
        for edge in graph.get("edges", [])
        if edge["upstream"] in tasks and edge["downstream"] in tasks
    )
    above: dict[str, set[str]] = {slug: set() for slug in tasks}
    for link in links:
        above[link.downstream].add(link.upstream)
    try:
        order = tuple(TopologicalSorter(above).static_order())
    except CycleError:  # no SDK registers one
        order = tuple(tasks)
    always = frozenset(
        slug
        for slug, task in tasks.items()
        if task.get("always_rerun") or task.get("type") in _ALWAYS or is_parameter(task)
    )
    cleaning = frozenset(
        slug for slug, task in tasks.items() if task.get("runs_on_cancel") or task.get("type") == _CLEANUP
    )
    return TaskGraph(order, links, always, cleaning)


def is_parameter(task: JsonDocument) -> bool:
    """Is it a parameter of the flow, which every attempt reads again?"""
    return str(task.get("type", "")).endswith("Parameter")


def _why_reused(task: RecordedTask, needed: bool) -> Reason:
    if task.marked:
        return "marked"
    if task.name == "Skipped":
        return "skipped"
    if task.name == "Mapped" or not task.has_value:
        return "not_needed"
    if needed and task.location:
        return "cached" if task.name == "Cached" else "stored"
    if needed:
        return "nothing"
    return "not_needed"


# --- tasks that must not run twice


def refused(graph: JsonDocument, recorded: Recorded, runs: Mapping[TaskKey, Reason]) -> str:
    """Why the run must not go on: a task that is marked never_repeat would run again. Empty if there is none."""
    marked = {
        task["slug"]: task.get("name") or task["slug"] for task in graph.get("tasks", []) if task.get("never_repeat")
    }
    if not marked:
        return ""
    for key in sorted(key for key in runs if key[0] in marked):
        task = recorded.get(key)
        if task is None or task.width is not None or task.type in ("SCHEDULED", "PAUSED"):
            continue  # its author wants the retry, or what comes after the pause
        what = repr(marked[key[0]] if key[1] < 0 else f"{marked[key[0]]}[{key[1]}]")
        if task.type == "SUCCESS" and task.name != "Skipped":
            return (
                f"Task {what} has succeeded in attempt {task.attempt} and is marked never_repeat, so it can't run again. Restart from tasks "
                "downstream of it only, or start a new run."
            )
        if task.begun:
            return (
                f"Task {what} has already begun in attempt {task.attempt} and is marked never_repeat, so it can't run again. "
                "Mark it as succeeded first, or start a new run."
            )
    return ""


# --- words


WORDS: Mapping[Reason, str] = {
    "failed": "it did not succeed",
    "not_run": "it has not run yet",
    "chosen": "it is the task to restart from",
    "downstream": "it is downstream of a task that runs again",
    "waited": "it has not finished",
    "always": "it runs in every attempt",
    "not_kept": "it succeeded, but its result is needed and was not kept",
    "elsewhere": "it succeeded, but its result is needed and can't be read everywhere",
    "stored": "its stored result is read",
    "not_needed": "it has finished, and nothing that runs needs its result",
    "nothing": "it has finished without a result",
    "marked": "it was marked by hand",
    "cached": "its cached result is read",
    "skipped": "it was skipped",
}
"""Each reason for people."""
MOST_NAMED = 3


def place_in_words(place: str, agents: Sequence[str], origin: JsonDocument | None) -> str:
    """Which agents can go on with a run that needs results at the place, in a sentence. `origin`: an attempt with results there."""
    known = origin or {}
    where, end = (
        known.get("results_url") or f"folders of host {known.get('host')}",
        f"agent {known.get('agent')} wrote them",
    )
    what = f"the results in {where}"
    if place.startswith(_KEY):
        what = f"the results that agent {known.get('agent')} has sealed"
        end = "set APPLIANCE_BUNDLE_KEY_FILE to the same key for one"
    if not agents:
        return f"No agent that is known can read {what}; {end}."
    first = ", ".join(agents[:MOST_NAMED]) + (
        f" and {len(agents) - MOST_NAMED} more" if len(agents) > MOST_NAMED else ""
    )
    who = "Only agent" if len(agents) == 1 else "Only agents"
    return f"{who} {first} can read {what}, so no other takes the run."


def readers_of(place: str, agents: Iterable[SpeakingAgent]) -> list[str]:
    """The names of the agents that can read results at the place."""
    return sorted(agent.name for agent in agents if place in places_of(agent))


def origin_at(place: str, origins: Origins) -> JsonDocument | None:
    """The newest attempt whose results are at the place."""
    for _, origin in sorted(origins.items(), reverse=True):
        if place in _places_at(origin):
            return origin
    return None
