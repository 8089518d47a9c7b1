"""Runs that tasks of other runs have started: which task may start what, and what a parent does about a child."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple
from uuid import UUID

from appliance.kit.documents import JsonDocument
from appliance.protocol.states import TERMINAL
from appliance.server.domain.waiting import Waiting

MOST_LEVELS = 20
"""How deep runs may start runs, which also ends flows that start each other."""
TOO_DEEP = f"Runs may start runs at most {MOST_LEVELS} levels deep; flows that start each other never end."


class Declared(NamedTuple):
    """What a task starts. No version: the latest."""

    project: str
    flow: str
    version: int | None = None


def declared(graph: JsonDocument, slug: str, project: str) -> Declared | None:
    """The flow of which the task may start a run; None: of none. `project` is that of the task's own flow."""
    for task in graph.get("tasks") or ():
        starts = task.get("starts") if task.get("slug") == slug else None
        if isinstance(starts, dict) and isinstance(name := starts.get("flow"), str):
            other, version = starts.get("project"), starts.get("version")
            return Declared(
                other if isinstance(other, str) else project, name, version if isinstance(version, int) else None
            )
    return None


def is_over(type: str, *, awaited: bool) -> bool:
    """Is there nothing for the task to wait for?"""
    return type in TERMINAL or not awaited


Step = Literal["follow", "wait", "note", "restart"]


def next_step(
    type: str, known_to: str | None, this_try: str, *, restarts: bool = True, waits_anew: bool = False
) -> Step:
    """What to do with a child in a state of this type when a try of its task looks at it: a failure is passed on to the first try that learns of
    it, and later tries restart the child."""
    if type not in TERMINAL and waits_anew:
        return "wait"
    if type not in TERMINAL or type == "SUCCESS" or known_to == this_try or not restarts:
        return "follow"
    return "note" if known_to is None else "restart"


def is_in_the_way(waiting: Waiting, parent: UUID, *, others_live: bool) -> bool:
    """Might the child wait for what its parent takes: the last place at an agent, or a slot under a limit? While other children of the parent are
    in progress, these will make room."""
    return not others_live and (waiting.code == "agents_full" or any(holder.id == parent for holder in waiting.holders))


def in_words(waiting: Waiting, further: Collection[UUID]) -> str:
    """Why a child has not started. If a run further up holds what it waits for, none of them goes on, and no run in between can help."""
    blocking = next((holder for holder in waiting.holders if holder.id in further), None)
    if blocking is None:
        return waiting.sentence
    return f"{waiting.sentence} Run {blocking.name} waits for this run in turn, so that neither goes on: raise the limit, or cancel one of them."
