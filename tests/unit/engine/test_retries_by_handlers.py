"""A retry that user code asks for counts like any other: the next attempt, maybe in another process, goes on where this one stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from appliance import Flow, context, signals, task
from appliance.core.run_context import FlowRunContext
from appliance.core.states import Failed, Retrying, Running, State
from appliance.engine.task_runner import TaskRunner
from appliance.kit import clock

LATER = timedelta(hours=1)


def attempts(fn: Callable[[], Any], count: int, **options: Any) -> list[State]:
    """The states in which the attempts of a task end, each made by a new runner from the last state, as after a restart."""
    with Flow("f") as flow:
        only = task(fn, name="only", max_retries=2, retry_delay=LATER, **options)()
    ends: list[State] = []
    earlier: dict[tuple[str, int], State] = {}
    for _ in range(count):
        runner = TaskRunner(FlowRunContext("f", {}), flow.slugs, flow.constants, lambda: False, earlier)
        runner.longest_wait = 5
        state = runner.run({}, only)
        ends.append(state)
        if not isinstance(state, Retrying):
            break
        earlier = {("only-1", -1): replace(state, start_time=clock.now())}
    return ends


def fail() -> None:
    raise ValueError(context.task_run_count)


def retry() -> None:
    raise signals.RETRY(start_time=clock.now() + LATER)


def on(kind: type[State], *, raised: bool) -> Callable[..., State | None]:
    def handler(_task: Any, _old: State, new: State) -> State | None:
        if type(new) is not kind:
            return None
        if raised:
            raise signals.RETRY(start_time=clock.now() + LATER)
        return Retrying(start_time=clock.now() + LATER)

    return handler


@pytest.mark.parametrize(
    ("fn", "handlers"),
    [
        (retry, []),
        *((fail, [on(kind, raised=raised)]) for kind in (Running, Failed) for raised in (True, False)),
    ],
)
def test_every_retry_counts(fn: Callable[[], Any], handlers: list[Any]) -> None:
    ends = attempts(fn, 4, state_handlers=handlers)
    assert [(state.run_count, state.context["task_run_count"]) for state in ends if isinstance(state, Retrying)] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
    ]


@pytest.mark.parametrize("raised", [True, False])
def test_max_retries_ends_with_a_handler_that_replaces_the_delay(raised: bool) -> None:
    ends = attempts(fail, 9, state_handlers=[on(Retrying, raised=raised)])
    assert [type(state) for state in ends] == [Retrying, Retrying, Failed]
    assert str(ends[-1].result) == "3"


def test_a_retry_by_a_handler_continues_the_round_of_a_loop() -> None:
    def loop() -> int:
        if context.task_loop_count < 3:
            raise signals.LOOP(result=context.task_loop_count)
        if context.task_run_count == 1:
            raise ValueError
        return 10 * context.task_loop_count + context.task_loop_result

    ends = attempts(loop, 3, state_handlers=[on(Failed, raised=True)])
    assert [type(state).__name__ for state in ends] == ["Retrying", "Success"]
    assert ends[-1].result == 32


def test_a_handler_that_returns_a_time_without_a_zone_fails_the_task() -> None:
    def handler(_task: Any, _old: State, new: State) -> State | None:
        return Retrying(start_time=datetime(2030, 1, 1)) if isinstance(new, Failed) else None  # noqa: DTZ001

    (state,) = attempts(fail, 1, state_handlers=[handler])
    assert isinstance(state, Failed)
    assert "must be a datetime with a time zone offset" in str(state.message)
