"""Flows that pause or are restarted, for the parity suite."""

from __future__ import annotations

from typing import Any

from appliance.core import signals
from appliance.core.annotations import flatten, mapped, unmapped
from appliance.core.apply_map import apply_map
from appliance.core.context import context
from appliance.core.control import FilterTask, case, merge, switch
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.resources import resource_manager
from appliance.core.retries import exponential_backoff
from appliance.core.task_decorator import task
from appliance.core.triggers import all_finished, manual_only
from appliance.kit import clock
from tests.conformance.parity_cases import SOON, carried_out, numbered, retried, work
from tests.conformance.world import World

# --- pauses


@carried_out()
def a_pause_before_a_task(world: World) -> Flow:
    with Flow("approval") as flow:
        a = work(world, "a", 3)()
        none = work(world, "none")()
        approved = work(world, "approved", trigger=manual_only)(x=a)
        work(world, "b")(x=approved, y=a)
        work(world, "c", 1)(upstream_tasks=[approved, none])
    return flow


@carried_out()
def a_pause_that_a_task_asks_for(world: World) -> Flow:
    @task
    def ask(x: int) -> int:
        world.note("ask")
        if not context.resume:
            raise signals.PAUSE("May I?")
        return x * 2

    with Flow("asking") as flow:
        work(world, "b")(x=ask(work(world, "a", 3)()))
    return flow


@carried_out()
def a_pause_with_an_end(world: World) -> Flow:
    @task
    def nap(x: int) -> int:
        if world.note("nap") == 1:
            raise signals.PAUSE("A nap.", start_time=clock.now() + SOON)
        return x

    with Flow("nap") as flow:
        work(world, "b")(x=nap(work(world, "a", 3)()))
    return flow


@carried_out()
def mapped_pauses(world: World) -> Flow:
    @task
    def ask(x: int) -> int:
        world.note(f"ask {x}")
        if x % 2 and not context.resume:
            raise signals.PAUSE("May I?")
        return x * 2

    with Flow("asking for each") as flow:
        found = ask.map(work(world, "xs", [1, 2, 3])())
        work(world, "all", 0)(upstream_tasks=[numbered(world, "after", {}).map(found)])
    return flow


@carried_out()
def a_pause_beside_a_failure_and_a_retry(world: World) -> Flow:
    with Flow("all at once") as flow:
        a = work(world, "a", 1, fails=1, **retried())()
        b = work(world, "b", fails=9)()
        c = work(world, "c", 1, trigger=manual_only)(upstream_tasks=[a])
        work(world, "d", 1, trigger=all_finished)(upstream_tasks=[b, c])
    return flow


def resource_of(world: World) -> Any:
    @resource_manager(name="resource")
    class Resource:
        def __init__(self, what: str) -> None:
            self.what = what

        def setup(self) -> str:
            world.note(f"set up {self.what}")
            return self.what

        def cleanup(self, resource: str) -> None:
            world.note(f"clean up {resource}")

    return Resource


@carried_out()
def a_pause_within_a_resource(world: World) -> Flow:
    with Flow("resource") as flow, resource_of(world)(work(world, "what", "pool")()) as pool:
        before = work(world, "before", 1)(x=pool)
        work(world, "asked", 2, trigger=manual_only)(x=pool, y=before)
    return flow


@carried_out()
def a_pause_after_a_failure_that_is_filtered(world: World) -> Flow:
    with Flow("filtered") as flow:
        found = numbered(world, "one", {2: 9}).map(work(world, "xs", [1, 2, 3])())
        asked = work(world, "asked", trigger=manual_only)(upstream_tasks=[found])
        work(world, "all", 0)(x=FilterTask()(found, upstream_tasks=[asked]))
    return flow


# --- restarts


@carried_out(restarts=1)
def a_restart_of_the_start(world: World) -> Flow:
    with Flow("restart at the start") as flow:
        a = work(world, "a", 1, until_restart=1)()
        b = work(world, "b")(x=a)
        work(world, "c", 1, trigger=all_finished)(upstream_tasks=[b])
        work(world, "d", 1)()
    return flow


@carried_out(restarts=1)
def a_restart_of_the_end(world: World) -> Flow:
    with Flow("restart at the end") as flow:
        n = Parameter("n", default=4)
        a = work(world, "a")(x=n)
        none = work(world, "none")()
        b = work(world, "b")(x=a, y=n)
        work(world, "c", until_restart=1)(x=b, y=n, z=2)
        work(world, "d", 1)(upstream_tasks=[none])
    return flow


@carried_out(restarts=2)
def two_restarts(world: World) -> Flow:
    with Flow("two restarts") as flow:
        a = work(world, "a", 1)()
        b = work(world, "b", until_restart=1)(x=a)
        work(world, "c", until_restart=2)(x=b, y=a)
    return flow


@carried_out(restarts=1)
def a_restart_that_fails_again(world: World) -> Flow:
    with Flow("again") as flow:
        a = work(world, "a", 1)()
        work(world, "b", until_restart=9)(x=a)
    return flow


@carried_out(restarts=1)
def a_restart_with_retries_anew(world: World) -> Flow:
    with Flow("retries anew") as flow:
        a = work(world, "a", 1, fails=1, **retried())()
        work(world, "b", fails=5, **retried())(x=a)
    return flow


