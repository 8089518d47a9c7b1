"""Asyncio tasks that the code of a task starts: named in a warning when they are left behind, and otherwise nobody's business."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appliance.core.flow import Flow
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor
from appliance.testing import LogLines, log_lines

kept: set[asyncio.Task[Any]] = set()


@pytest.fixture
def log() -> Iterator[LogLines]:
    with log_lines() as lines:
        yield lines


async def endless() -> None:
    await asyncio.Event().wait()


async def quick() -> None:
    return None


async def leaves_one() -> str:
    kept.add(asyncio.create_task(endless()))
    return "done"


async def leaves_many() -> str:
    kept.update(asyncio.create_task(endless()) for _ in range(5))
    return "done"


async def leaves_one_behind_a_lock() -> str:
    kept.add(asyncio.ensure_future(endless()))
    await asyncio.to_thread(lambda: None)
    return "done"


async def awaits_all() -> str:
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(quick())
    return "done"


async def leaves_one_that_only_has_to_return() -> str:
    kept.add(asyncio.create_task(quick()))
    return "done"


async def cancels_its_own() -> str:
    one = asyncio.create_task(endless())
    await asyncio.to_thread(lambda: None)
    one.cancel()
    return "done"


EXECUTORS: dict[str, Callable[[], Executor]] = {
    "local": LocalExecutor,
    "threads": lambda: ThreadExecutor(1),
    "processes": lambda: ProcessExecutor(1),
}
FEW = "The task has returned while asyncio tasks that it started were running; they were cancelled: "


def run(code: Callable[[], Any], make: Callable[[], Executor], timeout: float | None) -> State:
    with Flow("f") as flow:
        tested = task(code, name="tested", timeout=timeout)()
    state = flow.run(executor=make(), progress=False).result[tested]
    assert isinstance(state, State)
    return state


@pytest.mark.parametrize("timeout", [None, 30.0], ids=["no timeout", "timeout"])
@pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.parametrize(
    ("code", "names"),
    [
        (leaves_one, "endless."),
        (leaves_one_behind_a_lock, "endless."),
        (leaves_many, "endless, endless, endless and 2 more."),
    ],
)
def test_asyncio_tasks_that_are_left_behind_are_named(
    code: Callable[[], Any], names: str, make: Callable[[], Executor], timeout: float | None, log: LogLines
) -> None:
    assert run(code, make, timeout).result == "done"
    (warning,) = [message for message in log.of("tested-1") if message.startswith(FEW)]
    assert warning.startswith(FEW + names)


@pytest.mark.parametrize("code", [awaits_all, leaves_one_that_only_has_to_return, cancels_its_own])
def test_asyncio_tasks_that_end_are_nobodys_business(code: Callable[[], Any], log: LogLines) -> None:
    assert run(code, LocalExecutor, None).result == "done"
    assert not [message for message in log.messages if message.startswith(FEW)]
