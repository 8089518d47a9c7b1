"""Nothing inside a branch that is not taken runs, whatever it is made of; what comes after it follows the ordinary rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import note as hypothesis_note

from appliance import (
    FilterTask,
    Flow,
    Parameter,
    all_finished,
    always_run,
    any_failed,
    apply_map,
    case,
    flatten,
    ifelse,
    merge,
    not_all_skipped,
    resource_manager,
    some_successful,
    states,
    switch,
    task,
    unmapped,
)
from appliance.core.states import State
from appliance.core.task import Task
from appliance.engine.executors import Executor, LocalExecutor, ThreadExecutor
from tests import depth
from tests.unit.engine.graphs import FlowPlan, plans
from tests.unit.engine.graphs import build as build_plan
from tests.unit.engine.test_properties import QUICK, SEED

ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran_yet() -> Iterator[None]:
    ran.clear()
    yield


@task
def give(value: Any) -> Any:
    return value


@task
def note(value: Any = None) -> Any:
    ran.append(f"note {value}")
    return value


@task
def broken() -> None:
    raise ValueError("on purpose")


@task
def is_even(x: int) -> bool:
    return x % 2 == 0


unskippable = note.copy(skip_on_upstream_skip=False)


@resource_manager
class Desk:
    def setup(self) -> str:
        ran.append("setup")
        return "desk"

    def cleanup(self, _desk: str) -> None:
        ran.append("cleanup")


def piece(x: Any) -> Any:
    kind = is_even(x)
    with case(kind, True):
        even = note(x)
    with case(kind, False):
        odd = unskippable(x)
    return merge(even, odd)


INSIDE: dict[str, Callable[[Task], None]] = {}
"""By name: what stands in a branch. `outside` is a task that runs in any case."""


def inside(build: Callable[[Task], None]) -> Callable[[Task], None]:
    INSIDE[build.__name__.replace("_", " ")] = build
    return build


@inside
def merge_of_what_is_outside(outside: Task) -> None:
    note(merge(outside))


@inside
def merge_of_what_is_inside(outside: Task) -> None:
    unskippable(merge(note(outside), outside))


@inside
def own_skip_rule(outside: Task) -> None:
    unskippable(outside)


@inside
def own_skip_rule_further_in(outside: Task) -> None:
    unskippable(unskippable(note(outside)))


@inside
def own_triggers(outside: Task) -> None:
    for trigger in (all_finished, always_run, not_all_skipped, some_successful(at_least=1)):
        unskippable.copy(trigger=trigger)(outside)
    unskippable.copy(trigger=any_failed)(upstream_tasks=[broken()])


@inside
def own_trigger_rule(outside: Task) -> None:
    note.copy(trigger=lambda _upstream: True, skip_on_upstream_skip=False)(outside)


@inside
def a_map(outside: Task) -> None:
    unskippable.map([1, 2, 3])
    unskippable.map(note.map([1, 2]), upstream_tasks=[unmapped(outside)])


@inside
def a_flattened_map(outside: Task) -> None:
    unskippable.map(flatten(give([[1], [2]])))


@inside
def a_filter(outside: Task) -> None:
    note(FilterTask()([outside, note(1)]))


@inside
def collections(outside: Task) -> None:
    unskippable({"a": [outside, 1], "b": (note(1), outside)})


@inside
def a_resource(outside: Task) -> None:
    with Desk() as desk:
        unskippable(desk)


@inside
def an_empty_resource(outside: Task) -> None:
    with Desk():
        pass


@inside
def a_piece_per_element(outside: Task) -> None:
    unskippable(apply_map(piece, [1, 2, 3]))


@inside
def nested_case(outside: Task) -> None:
    with case(outside, "outside"):
        with case(outside, "outside"):
            unskippable(outside)
        inner = note(1)
    unskippable(merge(inner, outside))


@inside
def a_switch(outside: Task) -> None:
    one, other = unskippable(outside), unskippable(1)
    switch(outside, {"outside": one, "elsewhere": other})


@inside
def an_ifelse(outside: Task) -> None:
    ifelse(outside, [unskippable(1), unskippable(2)], unskippable(3))


@inside
def operators(outside: Task) -> None:
    unskippable(outside + "!")


@inside
def a_parameter(outside: Task) -> None:
    unskippable(Parameter("inside", default=1))


def build(kind: str, taken: bool) -> Flow:
    with Flow(kind) as flow:
        outside = give("outside")
        with case(give(taken), True):
            INSIDE[kind](outside)
    return flow


EXECUTORS = {"local": LocalExecutor, "threads": lambda: ThreadExecutor(3)}


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.parametrize("kind", INSIDE)
def test_nothing_inside_a_branch_that_is_not_taken_runs(kind: str, executor: Callable[[], Executor]) -> None:
    state = build(kind, taken=False).run(progress=False, executor=executor())
    assert ran == []
    assert isinstance(state, states.Success)
    own_states = [own for task_, own in state.result.items() if "note" in task_.name or "Desk" in task_.name]
    assert own_states
    assert all(own.is_skipped() for own in own_states)


@pytest.mark.parametrize("kind", INSIDE)
def test_the_same_runs_when_the_branch_is_taken(kind: str) -> None:
    build(kind, taken=True).run(progress=False)
    assert ran


@pytest.mark.parametrize("kind", INSIDE)
def test_nothing_inside_runs_when_the_condition_failed(kind: str) -> None:
    with Flow(kind) as flow:
        outside = give("outside")
        with case(broken(), True):
            INSIDE[kind](outside)
    state = flow.run(progress=False)
    assert ran == []
    assert isinstance(state, states.Failed)


@pytest.mark.parametrize("kind", INSIDE)
def test_a_branch_inside_a_branch_that_is_not_taken_does_not_run(kind: str) -> None:
    with Flow(kind) as flow:
        outside = give("outside")
        with case(outside, "elsewhere"), case(outside, "outside"):
            INSIDE[kind](outside)
    assert isinstance(flow.run(progress=False), states.Success)
    assert ran == []


@seed(SEED)
@settings(QUICK, max_examples=depth.examples(60))
@given(plan=plans())
def test_no_flow_at_all_runs_inside_a_branch_that_is_not_taken(plan: FlowPlan) -> None:
    hypothesis_note(f"APPLIANCE_TEST_SEED={SEED}, {plan!r}")
    inner, tasks, calls = build_plan(plan)
    with Flow("outer") as outer, case(give(1), 2):
        outer.update(inner)
    state = outer.run(progress=False)
    assert isinstance(state, states.Success)
    assert not +calls
    assert {type(state.result[one]) for one in tasks} == {states.Skipped}


def states_of(flow: Flow) -> dict[Task, State]:
    state = flow.run(progress=False)
    assert state is not None
    outcome: dict[Task, State] = state.result
    return outcome


def test_what_comes_after_a_branch_follows_its_own_rules() -> None:
    with Flow("f") as flow:
        with case(give(1), 2):
            branch = note("inside")
        skipped, anyway = note(branch), unskippable(branch)
        chosen = merge(branch, give("else"))
    outcome = states_of(flow)
    assert isinstance(outcome[skipped], states.Skipped)
    assert isinstance(outcome[anyway], states.Success)
    assert outcome[chosen].result == "else"
    assert ran == ["note None"]


def test_a_mapped_merge_takes_the_branch_that_was_mapped() -> None:
    with Flow("f") as flow:
        kind, numbers = give("b"), give([1, 2])
        with case(kind, "a"):
            one = note.map(numbers)
        with case(kind, "b"):
            other = note.map(numbers)
        with case(kind, "c"):
            third = note.map(numbers)
        chosen = merge(one, other, third, mapped=True)
        nothing = merge(one, third, mapped=True)
    outcome = states_of(flow)
    assert outcome[chosen].result == [1, 2]
    assert isinstance(outcome[nothing], states.Skipped)


def test_triggers_inside_a_branch_judge_only_what_their_task_waits_for() -> None:
    with Flow("f") as flow, case(give(1), 1):
        bad = broken()
        alarm = note.copy(trigger=any_failed)("alarm", upstream_tasks=[bad])
        with case(give(1), 2):
            one = note(1)
        with case(give(1), 3):
            other = note(2)
        neither = merge(one, other)
    outcome = states_of(flow)
    assert isinstance(outcome[alarm], states.Success)
    assert isinstance(outcome[neither], states.Skipped)


@pytest.mark.parametrize(("condition", "expected"), [(True, ["a", "b"]), (False, ["c"]), (None, ["c"])])
def test_a_list_of_tasks_is_a_branch(condition: Any, expected: list[str]) -> None:
    with Flow("f") as flow:
        one, other = [note("a"), note("b")], note("c")
        ifelse(give(condition), one, other)
        chosen = merge(one, other)
    assert states_of(flow)[chosen].result == (expected if condition else "c")
    assert ran == [f"note {name}" for name in expected]


def test_values_are_conditions_and_branches() -> None:
    with Flow("f") as flow:
        one, other = note("a"), note("b")
        switch("y", {"x": one, "y": {"of": [other]}, "z": "a value", "w": None})
        ifelse([], "a value", None)
    assert isinstance(flow.run(progress=False), states.Success)
    assert ran == ["note b"]
