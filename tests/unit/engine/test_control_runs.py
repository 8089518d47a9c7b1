"""Branches, filters, whole mapped pieces of flows, and what mapping makes of odd inputs, by running them."""

from __future__ import annotations

from typing import Any

import pytest

from appliance import FilterTask, Flow, apply_map, case, flatten, ifelse, merge, states, switch, task, unmapped
from appliance.core.errors import FlowBuildError
from appliance.core.states import State
from appliance.core.task import Task


@task
def give(value: Any) -> Any:
    return value


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def is_even(x: int) -> bool:
    return x % 2 == 0


def result_of(flow: Flow, task: Task) -> Any:
    state = flow.run()
    assert isinstance(state, states.Success), state
    return state.result[task].result


@pytest.mark.parametrize(("condition", "expected"), [(True, "yes"), (0, "no"), ([1], "yes"), (None, "no")])
def test_ifelse(condition: Any, expected: str) -> None:
    with Flow("f") as flow:
        yes, no = give("yes"), give("no")
        ifelse(give(condition), yes, no)
        chosen = merge(yes, no)
    assert result_of(flow, chosen) == expected


def test_ifelse_may_have_one_branch_only() -> None:
    with Flow("f") as flow:
        no = give("no")
        ifelse(give(True), None, no)
    state = flow.run()
    assert state is not None
    assert isinstance(state.result[no], states.Skipped)


def test_mapped_branches() -> None:
    with Flow("f") as flow:
        numbers = give([1, 2, 3, 4])
        even, odd = add.map(numbers, unmapped(100)), add.map(numbers, unmapped(-1))
        ifelse(is_even.map(numbers), even, odd, mapped=True)
        both = merge(even, odd, mapped=True)
        small, big = give.map(numbers), add.map(numbers)
        switch(numbers, {1: small, 4: big}, mapped=True)
        some = merge(small, big, mapped=True)
    state = flow.run()
    assert state is not None
    assert state.result[both].result == [0, 102, 2, 104]
    assert state.result[some].result == [1, None, None, 5]
    assert [child.is_skipped() for child in state.result[some].map_states] == [False, True, True, False]


@pytest.mark.parametrize("wanted", [True, False])
def test_mapping_inside_a_case(wanted: bool) -> None:
    ran: list[int] = []

    @task
    def note(x: int) -> None:
        ran.append(x)

    with Flow("f") as flow:
        condition = give(True)
        with case(condition, wanted):
            note.map([1, 2])
    assert isinstance(flow.run(), states.Success)
    assert ran == ([1, 2] if wanted else [])


def test_a_case_inside_a_case() -> None:
    with Flow("f") as flow:
        outer, inner = give(1), give(2)
        with case(outer, 1):
            with case(inner, 2):
                taken = give("taken")
            with case(inner, 3):
                left = give("left")
    state = flow.run()
    assert state is not None
    assert state.result[taken].result == "taken"
    assert isinstance(state.result[left], states.Skipped)


