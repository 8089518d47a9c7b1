"""`appliance.context`: as a mapping it has only what is set, so that a caller's default counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from appliance import Flow, context, signals, task

LOOKS: dict[str, Callable[[], Any]] = {
    "task_loop_result": lambda: context.get("task_loop_result", 0),
    "task_loop_count": lambda: context.get("task_loop_count", 7),
    "task_run_count": lambda: context.get("task_run_count", 7),
    "map_index": lambda: context.get("map_index", "none"),
    "resume": lambda: context.get("resume", "no"),
    "task_run_name": lambda: context.get("task_run_name", "unnamed"),
    "flow_run_name": lambda: context.get("flow_run_name", "unnamed"),
    "nonsense": lambda: context.get("nonsense", "nothing"),
    "mine": lambda: context.get("mine", "a default"),
}


@task
def look(_element: Any = None) -> dict[str, Any]:
    seen = {name: get() for name, get in LOOKS.items()}
    for name in LOOKS:
        assert (name in context) == (name in list(context)) == (name in dict(context)), name
        if name not in context:
            with pytest.raises(KeyError):
                context[name]
    assert len(context) == len(set(context))
    return seen


def looked(**options: Any) -> dict[str, Any]:
    with Flow("f") as flow:
        only = look()
    state = flow.run(progress=False, **options)
    assert state is not None
    assert state.is_successful(), state
    seen: dict[str, Any] = state.result[only].result
    return seen


def test_what_is_not_set_is_the_callers_default() -> None:
    expected = {
        "task_loop_result": 0,
        "task_loop_count": 1,
        "task_run_count": 1,
        "map_index": "none",
        "resume": "no",
        "task_run_name": "look-1",
        "flow_run_name": "unnamed",
        "nonsense": "nothing",
        "mine": "a default",
    }
    seen = looked()
    assert {name: seen[name] for name in expected if name != "flow_run_name"} == {
        name: value for name, value in expected.items() if name != "flow_run_name"
    }


@pytest.mark.parametrize("value", [None, 0, "", False])
def test_what_the_caller_of_the_run_set_is_there_even_if_it_is_none(value: Any) -> None:
    assert looked(context={"mine": value})["mine"] == value


def test_what_is_set_is_there() -> None:
    @task(task_run_name="the run")
    def rounds(_x: int) -> tuple[Any, ...]:
        if context.task_loop_count < 2:
            raise signals.LOOP(result=None)
        return (
            context["task_loop_result"],
            context["map_index"],
            context["task_run_name"],
            "task_loop_result" in context,
        )

    with Flow("f") as flow:
        only = rounds.map([1, 2])
    state = flow.run(progress=False)
    assert state is not None
    assert state.result[only].result == [(None, 0, "the run", True), (None, 1, "the run", True)]


def test_attributes_that_are_not_set_are_neutral() -> None:
    @task
    def neutral() -> tuple[Any, ...]:
        return context.task_loop_result, context.map_index, context.resume, context.task_run_name

    with Flow("f") as flow:
        only = neutral()
    state = flow.run(progress=False)
    assert state is not None
    assert state.result[only].result == (None, -1, False, "neutral-1")
    assert getattr(context, "map_index", "outside") == "outside"
    assert list(context) == ["logger"]
