"""What the flows of the parity suite are made of, and the list that they enter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from appliance.core.flow import Flow
from appliance.core.task import Task
from appliance.core.task_decorator import task
from tests.conformance.world import World

SOON = timedelta(milliseconds=20)
CASES: dict[str, tuple[Callable[[World], Flow], int]] = {}
"""By name: how to build the flow, and how often its run is restarted."""


def carried_out(restarts: int = 0) -> Callable[[Callable[[World], Flow]], Callable[[World], Flow]]:
    def add(build: Callable[[World], Flow]) -> Callable[[World], Flow]:
        CASES[build.__name__] = build, restarts
        return build

    return add


def work(world: World, name: str, result: Any = None, fails: int = 0, until_restart: int = 0, **options: Any) -> Task:
    """A task that adds up what it is given; its first calls fail, or all of them before so many restarts."""

    def run(**given: Any) -> Any:
        called = world.note(name)
        if called <= fails or world.restarts < until_restart:
            raise ConnectionError(f"{name} is not ready")
        return sum(given.values()) if given and result is None else result

    made: Task = task(name=name, **options)(run)
    return made


def numbered(world: World, name: str, broken: dict[int, int], **options: Any) -> Task:
    """A task to map: the child of `x` fails in its first `broken[x]` calls."""

    def run(x: int, y: int = 0) -> int:
        if world.note(f"{name} {x}") <= broken.get(x, 0):
            raise ConnectionError(f"no {x}")
        return x + y

    made: Task = task(name=name, **options)(run)
    return made


def retried(**options: Any) -> dict[str, Any]:
    return {"max_retries": 2, "retry_delay": SOON, **options}


def kept_for_an_hour(world: World) -> Task:
    @task
    def cached() -> int:
        return world.note("cached")

    made: Task = cached
    made.cache_for, made.cache_key = timedelta(hours=1), f"of world {world.folder}"
    return made
