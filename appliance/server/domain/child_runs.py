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
    """What a task starts."""

    project: str
    flow: str


def declared(graph: JsonDocument, slug: str, project: str) -> Declared | None:
    """The flow of which the task may start a run; None: of none. `project` is that of the task's own flow."""
    for task in graph.get("tasks") or ():
        starts = task.get("starts") if task.get("slug") == slug else None
        if isinstance(starts, dict) and isinstance(name := starts.get("flow"), str):
            other = starts.get("project")
            return Declared(other if isinstance(other, str) else project, name)
    return None


def is_over(type: str, *, awaited: bool) -> bool:
    """Is there nothing for the task to wait for?"""
    return type in TERMINAL or not awaited


def next_step(type: str, known_to: str | None, this_try: str) -> Literal["follow", "note", "restart"]:
    """What to do with a child in a state of this type when a try of its task looks at it: a failure is passed on to the first try that learns of
    it, and later tries restart the child."""
    if type not in TERMINAL or type == "SUCCESS" or known_to == this_try:
        return "follow"
    return "note" if known_to is None else "restart"


def is_in_the_way(waiting: Waiting | None, parents: Collection[UUID], *, others_live: bool) -> bool:
    """Might the child wait for what a run takes that waits for it: the last place at an agent, or a slot under a limit? While other children of
    the run are in progress, these will make room."""
    if waiting is None or others_live:
        return False
    return waiting.code == "agents_full" or any(holder.id in parents for holder in waiting.holders)
