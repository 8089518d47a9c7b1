"""Flows about timeouts, async functions and executors, for the parity suite."""

from __future__ import annotations

import threading
from typing import Any

from appliance.core.context import context
from appliance.core.flow import Flow
from appliance.core.resources import resource_manager
from appliance.core.task_decorator import task
from appliance.core.triggers import all_finished
from appliance.engine.executors import LocalExecutor
from tests.conformance.parity_cases import SOON, carried_out, work
from tests.conformance.world import World


@carried_out()
def timeouts_that_are_caught(world: World) -> Flow:
    @task(timeout=0.05)
    def catches() -> str:
        world.note("catches")
        try:
            threading.Event().wait(0.5)
        except BaseException:
            world.note("caught")
        return "late"

    @task(timeout=0.05)
    async def blocks() -> str:
        world.note("blocks")
        threading.Event().wait(0.2)
        return "late"

    with Flow("caught timeouts") as flow:
        work(world, "after", 1, trigger=all_finished)(upstream_tasks=[catches(), blocks()])
    return flow


@carried_out()
def timeouts_that_are_retried(world: World) -> Flow:
    @task(timeout=0.1, max_retries=2, retry_delay=SOON, retry_on=TimeoutError)
    def slow_once() -> int:
        world.note("slow")
        if context.task_run_count == 1:
            threading.Event().wait(0.3)
        return 1

    with Flow("retried timeouts") as flow:
        work(world, "after")(x=slow_once())
    return flow


@carried_out()
def async_resources(world: World) -> Flow:
    class Desk:
        async def setup(self) -> int:
            world.note("set up")
            return 1

        async def cleanup(self, _resource: int) -> None:
            world.note("clean up")

    async def use(resource: int) -> int:
        return world.note("use") + resource

    with Flow("async resources") as flow, resource_manager(Desk)() as desk:
        task(use)(desk)
    return flow


class Absent(LocalExecutor):
    """Can't start."""

    def start(self) -> None:
        raise ConnectionRefusedError("nobody there")


def an_executor_that_cannot_start(world: World) -> Flow:
    def told(_flow: Any, _old: Any, new: Any) -> None:
        world.note(f"flow {new.name}")

    with Flow("absent", executor=Absent(), state_handlers=[told]) as flow:
        work(world, "after")(x=work(world, "first", 1)())
    return flow
