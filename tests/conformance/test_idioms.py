"""The ancestor's idioms: one row each, a tiny flow and what it must come to, run in order and in threads."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from appliance import (
    FilterTask,
    Flow,
    Task,
    all_finished,
    always_run,
    any_failed,
    apply_map,
    case,
    context,
    flatten,
    ifelse,
    manual_only,
    merge,
    resource_manager,
    signals,
    states,
    switch,
    task,
    unmapped,
)
from appliance.core.states import State
from tests.conformance.executor_cases import IN_PROCESS

Build = Callable[[], Task]


@dataclass(frozen=True)
class Idiom:
    """A task that the row builds inside a flow, the state in which that task must end, its result, and that of the flow."""

    build: Build
    state: type[State]
    result: Any
    flow: type[State]


IDIOMS: dict[str, Idiom] = {}


def comes_to(
    result: Any = None, state: type[State] = states.Success, flow: type[State] = states.Success
) -> Callable[[Build], Build]:
    """Enter a row under its function's name. The function is called inside `with Flow(...)` and returns the task to look at."""

    def enter(build: Build) -> Build:
        IDIOMS[build.__name__] = Idiom(build, state, result, flow)
        return build

    return enter


@task
def give(value: Any = None) -> Any:
    return value


@task
def fail() -> None:
    raise ValueError("on purpose")


# --- branches


@comes_to("changes")
def merge_is_the_branch_that_ran() -> Task:
    with case(give("b"), "a"):
        everything = give("everything")
    with case(give("b"), "b"):
        changes = give("changes")
    return merge(everything, changes)


@comes_to(state=states.Skipped)
def merge_is_skipped_when_no_branch_ran() -> Task:
    one, other = give(1), give(2)
    ifelse(give(True), None, one)
    ifelse(give(True), None, other)
    return merge(one, other)


@comes_to(["a", "b"])
def a_list_of_tasks_is_a_branch() -> Task:
    branch, other = [give("a"), give("b")], give("c")
    ifelse(give(True), branch, other)
    return merge(branch, other)


@comes_to("two")
def a_switch_takes_the_task_of_its_value() -> Task:
    branches = {1: give("one"), 2: give("two"), 3: "a value"}
    switch(give(2), branches)
    return merge(branches[1], branches[2])


@comes_to(state=states.Skipped)
def a_merge_in_a_branch_that_is_not_taken_is_skipped() -> Task:
    value, flag = give("yes"), give(False)
    with case(flag, True):
        return merge(value)


@comes_to(state=states.Skipped)
def apply_map_in_a_branch_that_is_not_taken_is_skipped() -> Task:
    def piece(x: Any) -> Task:
        with case(x, 1):
            one = give("one")
        return merge(one, x)

    with case(give(False), True):
        return apply_map(piece, [1, 2, 3])


@comes_to(state=states.Skipped)
def not_even_what_always_runs_runs_in_a_branch_that_is_not_taken() -> Task:
    with case(give(1), 2):
        return give.copy(trigger=always_run, skip_on_upstream_skip=False)(1)


@comes_to([0, 2])
def a_filter_drops_what_failed_and_logs_what_it_keeps() -> Task:
    kept = FilterTask(log_func=lambda kept: f"kept: {', '.join(map(str, kept))}")(even.map([0, 1, 2]))
    return kept


@task
def even(x: int) -> int:
    if x % 2:
        raise ValueError("odd")
    return x


# --- order


@comes_to("b")
def a_bar_is_an_order_and_its_right_side() -> Task:
    bar: Task = give("a") | give("b")
    return bar


@comes_to(state=states.TriggerFailed, flow=states.Failed)
def what_follows_a_bar_waits_for_what_precedes_it() -> Task:
    bar: Task = fail() | give("b")
    return bar


@comes_to(state=states.TriggerFailed, flow=states.Failed)
def a_bar_takes_lists_and_values() -> Task:
    bar: Task = [give("a"), fail()] | (1 | Task("join")) | give("b")
    return bar


@comes_to("yes")
def the_logical_or_is_a_method() -> Task:
    return give("").or_("yes")


@comes_to()
def a_task_without_code_joins_branches() -> Task:
    return Task("join")(upstream_tasks=[give(1), give(2)])


# --- mapping


@comes_to([0, 0, 2, 2], state=states.Mapped)
def flatten_leaves_out_a_skipped_child() -> Task:
    return give.map(flatten(pairs.map([0, 1, 2])))


@comes_to([0, 0, 2, 2])
def a_flattened_reduce_leaves_it_out_too() -> Task:
    return give(unmapped(flatten(pairs.map([0, 1, 2]))))


@task
def pairs(n: int) -> list[int]:
    if n == 1:
        raise signals.SKIP("nothing here")
    return [n, n]


@comes_to([(1, "a"), (2, "b")], state=states.Mapped)
def apply_map_stops_at_the_shortest_argument() -> Task:
    return apply_map(lambda x, y: task(lambda x, y: (x, y), name="both")(x, y), [1, 2, 3], ["a", "b"])


@comes_to(["done", "done"], state=states.Mapped)
def every_task_of_a_piece_runs_once_per_element() -> Task:
    return apply_map(lambda _x, _y: give("done"), [1, 2, 3], give(["a", "b"]))


