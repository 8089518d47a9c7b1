"""A task that returns a state ends in that state, as if it had raised its signal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance import Flow, all_finished, context, states, task
from appliance.core.states import State
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor

RETURNED: dict[str, Callable[[], State]] = {
    "Failed": lambda: states.Failed("no"),
    "ValidationFailed": lambda: states.ValidationFailed("not good", result=5),
    "Success": lambda: states.Success("yes", result=5),
    "Skipped": lambda: states.Skipped("nothing to do"),
    "Cancelled": lambda: states.Cancelled("enough"),
}
EXECUTORS = {"local": LocalExecutor, "threads": ThreadExecutor, "processes": lambda: ProcessExecutor(1)}


@task
def give(state: State) -> State:
    return state


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.parametrize("name", RETURNED)
def test_the_returned_state_is_that_of_the_task(name: str, executor: Callable[[], Executor]) -> None:
    returned = RETURNED[name]()
    with Flow("f") as flow:
        only = give(returned)
        after = task(lambda: None, name="after", trigger=all_finished)(upstream_tasks=[only])
    flow.set_reference_tasks([only])
    state = flow.run(progress=False, executor=executor())
    assert state is not None
    own = state.result[only]
    assert (type(own), own.message, own.result) == (type(returned), returned.message, returned.result)
    assert own.context["task_run_count"] == 1
    assert isinstance(state, states.Failed) == isinstance(returned, states.Failed)
    assert isinstance(state.result[after], states.Skipped if name == "Skipped" else states.Success)


def test_a_returned_failure_is_retried_and_a_returned_loop_goes_on() -> None:
    tries: list[tuple[int, int]] = []

    @task(max_retries=1, retry_delay=0)
    def work() -> object:
        tries.append((context.task_loop_count, context.task_run_count))
        if context.task_run_count == 1:
            return states.Failed("once")
        return states.Looped(result=context.task_loop_count) if context.task_loop_count < 2 else "done"

    with Flow("f") as flow:
        only = work()
    state = flow.run(progress=False)
    assert state is not None
    assert state.result[only].result == "done"
    assert tries == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_the_state_of_another_flow_is_that_of_the_task_that_ran_it() -> None:
    @task
    def fail() -> None:
        raise ValueError("inside")

    with Flow("inner") as inner:
        fail()

    @task
    def run_inner() -> State | None:
        return inner.run(progress=False)

    with Flow("outer") as outer:
        only = run_inner()
    state = outer.run(progress=False)
    assert state is not None
    assert isinstance(state.result[only], states.Failed)
    assert state.result[only].message == "Task fail-1 failed: ValueError: inside"
