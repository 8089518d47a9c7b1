"""The ancestor's idioms: one row each, a tiny flow and what it must come to, run in order and in threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from appliance import Flow, case, context, ifelse, merge, signals, states, task
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
