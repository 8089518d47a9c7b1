"""`task_states` continues an earlier run; entries that fit no task of the flow are refused, and children that are gone are named."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from appliance import Flow, Parameter, task
from appliance.core.states import Failed, Mapped, State, Success
from appliance.core.task import Task


@task
def add(x: int) -> int:
    return x + 1


def example() -> tuple[Flow, Task, Task]:
    with Flow("f") as flow:
        numbers = Parameter("numbers", default=[1, 2])
        added = add.map(numbers)
        last = task(sum)(added)
    return flow, added, last


def run(flow: Flow, **options: Any) -> State:
    state = flow.run(progress=False, **options)
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (("nope-1", -1), "no such task; its tasks are 'numbers', 'add-1', 'sum-1'"),
        (("ad-1", -1), "did you mean 'add-1'"),
        (("sum-1", 0), r"child 0 of 'sum-1', which is not mapped; use \('sum-1', -1\)"),
        (("add-1", -2), r"must be \(slug, map index\)"),
        (("add-1", "0"), r"must be \(slug, map index\)"),
        (("add-1", True), r"must be \(slug, map index\)"),
        (("add-1",), r"must be \(slug, map index\)"),
        ("add-1", r"must be \(slug, map index\)"),
        (Task("stranger"), "'stranger', which is not in flow 'f'"),
    ],
    ids=str,
)
def test_a_key_that_fits_no_task_is_refused(key: Any, says: str) -> None:
    flow, _added, _last = example()
    with pytest.raises((ValueError, TypeError), match=says):
        run(flow, task_states={key: Success(result=1)})


def test_what_is_no_state_is_refused() -> None:
    flow, _added, _last = example()
    with pytest.raises(TypeError, match=r"task_states has 3 .* it must be a state"):
        run(flow, task_states={("sum-1", -1): 3})


def test_states_by_slug_are_kept() -> None:
    flow, added, last = example()
    earlier = {("add-1", -1): Mapped(n_map_states=2), ("add-1", 0): Success(result=10)}
    state = run(flow, task_states=earlier)
    assert (state.result[added].result, state.result[last].result) == ([10, 3], 13)


def test_states_by_task_are_kept_with_those_of_the_children() -> None:
    flow, added, last = example()
    earlier = Mapped(map_states=(Success(result=10), Failed("lost")))
    state = run(flow, task_states={added: earlier})
    assert state.is_failed()
    assert [child.is_failed() for child in state.result[added].map_states] == [False, True]
    first = run(flow)
    assert run(flow, task_states=first.result).result[last].result == 5


def test_a_child_that_the_mapped_task_does_not_have_is_named(caplog: pytest.LogCaptureFixture) -> None:
    flow, added, _last = example()
    with caplog.at_level(logging.WARNING):
        state = run(flow, task_states={("add-1", 1): Success(result=10), ("add-1", 7): Success(result=10)})
    assert state.result[added].result == [2, 10]
    assert "child 7 of task 'add-1', which has only 2 children; it was not used" in caplog.text
    assert "child 1" not in caplog.text


@pytest.mark.parametrize("name", ["task_name", "map_index", "task_run_count", "resume"])
def test_context_of_each_task_run_is_not_to_be_set(name: str) -> None:
    flow, _added, _last = example()
    with pytest.raises(ValueError, match=f"context can't set '{name}'"):
        run(flow, context={name: 1})


@pytest.mark.parametrize("option", ["progress", "run_on_schedule", "runner_class"])
def test_other_options_of_run_are_checked(option: str) -> None:
    flow, _added, _last = example()
    with pytest.raises(TypeError, match=f"{option} is an option of flow.run"):
        flow.run(**{option: "x"})