@carried_out(restarts=1)
def a_mapped_restart(world: World) -> Flow:
    with Flow("mapped restart") as flow:
        found = numbered(world, "one", {2: 1}).map(work(world, "xs", [1, 2, 3])(), unmapped(work(world, "ten", 10)()))
        again = numbered(world, "two", {13: 1}).map(found)
        work(world, "all", 0)(x=again)
    return flow


@carried_out(restarts=1)
def a_mapped_restart_after_a_reduce(world: World) -> Flow:
    @task
    def total(xs: list[int]) -> int:
        world.note("total")
        if world.restarts < 1:
            raise ConnectionError("not yet")
        return sum(xs)

    with Flow("reduce") as flow:
        found = numbered(world, "one", {}).map(work(world, "xs", [1, 2, 3])())
        work(world, "b")(x=total(found))
    return flow


@carried_out(restarts=1)
def a_restart_with_another_width(world: World) -> Flow:
    @task
    def xs() -> list[int]:
        world.note("xs")
        if world.restarts < 1:
            raise ConnectionError("not yet")
        return [1, 2, 3, 4]

    with Flow("width") as flow:
        work(world, "all", 0)(x=numbered(world, "one", {}).map(xs()))
    return flow


@carried_out(restarts=1)
def a_restart_of_flattened_maps(world: World) -> Flow:
    @task
    def many(x: int) -> list[int]:
        if world.note(f"many {x}") == 1 and x == 2:
            raise ConnectionError("not yet")
        return list(range(x))

    with Flow("flat restart") as flow:
        lists = many.map(work(world, "xs", [1, 2, 3])())
        work(world, "sum", 0)(x=numbered(world, "each", {}).map(flatten(lists)))
    return flow


@carried_out(restarts=1)
def a_restart_of_a_branch(world: World) -> Flow:
    with Flow("branch restart") as flow:
        which = work(world, "which", "b")()
        with case(which, "a"):
            a = work(world, "a", 1)()
        with case(which, "b"):
            b = work(world, "b", 2, until_restart=1)()
        work(world, "after")(x=merge(a, b))
    return flow


@carried_out(restarts=1)
def a_restart_of_mapped_branches(world: World) -> Flow:
    with Flow("mapped branch restart") as flow:
        which = work(world, "which", ["a", "b", "a"])()
        ones, twos = numbered(world, "one", {1: 1}), numbered(world, "two", {})
        taken = {"a": ones.map([1, 2, 3]), "b": twos.map([4, 5, 6])}
        switch(which, taken, mapped=True)
        work(world, "all", 0)(x=merge(*taken.values(), mapped=True))
    return flow


@carried_out(restarts=1)
def a_restart_of_children_that_wait_for_others(world: World) -> Flow:
    with Flow("mapped upstream") as flow:
        found = numbered(world, "one", {2: 1}).map(work(world, "xs", [1, 2, 3])())
        again = numbered(world, "two", {}).map([7, 8, 9], upstream_tasks=[mapped(found)])
        work(world, "all", 0)(x=again)
    return flow


@carried_out(restarts=1)
def a_restart_of_children_that_wait_for_elements(world: World) -> Flow:
    with Flow("mapped upstream values") as flow:
        xs = work(world, "xs", [1, 2, 3])()
        again = numbered(world, "two", {8: 1}).map([7, 8, 9], upstream_tasks=[mapped(xs)])
        work(world, "all", 0)(x=again)
    return flow


@carried_out(restarts=1)
def a_restart_within_a_resource(world: World) -> Flow:
    with Flow("restart in a resource") as flow:
        with resource_of(world)("pool") as pool:
            before = work(world, "before", 1)(x=pool)
            work(world, "after", 1, until_restart=1)(x=pool, y=before)
        work(world, "last", 1)(x=before)
    return flow


@carried_out(restarts=1)
def a_restart_beside_a_resource(world: World) -> Flow:
    with Flow("restart beside a resource") as flow:
        with resource_of(world)("pool") as pool:
            inside = work(world, "inside", 1)(x=pool)
        work(world, "after", until_restart=1)(x=inside)
    return flow


@carried_out(restarts=1)
def a_restart_of_mapped_pieces(world: World) -> Flow:
    def piece(x: Any) -> Any:
        found = numbered(world, "one", {2: 1})(x)
        with case(work(world, "odd", "yes")(x=x), "yes"):
            more = numbered(world, "two", {})(found)
        return merge(more, found)

    with Flow("pieces") as flow:
        work(world, "all", 0)(x=apply_map(piece, work(world, "xs", [1, 2, 3])()))
    return flow


@carried_out(restarts=1)
def a_restart_after_growing_delays(world: World) -> Flow:
    growing = exponential_backoff(0.01, limit=0.03)
    with Flow("growing") as flow:
        a = work(world, "a", 1)()
        work(world, "b", fails=5, max_retries=3, retry_delay=growing, retry_jitter=0.1)(x=a)
    return flow


@carried_out(restarts=1)
def a_restart_of_a_success_with_failed_tasks(world: World) -> Flow:
    with Flow("success with failures") as flow:
        a = work(world, "a", 1)()
        b = work(world, "b", until_restart=1)(x=a)
        work(world, "c", 1, trigger=all_finished)(upstream_tasks=[b])
    return flow


@carried_out(restarts=1)
def a_restart_with_a_pause(world: World) -> Flow:
    with Flow("pause and restart") as flow:
        a = work(world, "a", 2, trigger=manual_only)()
        b = work(world, "b", until_restart=1)(x=a)
        work(world, "c", trigger=manual_only)(x=b)
    return flow
