"""Options of tasks: what they may be, how long retries wait, and what a task refuses while the flow is being built."""

from __future__ import annotations

import functools
import math
import pickle
import warnings
from datetime import timedelta
from typing import Any

import pytest

from appliance import Flow, LocalResult, Task, all_inputs, exponential_backoff, signals, states, tags, task
from appliance.core.errors import FlowBuildError, NoActiveFlowError, TaskDefinitionError

SECOND = timedelta(seconds=1)


def waits(delay: Any, counts: range = range(1, 6), **options: Any) -> list[float]:
    made = Task(max_retries=9, retry_delay=delay, **options)
    return [made.retry_wait(count).total_seconds() for count in counts]


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        (2, [2, 2, 2, 2, 2]),
        (timedelta(minutes=1), [60, 60, 60, 60, 60]),
        ([1, timedelta(seconds=5), 9], [1, 5, 9, 9, 9]),
        (exponential_backoff(1), [1, 2, 4, 8, 16]),
        (exponential_backoff(SECOND, factor=3, limit=10), [1, 3, 9, 10, 10]),
        (exponential_backoff(4, factor=1), [4, 4, 4, 4, 4]),
    ],
)
def test_delays(delay: Any, expected: list[float]) -> None:
    assert waits(delay) == expected


def test_delays_after_very_many_tries_stay_within_their_limit() -> None:
    made = Task(max_retries=1, retry_delay=exponential_backoff(0.5, factor=1.5))
    assert made.retry_wait(100_000) == timedelta(days=365)


@pytest.mark.parametrize(("draw", "expected"), [(0.0, 5.0), (0.5, 10.0), (0.75, 12.5)])
def test_jitter_spreads_the_delay_either_way(draw: float, expected: float) -> None:
    made = Task(max_retries=1, retry_delay=10, retry_jitter=0.5)
    assert made.retry_wait(1, draw=lambda: draw).total_seconds() == expected
    assert 5 <= made.retry_wait(1).total_seconds() <= 15


RETRIED: dict[str, Any] = {"max_retries": 1, "retry_delay": 1}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        *(({"timeout": value}, "timeout must be more than zero") for value in (0, -1, 1e18, math.nan, math.inf)),
        *(({"max_retries": value, "retry_delay": 1}, "max_retries must be") for value in (-1, 10**9, 1.5, True, "3")),
        *((RETRIED | {"retry_delay": value}, "between 0 seconds and 365") for value in (-1, 1e18, math.nan, [1, -1])),
        (RETRIED | {"retry_delay": []}, "empty list"),
        (RETRIED | {"retry_delay": "1s"}, "retry_delay must be"),
        *((RETRIED | {"retry_jitter": value}, "retry_jitter must be") for value in (-0.1, 1.1, math.nan, True, "a")),
        (RETRIED | {"retry_on": ["ValueError"]}, "retry_on must be"),
        (RETRIED | {"retry_on": 3}, "retry_on must be"),
        ({"max_retries": 1}, "no retry_delay"),
        ({"retry_delay": 0}, "no max_retries"),
        ({"retry_jitter": 0.5}, "no max_retries"),
        ({"retry_on": ValueError}, "no max_retries"),
        ({"cache_for": 60}, "cache_for must be a timedelta"),
        ({"cache_for": timedelta(0)}, "cache_for must be more"),
        ({"cache_for": SECOND, "cache_validator": "all"}, "cache_validator must be"),
        ({"cache_key": 1}, "cache_key must be"),
        ({"result": "file:///x"}, "result must be a place"),
        ({"target": 3}, "target must be a template"),
        ({"task_run_name": 3}, "task_run_name must be"),
        ({"trigger": "all_failed"}, "trigger must be"),
        ({"nout": -1}, "nout must be"),
        ({"tags": "one"}, "tags must be"),
        ({"tags": [1]}, "tags must be"),
        ({"state_handlers": ["x"]}, "state_handlers must be"),
        ({"on_failure": "x"}, "on_failure must be"),
    ],
)
def test_what_can_not_be_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises((TaskDefinitionError, TypeError), match=says):
        Task(**options)
    if "on_failure" not in options:
        with pytest.raises((TaskDefinitionError, TypeError), match=says):
            Task().copy(**options)


def test_bounds_of_back_off() -> None:
    for arguments in ((0,), (-1,), (1, 0.5), (1, math.nan), (10, 2, 5)):
        with pytest.raises(TaskDefinitionError, match="exponential_backoff must"):
            exponential_backoff(*arguments)


def test_options_without_effect_warn() -> None:
    with pytest.warns(UserWarning, match="is not cached"):
        Task(cache_validator=all_inputs)
    with pytest.warns(UserWarning, match="the target is used"):
        Task(result=LocalResult(location="a"), target="b")


