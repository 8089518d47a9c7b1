"""Flows of every shape, and tasks that end in every way, for the parity suite."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from appliance.core import signals, states
from appliance.core.annotations import flatten, unmapped
from appliance.core.context import context
from appliance.core.control import case, merge, switch
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.core.triggers import all_failed, all_finished, any_failed
from appliance.kit import clock
from tests.conformance.parity_cases import SOON, carried_out, kept_for_an_hour, numbered, retried, work
from tests.conformance.world import World

# --- graphs


@carried_out()
def a_chain(world: World) -> Flow:
    with Flow("chain") as flow:
        a = work(world, "a", 1)()
        b = work(world, "b")(x=a, y=2)
        work(world, "c")(x=b)
    return flow


@carried_out()
def a_failure_at_the_start(world: World) -> Flow:
    with Flow("failing") as flow:
        a = work(world, "a", fails=9)()
        b = work(world, "b")(x=a)
        work(world, "c", 1, trigger=all_finished)(upstream_tasks=[b])
        work(world, "d", 1, trigger=any_failed)(upstream_tasks=[a])
        work(world, "e", 1, trigger=all_failed)(upstream_tasks=[a, b])
        work(world, "f", 1)(upstream_tasks=[a])
    return flow


@carried_out()
def a_failure_at_the_end_of_some(world: World) -> Flow:
    with Flow("ends") as flow:
        a = work(world, "a", 1)()
        work(world, "b")(x=a)
        work(world, "c", fails=9)(x=a)
    return flow


@carried_out()
def reference_tasks_decide(world: World) -> Flow:
    with Flow("reference") as flow:
        a = work(world, "a", 1)()
        work(world, "b", fails=9)(x=a)
    flow.set_reference_tasks([a])
    return flow


@carried_out()
def mapping(world: World) -> Flow:
    with Flow("mapping") as flow:
        xs = work(world, "xs", [1, 2, 3])()
        found = numbered(world, "one", {2: 9}).map(xs, unmapped(work(world, "ten", 10)()))
        again = numbered(world, "two", {}).map(found)
        work(world, "all", 0, trigger=all_finished)(x=again)
        work(world, "strict")(upstream_tasks=[again])
    return flow


@carried_out()
def mapping_over_nothing_and_over_no_list(world: World) -> Flow:
    with Flow("widths") as flow:
        numbered(world, "none", {}).map(work(world, "empty", [])())
        numbered(world, "odd", {}).map(work(world, "seven", 7)())
        numbered(world, "short", {}).map(work(world, "two", [1, 2])(), work(world, "three", [1, 2, 3])())
    return flow


@carried_out()
def nested_maps(world: World) -> Flow:
    @task
    def many(x: int) -> list[int]:
        world.note("many")
        return list(range(x))

    with Flow("nested") as flow:
        lists = many.map(work(world, "xs", [1, 2, 3])())
        work(world, "sum", 0)(x=numbered(world, "each", {}).map(flatten(lists)))
    return flow


@carried_out()
def branches(world: World) -> Flow:
    with Flow("branches") as flow:
        which = Parameter("which", default="b")
        with case(which, "a"):
            a = work(world, "a", 1)()
        with case(which, "b"):
            b = work(world, "b", 2)()
        work(world, "after")(x=merge(a, b))
        work(world, "last", 0)(upstream_tasks=[a])
        switch(which, {"a": work(world, "c", 1)(), "b": work(world, "d", 2)()})
    return flow


@carried_out()
def parameters_and_collections(world: World) -> Flow:
    with Flow("parameters") as flow:
        n = Parameter("n", default=2)
        work(world, "sum")(x=n, y=n + 1)
        numbered(world, "each", {}).map([n, 5, n * 2])
    return flow


# --- what single tasks do


@carried_out()
def retries(world: World) -> Flow:
    with Flow("retries") as flow:
        a = work(world, "a", 1, fails=2, **retried())()
        b = work(world, "b", fails=9, **retried())(x=a)
        work(world, "c", 5, trigger=all_finished)(upstream_tasks=[a, b])
        work(world, "d", 1, fails=1, **retried(retry_on=ValueError))()
    return flow


@carried_out()
def mapped_retries(world: World) -> Flow:
    with Flow("mapped retries") as flow:
        found = numbered(world, "one", {2: 1, 3: 2, 4: 9}, **retried()).map(work(world, "xs", [1, 2, 3, 4])())
        again = numbered(world, "two", {1: 1}, **retried()).map(found)
        work(world, "all", 0, trigger=all_finished)(upstream_tasks=[again])
    return flow


@carried_out()
def signals_of_tasks(world: World) -> Flow:
    def raising(name: str, signal: Callable[[], BaseException]) -> Task:
        @task(name=name)
        def run() -> None:
            world.note(name)
            raise signal()

        made: Task = run
        return made

    with Flow("signals") as flow:
        skipped = raising("skip", lambda: signals.SKIP("not today"))()
        work(world, "after skip")(x=skipped)
        work(world, "all the same", 1, skip_on_upstream_skip=False)(upstream_tasks=[skipped])
        success = raising("success", lambda: signals.SUCCESS("early", result=4))()
        work(world, "after success")(x=success)
        raising("fail", lambda: signals.FAIL("no"))()
        raising("invalid", lambda: signals.VALIDATIONFAIL("bad"))()
        raising("trigger", lambda: signals.TRIGGERFAIL("never"))()
    return flow


@carried_out()
def a_retry_that_a_task_asks_for(world: World) -> Flow:
    @task
    def later() -> int:
        if world.note("later") < 3:
            raise signals.RETRY("not yet", start_time=clock.now() + SOON)
        return int(context.task_run_count)

    with Flow("asked") as flow:
        work(world, "a")(x=later())
    return flow


@carried_out()
def loops(world: World) -> Flow:
    @task
    def loop() -> int:
        world.note("loop")
        if context.task_loop_count < 4:
            raise signals.LOOP(result=(context.task_loop_result or 0) + 10)
        return int(context.task_loop_result)

    with Flow("loops") as flow:
        work(world, "a")(x=loop())
    return flow


@carried_out()
def a_retry_within_a_loop(world: World) -> Flow:
    @task(**retried())
    def loop() -> list[int]:
        if world.note("loop") in (1, 3, 4):
            raise ConnectionError("not yet")
        done = [*(context.task_loop_result or ()), context.task_run_count]
        if context.task_loop_count < 4:
            raise signals.LOOP(result=done)
        return done

    with Flow("retry in a loop") as flow:
        work(world, "a", 1)(x=loop())
    return flow


@carried_out()
def a_pause_within_a_loop(world: World) -> Flow:
    @task
    def loop() -> int:
        called = world.note("loop")
        if called == 3:
            raise signals.PAUSE("May I?")
        if context.task_loop_count < 4:
            raise signals.LOOP(result=(context.task_loop_result or 0) + called)
        return int(context.task_loop_result)

    with Flow("pause in a loop") as flow:
        work(world, "a")(x=loop())
    return flow


@carried_out()
def timeouts(world: World) -> Flow:
    @task(timeout=0.05)
    def slow() -> None:
        world.note("slow")
        threading.Event().wait(0.5)

    with Flow("timeouts") as flow:
        work(world, "after", 1, trigger=all_finished)(upstream_tasks=[slow()])
    return flow


@carried_out()
def handlers(world: World) -> Flow:
    def fallback(_task: Any, _old: states.State, new: states.State) -> states.State | None:
        return states.Success("Handled.", result=7) if isinstance(new, states.Failed) else None

    def broken(_task: Any, _old: states.State, _new: states.State) -> None:
        raise KeyError("handler")

    def told(_flow: Any, _old: states.State, new: states.State) -> None:
        world.note(f"flow {new.name}")

    with Flow("handlers", state_handlers=[told]) as flow:
        work(world, "b")(x=work(world, "a", fails=9, state_handlers=[fallback])())
        work(world, "c", 1, state_handlers=[broken])()
    return flow


@carried_out()
def a_terminal_state_handler(world: World) -> Flow:
    def forgive(_flow: Flow, state: states.State, _tasks: Any) -> states.State:
        return states.Success("Forgiven.", state.result)

    with Flow("forgiving", terminal_state_handler=forgive) as flow:
        work(world, "a", fails=9)()
    return flow


# --- results


@carried_out()
def caching_in_one_flow(world: World) -> Flow:
    cached = kept_for_an_hour(world)
    with Flow("caching") as flow:
        first = cached()
        work(world, "b")(x=cached(upstream_tasks=[first]), y=first)
    return flow


@carried_out(restarts=1)
def a_cached_task_before_a_failure(world: World) -> Flow:
    cached = kept_for_an_hour(world)
    with Flow("cached") as flow:
        work(world, "b", until_restart=1)(x=cached())
    return flow
