"""The ancestor's idioms: one row each, a tiny flow and what it must come to, run in order and in threads."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from appliance import FilterTask, Flow, case, context, ifelse, merge, resource_manager, signals, states, task
from appliance.core.states import State
from appliance.core.task import Task
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
    assert own.result == idiom.result
    assert isinstance(final, idiom.flow), final