def test_options_are_kept_by_copies_and_changed_by_task_args() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Task(cache_for=SECOND, cache_key="k", target="t", **RETRIED)
    new = made.copy(retry_delay=[1, 2], timeout=SECOND, tags=["b"])
    assert (new.cache_for, new.cache_key, new.target, new.timeout) == (SECOND, "k", "t", 1.0)
    assert new.tags == {"b"}
    assert (new.retry_wait(2), made.retry_wait(2)) == (2 * SECOND, SECOND)


def test_options_as_class_attributes() -> None:
    class Cached(Task):
        cache_for = SECOND

        def run(self) -> None: ...

    assert (Cached().cache_for, Cached(cache_for=2 * SECOND).cache_for) == (SECOND, 2 * SECOND)


@pytest.mark.parametrize("retry_state", [signals.RETRY, signals.PAUSE])
def test_times_without_an_offset_are_refused(retry_state: Any) -> None:
    from datetime import datetime

    with pytest.raises(ValueError, match="time zone offset"):
        retry_state(start_time=datetime(2026, 1, 1))  # noqa: DTZ001 - what is being tested


class Adder:
    def __init__(self, by: int) -> None:
        self.by = by

    def add(self, x: int) -> int:
        return x + self.by

    @classmethod
    def one(cls, x: int) -> int:
        return cls(1).add(x)

    __call__ = add


@pytest.mark.parametrize(
    ("made_of", "name", "result"),
    [
        (Adder(2).add, "add", 5),
        (Adder.one, "one", 4),
        (functools.partial(max, 9), "max", 9),
        (Adder(3), "Adder", 6),
        (lambda x: x, "<lambda>", 3),
    ],
)
def test_what_a_task_can_be_made_of(made_of: Any, name: str, result: int) -> None:
    made = task(made_of)
    assert (made.name, made.run(3)) == (name, result)


def test_a_task_is_no_value_while_the_flow_is_being_built() -> None:
    @task
    def number() -> int:
        return 1

    with Flow("f") as flow:
        one, two = number(), number()
        for wrong in (lambda: bool(one), lambda: 0 < one < 2, lambda: one or two, lambda: sorted([one, two])):
            with pytest.raises(FlowBuildError, match="has no result while"):
                wrong()
        with pytest.raises(FlowBuildError, match="can't be searched"):
            1 in one  # noqa: B015 - what is being tested
        with pytest.raises(TypeError, match="nout"):
            _first, _second = one
    assert one in flow.tasks
    assert {one: 1}[one] == 1


def test_unpacking_by_annotation() -> None:
    @task
    def pair() -> tuple[int, str]:
        return 1, "a"

    with Flow("f") as flow:
        number, text = pair()
    state = flow.run()
    assert state is not None
    assert (state.result[number].result, state.result[text].result) == (1, "a")


def test_wrong_calls_say_what_to_do() -> None:
    @task
    def one(x: int) -> int:
        return x

    class Own(Task):
        def run(self, x: int) -> int:
            return x

    with pytest.raises(NoActiveFlowError, match=r"task\.run\(\)"):
        one(1)
    with Flow("f"):
        calls: list[tuple[tuple[int, ...], dict[str, Any]]] = [((), {}), ((1, 2), {}), ((), {"y": 1})]
        for args, kwargs in calls:
            with pytest.raises(FlowBuildError, match="can't be called like this"):
                one(*args, **kwargs)
        with pytest.raises(TaskDefinitionError, match=r"Own\(\)\(\.\.\.\)"):
            Own(one(1))  # type: ignore[arg-type]


def test_tags_by_context() -> None:
    with Flow("f"), tags("a", "b"):
        made = Task(tags=["c"])
    assert made.tags == {"a", "b", "c"}


@pytest.mark.parametrize("name", ["FAIL", "TRIGGERFAIL", "VALIDATIONFAIL", "SUCCESS", "SKIP", "RETRY", "PAUSE", "LOOP"])
def test_signals_travel(name: str) -> None:
    signal = getattr(signals, name)("because", result=None if "FAIL" in name else [1])
    found = pickle.loads(pickle.dumps(signal))
    assert (type(found), found.args) == (type(signal), ("because",))
    assert (type(found.state), found.state.message) == (type(signal.state), "because")
    if "FAIL" in name:
        assert found.state.result is found


class Demanding(signals.FAIL):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} {second}")


def test_signals_of_ones_own_travel() -> None:
    found = pickle.loads(pickle.dumps(Demanding(1, 2)))
    assert isinstance(found, Demanding)
    assert isinstance(found.state, states.Failed)
