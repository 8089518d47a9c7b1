"""The same flows untracked and tracked, in one attempt and in as many as their waits make: equal states, messages and calls."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.core import signals, states
from appliance.core.annotations import flatten, mapped, unmapped
from appliance.core.apply_map import apply_map
from appliance.core.context import context
from appliance.core.control import FilterTask, case, merge, switch
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.resources import resource_manager
from appliance.core.retries import exponential_backoff
from appliance.core.task import Task, task
from appliance.core.triggers import all_failed, all_finished, any_failed, manual_only
from appliance.engine.executors import ThreadExecutor
from appliance.kit import clock
from tests.conformance.twice import AT_ONCE, Site, World, opened, untracked

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


def kept_for_an_hour(world: World) -> Task:
    @task
    def cached() -> int:
        return world.note("cached")

    made: Task = cached
    made.cache_for, made.cache_key = timedelta(hours=1), f"of world {id(world)}"
    return made


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


# --- the suite


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with opened(tmp_path_factory.mktemp("appliance")) as found:
        yield found


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_RESULTS_URL", (tmp_path / "results").as_uri())


@pytest.mark.parametrize("longest_wait", [AT_ONCE, 60.0], ids=["many attempts", "one attempt"])
@pytest.mark.parametrize("name", CASES)
def test_a_flow_ends_alike(site: Site, tmp_path: Path, name: str, longest_wait: float) -> None:
    build, restarts = CASES[name]
    tracked = site.tracked(build, tmp_path / "spool", restarts=restarts, longest_wait=longest_wait)
    assert tracked == untracked(build, restarts=restarts)


@pytest.mark.parametrize("name", CASES)
def test_a_flow_ends_alike_in_threads(site: Site, tmp_path: Path, name: str) -> None:
    build, restarts = CASES[name]
    tracked = site.tracked(build, tmp_path / "spool", restarts=restarts, executor=ThreadExecutor(4))
    assert tracked == untracked(build, restarts=restarts, executor=ThreadExecutor(4))


def test_what_is_stored_nowhere_is_made_again(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPLIANCE_RESULTS_URL")
    tracked = site.tracked(a_restart_of_the_end, tmp_path / "spool", restarts=1)
    expected = untracked(a_restart_of_the_end, restarts=1)
    assert (tracked.flow, tracked.tasks) == (expected.flow, expected.tasks)
    assert tracked.calls == {"a": 2, "b": 2, "c": 2, "none": 1, "d": 1}


def test_what_was_removed_is_made_again(site: Site, tmp_path: Path) -> None:
    def build(world: World) -> Flow:
        with Flow("removed") as flow:
            a = work(world, "a", 1)()
            b = work(world, "b")(x=a)

            @task
            def clear() -> None:
                shutil.rmtree(tmp_path / "results", ignore_errors=world.restarts > 0)

            work(world, "c", until_restart=1)(x=b, upstream_tasks=[clear(upstream_tasks=[b])])
        return flow

    tracked = site.tracked(build, tmp_path / "spool", restarts=1)
    assert (tracked.flow, tracked.calls) == ("Success", {"a": 2, "b": 2, "c": 2})


def test_a_resource_is_not_left_open_while_a_run_waits_for_a_person(site: Site, tmp_path: Path) -> None:
    calls = site.tracked(a_pause_within_a_resource, tmp_path / "spool").calls
    assert calls == {"set up pool": 2, "clean up pool": 2, "what": 1, "before": 1, "asked": 1}


def test_waits_and_people_make_attempts(site: Site, tmp_path: Path) -> None:
    """The suite above would prove little if everything happened in one attempt."""
    attempts = {
        name: site.tracked(CASES[name][0], tmp_path / name, restarts=CASES[name][1]).attempts
        for name in ("a_chain", "retries", "a_pause_before_a_task", "a_pause_with_an_end", "two_restarts")
    }
    assert attempts == {
        "a_chain": 1,
        "retries": 5,
        "a_pause_before_a_task": 2,
        "a_pause_with_an_end": 2,
        "two_restarts": 3,
    }
