"""Flows of the parity suite in which something does not run, or concerns only a part: branches, flattening, handled failures."""

from __future__ import annotations

from typing import Any

from appliance.core import signals, states
from appliance.core.annotations import flatten, unmapped
from appliance.core.apply_map import apply_map
from appliance.core.control import FilterTask, case, ifelse, merge
from appliance.core.flow import Flow
from appliance.core.resources import resource_manager
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.core.triggers import all_finished, always_run, any_failed, manual_only
from tests.conformance.parity_cases import carried_out, numbered, retried, work
from tests.conformance.world import World


def desk_of(world: World) -> Any:
    @resource_manager(name="desk")
    class Desk:
        def __init__(self, what: str) -> None:
            self.what = what

        def cleanup(self, _desk: Any) -> None:
            world.note(f"clean up {self.what}")

    return Desk


@carried_out()
def a_branch_that_is_not_taken(world: World) -> Flow:
    with Flow("not taken") as flow:
        flag, outside = work(world, "flag", 1)(), work(world, "outside", 2, fails=1, **retried())()
        with case(flag, 2):
            work(world, "always", trigger=always_run, skip_on_upstream_skip=False)(x=outside)
            with desk_of(world)("untaken") as desk:
                work(world, "at the desk")(upstream_tasks=[desk])
            inside = merge(outside, work(world, "a", 1)())
            apply_map(lambda x: merge(numbered(world, "n", {})(x), x), work(world, "xs", [1, 2])())
        with case(flag, 1):
            other = work(world, "b", 7, fails=1, **retried())()
            work(world, "c", trigger=manual_only)(x=other)
        work(world, "d")(x=merge(inside, other))
        ifelse(flag, [work(world, "e", 1)(), work(world, "f", 1)()], work(world, "g", 1)())
    return flow


def parts_of(world: World, until_restart: int = 0) -> Task:
    """A task to map: the child of 1 is skipped, that of 2 fails (until a restart), that of 3 returns no list."""

    def run(x: int) -> Any:
        world.note(f"parts {x}")
        if x == 1:
            raise signals.SKIP("nothing here")
        if x == 2 and (not until_restart or world.restarts < until_restart):
            raise ConnectionError("no 2")
        return None if x == 3 else [x, x + 10]

    made: Task = task(name="parts")(run)
    return made


@carried_out()
def flattening(world: World) -> Flow:
    with Flow("flattening") as flow:
        parts = parts_of(world).map(work(world, "xs", [0, 1, 2, 3, 4])())
        mapped = numbered(world, "n", {10: 1}, **retried()).map(flatten(parts))
        work(world, "sum", 0, trigger=all_finished)(x=FilterTask()(unmapped(flatten(parts))), y=mapped)
        work(world, "all")(x=unmapped(flatten(parts)))
    return flow


@carried_out(restarts=1)
def a_restart_before_flattening(world: World) -> Flow:
    with Flow("flattening again") as flow:
        parts = parts_of(world, until_restart=1).map(work(world, "xs", [0, 1, 2, 4])())
        again = numbered(world, "again", {}).map(numbered(world, "n", {}).map(flatten(parts)))
        work(world, "number", 0)(x=again)
    return flow


@carried_out()
def a_failure_that_is_handled_after_a_resource(world: World) -> Flow:
    with Flow("handled") as flow:
        with desk_of(world)("desk") as desk:
            bad = work(world, "bad", fails=9)(upstream_tasks=[desk])
        work(world, "handled", 1, trigger=any_failed)(upstream_tasks=[bad])
    return flow


@carried_out()
def people_are_asked_after_success(world: World) -> Flow:
    with Flow("asked") as flow:
        bad, good = work(world, "bad", fails=9)(), work(world, "good", 1)()
        work(world, "a", trigger=manual_only)(upstream_tasks=[bad])
        work(world, "b", 1, trigger=manual_only(all_finished))(upstream_tasks=[bad])
        work(world, "c", 1, trigger=manual_only)(x=good)
    return flow


@carried_out()
def states_as_results(world: World) -> Flow:
    with Flow("states") as flow:
        for number, state in enumerate([states.Failed("no"), states.Success("yes", 5), states.Skipped("nothing")]):
            work(world, f"after {number}")(x=work(world, f"give {number}", state)())
    return flow


@carried_out()
def an_order_without_data(world: World) -> Flow:
    with Flow("order") as flow:
        first = work(world, "first", 1, fails=1, **retried())()
        first | [work(world, "b", 1)(), work(world, "c", 1)()] | Task("join") | work(world, "last", 1)()
    return flow