# --- the context


@comes_to((0, 1, None, "here", False))
def what_the_context_does_not_have_is_the_callers_default() -> Task:
    @task
    def look() -> tuple[Any, ...]:
        return (
            context.get("task_loop_result", 0),
            context.get("task_loop_count", 1),
            context.get("map_index"),
            context.get("nonsense", "here"),
            "resume" in context,
        )

    return look()


# --- states and signals


@comes_to(state=states.Failed, flow=states.Failed)
def a_returned_state_is_the_state_of_the_task() -> Task:
    return give(states.Failed("no"))


@comes_to(state=states.Skipped)
def a_signal_is_made_from_a_state() -> Task:
    @task
    def end_like(state: State) -> None:
        raise signals.signal_from_state(state)("for the same reason")

    return end_like(unmapped(states.Skipped()))


@comes_to("go", state=states.Success)
def resume_in_answer_to_a_pause_runs_the_task() -> Task:
    def approve(_task: Task, _old: State, new: State) -> State | None:
        return states.Resume() if new.is_paused() else None

    return give.copy(trigger=manual_only, state_handlers=[approve])("go")


@comes_to(state=states.TriggerFailed, flow=states.Failed)
def manual_only_does_not_ask_after_a_failure() -> Task:
    return give.copy(trigger=manual_only)(fail())


@comes_to(state=states.Paused, flow=states.Paused)
def manual_only_asks_after_a_failure_if_it_is_told_to() -> Task:
    return give.copy(trigger=manual_only(all_finished))("go", upstream_tasks=[fail()])


# --- resources


@comes_to("handled")
def a_failure_that_is_handled_after_a_resource_is_none_of_the_flow() -> Task:
    @resource_manager
    class Desk:
        def cleanup(self, desk: Any) -> None:
            assert isinstance(desk, Desk.resource_class)  # type: ignore[arg-type]

    with Desk() as desk:
        bad = fail(upstream_tasks=[desk])
    return give.copy(trigger=any_failed)("handled", upstream_tasks=[bad])


# --- loops


@comes_to([1, 2, 3])
def a_loop_hands_its_result_to_the_next_round() -> Task:
    @task
    def collect() -> list[int]:
        so_far = [*(context.get("task_loop_result") or []), context.task_loop_count]
        if len(so_far) < 3:
            raise signals.LOOP(result=so_far)
        return so_far

    return collect()


# --- options that are accepted are used


@comes_to(3)
def a_builtin_is_a_task() -> Task:
    return task(len)(give([1, 2, 3]))


@comes_to([2, 3], state=states.Mapped)
def a_builtin_is_mapped() -> Task:
    return task(max).map(give([[1, 2], [3]]))


@comes_to([1, 3])
def a_filter_leaves_out_what_its_function_denies() -> Task:
    return FilterTask(bool)(give([0, 1, None, 3]))


@comes_to([9, 18], state=states.Mapped)
def a_mapped_pair_unpacks_per_element() -> Task:
    first, second = task(lambda x: (x, 10 * x), name="pair", nout=2).map(give([1, 2]))
    return task(operator.sub).map(second, first)


@comes_to((1, 10))
def a_mapped_task_is_indexed_by_child() -> Task:
    return task(lambda x: (x, 10 * x), name="pair", nout=2).map(give([1, 2]))[0]


@comes_to(["big", "own"])
def tags_in_task_args_are_added() -> Task:
    own = task(lambda: sorted(context.task_tags), name="own", tags=["own"])
    return own(task_args={"tags": ["big"]})


@comes_to("renamed")
def a_name_in_task_args_is_used() -> Task:
    return task(lambda: context.task_name, name="before")(task_args={"name": "renamed"})


@comes_to("opened")
def options_of_a_resource_manager_made_in_one_call_are_used() -> Task:
    class Resource:
        def setup(self) -> str:
            return str(context.task_name)

        def cleanup(self, resource: str) -> None: ...

    options: dict[str, Any] = {"setup_task_kwargs": {"name": "opened"}}
    with resource_manager(Resource, **options)() as name:
        return give(name)


@comes_to(state=states.Skipped)
def a_state_handler_in_task_args_is_used() -> Task:
    return give(
        1, task_args={"state_handlers": [lambda _task, _old, new: states.Skipped() if new.is_running() else None]}
    )


@comes_to(3)
def a_retry_that_a_handler_asks_for_counts() -> Task:
    def again(_task: Any, _old: State, new: State) -> None:
        if new.is_running() and context.task_run_count < 3:
            raise signals.RETRY

    return task(lambda: context.task_run_count, name="count", state_handlers=[again])()


@pytest.mark.parametrize("executor", ["local", "threads"])
@pytest.mark.parametrize("name", IDIOMS)
def test_an_idiom_comes_to_what_the_ancestor_makes_of_it(name: str, executor: str) -> None:
    idiom = IDIOMS[name]
    with Flow(name) as flow:
        watched = idiom.build()
    final = flow.run(progress=False, executor=IN_PROCESS[executor]())
    assert final is not None
    own = final.result[watched]
    assert type(own) is idiom.state, own
    if not own.is_failed():  # the result of a failure is its exception
        assert own.result == idiom.result
    assert isinstance(final, idiom.flow), final