def test_a_filter_drops_none_and_exceptions(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def pick(x: int) -> int | None:
        if x == 2:
            raise ValueError("two")
        return None if x == 3 else x

    with Flow("f") as flow:
        picked = pick.map([0, 1, 2, 3, 4])
        kept = FilterTask()(picked)
        large = FilterTask(lambda x: x > 3, log_func=lambda large: f"{len(large)} is large enough: {large}")(kept)
    flow.set_reference_tasks([large])
    state = flow.run()
    assert state is not None
    assert state.result[kept].result == [0, 1, 4]
    assert state.result[large].result == [4]
    assert [line.getMessage() for line in caplog.records if "large" in line.getMessage()] == ["1 is large enough: [4]"]


def test_apply_map_maps_all_that_a_function_builds() -> None:
    calls: list[str] = []

    @task
    def tick() -> str:
        calls.append("tick")
        return "tick"

    with Flow("f") as flow:
        shared, numbers = give(1000), give([1, 2, 3])

        def piece(x: Any, y: Any, all_of: Any) -> tuple[Any, Any, Any]:
            with case(is_even(x), True):
                even = add(x, shared)
            with case(is_even(x), False):
                odd = add(x, y)
            return merge(even, odd), add([x, 0], all_of), tick()

        merged, lists, ticks = apply_map(piece, numbers, [10, 20, 30], all_of=unmapped([7]))
        total = give(merged)
    state = flow.run()
    assert isinstance(state, states.Success)
    assert state.result[total].result == [11, 1002, 33]
    assert state.result[lists].result == [[1, 0, 7], [2, 0, 7], [3, 0, 7]]
    assert state.result[ticks].result == ["tick"] * 3
    assert calls == ["tick"] * 3
    assert not [found for found in flow.tasks if type(found).__name__ == "_Argument"]


def test_apply_map_over_mapped_and_nested_results() -> None:
    with Flow("f") as flow:
        mapped = add.map([1, 2])
        first = apply_map(lambda x: add(add(x)), mapped)
        second = apply_map(add, flatten([[1], [2, 3], []]))
        nothing = apply_map(add, give([]))
        again = give(nothing)
    state = flow.run()
    assert isinstance(state, states.Success)
    assert state.result[first].result == [4, 5]
    assert state.result[second].result == [2, 3, 4]
    assert state.result[again].result == []


WIDTHS: dict[str, tuple[list[Any], list[Any], int]] = {
    "the first is shorter": ([1, 2], [10, 20, 30], 2),
    "the second is shorter": ([1, 2, 3], [10, 20], 2),
    "one is empty": ([], [10, 20], 0),
}


@pytest.mark.parametrize("name", WIDTHS)
def test_apply_map_stops_at_the_shortest_argument_whatever_its_tasks_use(name: str) -> None:
    first, second, width = WIDTHS[name]
    calls: list[Any] = []

    @task
    def note(x: Any = None) -> Any:
        calls.append(x)
        return x

    def piece(x: Any, y: Any) -> list[Any]:
        with case(is_even(x), True):
            inside = note(y)
        return [note(x), note(y), note(), merge(inside, y)]

    with Flow("f") as flow:
        pieces = apply_map(piece, first, give(second))
    state = flow.run()
    assert isinstance(state, states.Success)
    assert [state.result[one].n_map_states for one in pieces] == [width] * 4
    assert len(calls) == 3 * width + sum(x % 2 == 0 for x in first[:width])


def test_a_piece_of_apply_map_waits_for_all_its_arguments() -> None:
    from appliance import signals

    calls: list[Any] = []

    @task
    def late(y: int) -> int:
        if y == 1:
            raise ValueError("on purpose")
        if y == 2:
            raise signals.SKIP
        return y

    @task
    def note(x: Any) -> None:
        calls.append(x)

    with Flow("f") as flow:
        piece = apply_map(lambda x, y, whole: note(x), [0, 1, 2, 3], late.map([0, 1, 2, 3]), unmapped(give("whole")))
        never = apply_map(lambda x, whole: note(x), [0, 1], unmapped(late(2)))
    state = flow.run()
    assert state is not None
    kinds = [type(child).__name__ for child in state.result[piece].map_states]
    assert kinds == ["Success", "TriggerFailed", "Skipped", "Success"]
    assert isinstance(state.result[never], states.Skipped)
    assert calls == [0, 3]


def test_apply_map_inside_a_case_is_skipped_as_a_whole() -> None:
    with Flow("f") as flow:
        numbers = give([1, 2])
        with case(give(False), True):
            inside = apply_map(lambda x: add(add(x)), numbers)
    state = flow.run()
    assert state is not None
    assert isinstance(state.result[inside], states.Skipped)


def test_apply_map_says_what_it_can_not_do() -> None:
    with pytest.raises(FlowBuildError, match="outside a flow"):
        apply_map(add, [1])
    with Flow("f") as flow:
        with pytest.raises(FlowBuildError, match="can't be mapped inside apply_map"):
            apply_map(lambda x: add.map(x), [[1]])
        with pytest.raises(FlowBuildError, match="at least one argument"):
            apply_map(add, unmapped([1]))
    assert flow.tasks == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ab", ["a", "b"]),
        (b"ab", [97, 98]),
        (range(2), [0, 1]),
        ((), []),
        ([], []),
        ([[], []], [[], []]),
        (None, "NoneType"),
        ({"a": 1}, "dict"),
        ({1, 2}, "set"),
        (7, "int"),
    ],
)
def test_what_can_be_mapped_over(value: Any, expected: list[Any] | str) -> None:
    with Flow("f") as flow:
        mapped = give.map(give(value))
        constant = give.map(unmapped(1), upstream_tasks=[give(value)]) if value == () else mapped
        whole = give(mapped)
    state = flow.run()
    assert state is not None
    if isinstance(expected, str):
        assert isinstance(state.result[mapped], states.Failed)
        assert f"returned {expected}; return a list" in state.result[mapped].message
    else:
        assert state.result[constant] is not None
        assert state.result[whole].result == expected


def test_the_shortest_argument_decides_and_empty_lists_flatten_to_nothing() -> None:
    with Flow("f") as flow:
        short = add.map([1, 2, 3], [10, 20])
        flat = give.map(flatten([[], [1], []]))
        none = give.map(flatten([[], []]))
    state = flow.run()
    assert state is not None
    assert [state.result[found].result for found in (short, flat, none)] == [[11, 22], [1], []]


def test_retries_inside_a_loop_start_anew_in_each_round() -> None:
    from datetime import timedelta

    from appliance import context, signals

    tried: list[tuple[int, int]] = []

    @task(max_retries=1, retry_delay=timedelta(0))
    def rounds() -> int:
        tried.append((context.task_loop_count, context.task_run_count))
        if context.task_run_count == 1:
            raise ValueError("first try")
        if context.task_loop_count < 3:
            raise signals.LOOP(result=context.task_loop_count)
        return int(context.task_loop_result)

    with Flow("f") as flow:
        last = rounds()
    assert result_of(flow, last) == 2
    assert tried == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]


def test_run_names_know_the_date_and_the_child() -> None:
    from appliance import context

    @task(task_run_name="{x}-{map_index} {date:%Y} {flow_name}")
    def named(x: str) -> str:
        return str(context.task_run_name)

    with Flow("f") as flow:
        names = named.map(["a", "b"])
    first, second = result_of(flow, names)
    year = first.split()[1]
    assert (first, second) == (f"a-0 {year} f", f"b-1 {year} f")
    assert year.isdigit()


def test_signals_pass_except_exception() -> None:
    from appliance import signals

    @task
    def cautious() -> None:
        try:
            raise signals.SKIP("enough")
        except Exception:
            raise AssertionError from None

    with Flow("f") as flow:
        only = cautious()
    state: State | None = flow.run()
    assert state is not None
    assert isinstance(state.result[only], states.Skipped)
