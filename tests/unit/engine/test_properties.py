"""Random flows against a small model: final states and numbers of calls are the model's, on every executor and in every order.

`APPLIANCE_TEST_SEED=n` draws other flows; a failure prints the seed and the smallest flow that shows it.
"""

from __future__ import annotations

import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from appliance.core.states import Mapped, State
from appliance.engine.executors.executor import Call, Executor, Handle, Upstream, reduced
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.flow_runner import FlowRunner
from tests import depth
from tests.unit.engine.graphs import FlowPlan, build, plans
from tests.unit.engine.model import predict

SEED = int(os.environ.get("APPLIANCE_TEST_SEED", "4"))
QUICK = settings(
    max_examples=depth.examples(200),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    logger = logging.getLogger("appliance.run")
    logger.disabled = True
    yield
    logger.disabled = False


class _Open:
    """A call of the shuffled executor that may not have been made yet."""

    def __init__(self, call: Call, upstream: Upstream, args: tuple[Any, ...]) -> None:
        self.call, self.upstream, self.args = call, upstream, args
        self.state: State | None = None

    def ready(self) -> bool:
        return all(
            one.state is not None
            for value in self.upstream.values()
            for one in (value if isinstance(value, list) else [value])
            if isinstance(one, _Open)
        )


class ShuffledExecutor(Executor):
    """Makes one call at a time, each time any of those that could be made: every order that parallel work may finish in."""

    def __init__(self, order: random.Random) -> None:
        self._order = order
        self._open: list[_Open] = []

    def submit(self, call: Call, upstream: Upstream, *args: Any, map_index: int = -1) -> Handle:
        made = _Open(call, upstream, args)
        self._open.append(made)
        return made

    def wait(self, handles: Iterable[Handle]) -> list[State]:
        found = list(handles)
        while any(isinstance(one, _Open) and one.state is None for one in found):
            self._make(self._order.choice([one for one in self._open if one.ready()]))
        return [_settled(one) for one in found]

    def _make(self, chosen: _Open) -> None:
        states = {
            edge: reduced([_settled(one) for one in value]) if isinstance(value, list) else _settled(value)
            for edge, value in chosen.upstream.items()
        }
        state = chosen.call(states, *chosen.args)
        if self.due(state) is None:
            chosen.state = state
            self._open.remove(chosen)


def _settled(handle: Handle) -> State:
    state = handle.state if isinstance(handle, _Open) else handle
    assert isinstance(state, State)
    return state


Observed = tuple[str, list[tuple[str, list[str]]], Counter[tuple[int, int]]]


def observe(plan: FlowPlan, executor: Executor) -> Observed:
    """What a run of the plan came to: the flow's state, the tasks' with their children's, and the calls."""
    flow, tasks, calls = build(plan)
    final = FlowRunner(flow, executor).run()
    states = [final.result[task] for task in tasks]
    children = [one.map_states if isinstance(one, Mapped) else () for one in states]
    seen = [
        (type(state).__name__, [type(child).__name__ for child in own])
        for state, own in zip(states, children, strict=True)
    ]
    return type(final).__name__, seen, +calls


def expected(plan: FlowPlan) -> Observed:
    prediction = predict(plan)
    return prediction.flow, prediction.tasks, +prediction.calls


@pytest.mark.parametrize("make", [LocalExecutor, lambda: ThreadExecutor(3)], ids=["local", "threads"])
@seed(SEED)
@settings(QUICK)
@given(plan=plans())
def test_a_run_comes_to_what_the_rules_say(make: Callable[[], Executor], plan: FlowPlan) -> None:
    note(f"APPLIANCE_TEST_SEED={SEED}, {plan!r}")
    assert observe(plan, make()) == expected(plan)


@seed(SEED)
@settings(QUICK)
@given(plan=plans(), order=st.integers(0, 2**32))
def test_no_order_of_completion_changes_what_a_run_comes_to(plan: FlowPlan, order: int) -> None:
    note(f"APPLIANCE_TEST_SEED={SEED}, {plan!r}")
    first = observe(plan, ShuffledExecutor(random.Random(order)))
    second = observe(plan, ShuffledExecutor(random.Random(order + 1)))
    assert first == second == expected(plan)


def test_the_plans_reach_every_rule() -> None:
    """A model that is never asked proves nothing: every state, trigger and kind of edge occurs, also below a mapped task."""
    seen: Counter[str] = Counter()

    @seed(SEED)
    @settings(QUICK, max_examples=200)
    @given(plan=plans())
    def collect(plan: FlowPlan) -> None:
        prediction = predict(plan)
        for node, (name, children) in zip(plan.nodes, prediction.tasks, strict=True):
            seen.update(
                [name, node.trigger, *(f"child {child}" for child in children), *(kind for _, kind in node.edges)]
            )
        seen.update(["retried"] if max(prediction.calls.values(), default=0) > 1 else [])
        seen[f"flow {prediction.flow}"] += 1

    collect()
    for wanted in ("Success", "Failed", "Skipped", "TriggerFailed", "ValidationFailed", "Mapped"):
        assert seen[wanted], wanted
    for wanted in ("child Success", "child Failed", "child Skipped", "child TriggerFailed", "retried", "flow Success"):
        assert seen[wanted], wanted
