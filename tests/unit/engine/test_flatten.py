"""`flatten`: a part of a result that has nothing to flatten concerns its own element, in a map and in a reduce."""

from __future__ import annotations

from typing import Any

import pandas
import pytest

from appliance import FilterTask, Flow, all_finished, flatten, signals, states, task, unmapped
from appliance.core.states import Mapped, State
from appliance.core.task import Task
from appliance.engine.executors import Executor, LocalExecutor, ThreadExecutor
from appliance.engine.flow_runner import earlier_states


@task
def same(x: Any) -> Any:
    return x


@task
def pairs(n: int, odd: Any) -> Any:
    """Two of each number; for 1, whatever `odd` is or raises."""
    if n != 1:
        return [n, n]
    if isinstance(odd, BaseException):
        raise odd
    return odd


def run(flow: Flow, executor: Executor | None = None) -> dict[Task, State]:
    state = flow.run(progress=False, executor=executor)
    assert state is not None
    outcome: dict[Task, State] = state.result
    return outcome


ODD: dict[str, tuple[Any, list[str], str]] = {
    "skipped": (signals.SKIP("nothing here"), [], ""),
    "failed": (ValueError("broken"), ["TriggerFailed"], "Look at 'pairs'"),
    "None": (None, ["TriggerFailed"], "child 1 of task 'pairs' returned NoneType; return a list."),
    "a number": (7, ["TriggerFailed"], "child 1 of task 'pairs' returned int; return a list."),
    "a dict": ({"a": 1}, ["TriggerFailed"], "child 1 of task 'pairs' returned dict; return a list."),
    "a set": ({1}, ["TriggerFailed"], "child 1 of task 'pairs' returned set; return a list."),
    "a table": (pandas.DataFrame({"a": [1]}), ["TriggerFailed"], "return its rows, such as frame.to_dict("),
    "a text": ("xy", ["Success", "Success"], ""),
    "empty": ([], [], ""),
    "short": ([5], ["Success"], ""),
}
"""By name: what one child comes to, what its elements become, and what they say."""


@pytest.mark.parametrize("executor", [LocalExecutor(), ThreadExecutor(3)], ids=["local", "threads"])
@pytest.mark.parametrize("name", ODD)
def test_one_child_that_has_nothing_to_flatten_concerns_its_own_element(name: str, executor: Executor) -> None:
    odd, own, sentence = ODD[name]
    with Flow("f") as flow:
        mapped = same.map(flatten(pairs.map([0, 1, 2], unmapped(odd))))
    state = run(flow, executor)[mapped]
    assert isinstance(state, Mapped)
    kinds = [type(child).__name__ for child in state.map_states]
    assert kinds == ["Success", "Success", *own, "Success", "Success"]
    assert [child.result for child in state.map_states][:2] == [0, 0]
    assert [child.result for child in state.map_states][-2:] == [2, 2]
    for child in state.map_states[2:-2]:
        assert sentence in (child.message or "")


@pytest.mark.parametrize(
    ("name", "kind", "result"),
    [
        ("skipped", "Success", [0, 0, 2, 2]),
        ("failed", "TriggerFailed", None),
        ("None", "TriggerFailed", None),
        ("empty", "Success", [0, 0, 2, 2]),
        ("short", "Success", [0, 0, 5, 2, 2]),
    ],
)
def test_a_reduce_gets_all_elements_or_says_which_one_is_missing(name: str, kind: str, result: Any) -> None:
    odd, _, sentence = ODD[name]
    with Flow("f") as flow:
        reduced = same(unmapped(flatten(pairs.map([0, 1, 2], unmapped(odd)))))
    state = run(flow)[reduced]
    assert type(state).__name__ == kind, state
    if result is None:
        assert sentence in (state.message or "")
    else:
        assert state.result == result


@pytest.mark.parametrize("name", ["failed", "None", "a number"])
def test_a_reduce_that_runs_anyway_gets_the_reason_in_place_of_the_elements(name: str) -> None:
    with Flow("f") as flow:
        flat = unmapped(flatten(pairs.map([0, 1, 2], unmapped(ODD[name][0]))))
        anyway = same.copy(trigger=all_finished)(flat)
        usable = FilterTask()(flat)
    states_ = run(flow)
    result = states_[anyway].result
    assert result[:2] == [0, 0]
    assert isinstance(result[2], Exception)
    assert result[3:] == [2, 2]
    assert states_[usable].result == [0, 0, 2, 2]


PLAIN: dict[str, tuple[Any, str]] = {
    "an item that is None": (
        [[1], None, [2]],
        "item 1 of what task 'same' returned is NoneType; return a list of lists.",
    ),
    "an item that is a number": ([[1], 5], "item 1 of what task 'same' returned is int; return a list of lists."),
    "an item that is a dict": ([[1], {"a": 2}], "item 1 of what task 'same' returned is dict; return a list of lists."),
    "a dict": ({"ab": [1]}, "task 'same' returned dict; return a list of lists."),
    "a number": (5, "task 'same' returned int; return a list of lists."),
    "nothing": (None, "task 'same' returned NoneType; return a list of lists."),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_result_that_is_not_nested_is_refused_and_named(name: str) -> None:
    value, sentence = PLAIN[name]
    with Flow("f") as flow:
        given = same(value)
        mapped, reduced = same.map(flatten(given)), same(unmapped(flatten(given)))
    outcome = run(flow)
    assert type(outcome[mapped]) is states.Failed
    assert outcome[mapped].message == f"At least one upstream state has an unmappable result: {sentence}"
    assert isinstance(outcome[reduced], states.TriggerFailed)
    assert sentence in (outcome[reduced].message or "")


def test_a_retried_reduce_gets_the_same_elements_again() -> None:
    tries: list[list[int]] = []

    @task(max_retries=1, retry_delay=0)
    def total(values: list[int]) -> int:
        tries.append(values)
        if len(tries) == 1:
            raise ConnectionError
        return sum(values)

    with Flow("f") as flow:
        last = total(unmapped(flatten(pairs.map([0, 1, 2], unmapped([5])))))
    assert run(flow)[last].result == 9
    assert tries == [[0, 0, 5, 2, 2]] * 2


@pytest.mark.parametrize("fixed", [[1, 1], [], [5]])
def test_a_run_that_continues_gives_each_element_its_own_child_again(fixed: list[int]) -> None:
    broken: list[bool] = [True]

    @task
    def maybe(n: int) -> list[int]:
        if n == 1 and broken:
            raise ConnectionError
        return fixed if n == 1 else [n, n]

    with Flow("f") as flow:
        parts = maybe.map([0, 1, 2])
        flat = same.map(flatten(parts))
        after = same.map(flat)
    first = earlier_states(flow, run(flow))
    broken.clear()
    again = {key: state for key, state in first.items() if not state.is_failed()}
    state = flow.run(progress=False, task_states=again)
    assert state is not None
    assert [state.result[task_].result for task_ in (flat, after)] == [[0, 0, *fixed, 2, 2]] * 2
