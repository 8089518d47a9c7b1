"""Triggers: every rule against the combinations of upstream states that tell them apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import combinations_with_replacement

import pytest

from appliance.core import triggers
from appliance.core.edge import Edge
from appliance.core.errors import TaskDefinitionError
from appliance.core.signals import PAUSE, SKIP, TRIGGERFAIL
from appliance.core.states import (
    Cached,
    Cancelled,
    Failed,
    Mapped,
    Pending,
    Skipped,
    State,
    Success,
    TimedOut,
    TriggerFailed,
)
from appliance.core.task import Task

OK, BAD, SKIPPED = Success(), Failed(), Skipped()


def upstream(*states: State) -> dict[Edge, State]:
    end = Task("end")
    return {Edge(Task(), end): state for state in states}


@pytest.mark.parametrize(
    ("trigger", "good", "refused"),
    [
        (triggers.all_successful, [(), (OK,), (OK, SKIPPED)], [(OK, BAD), (Pending(),)]),
        (triggers.all_failed, [(), (BAD, BAD)], [(OK, BAD)]),
        (triggers.any_successful, [(), (OK, BAD), (SKIPPED, BAD)], [(BAD,)]),
        (triggers.any_failed, [(), (OK, BAD)], [(OK, SKIPPED)]),
        (triggers.all_finished, [(), (OK, BAD)], [(OK, Pending())]),
        (triggers.not_all_skipped, [(), (OK, SKIPPED)], [(OK, BAD)]),
        (triggers.some_failed(at_least=2), [(), (BAD, BAD, OK)], [(BAD, OK, OK)]),
        (triggers.some_failed(at_most=1), [(OK, OK), (BAD, OK)], [(BAD, BAD)]),
        (triggers.some_failed(at_least=0.5), [(BAD, OK)], [(BAD, OK, OK)]),
        (triggers.some_successful(at_least=1, at_most=2), [(OK,), (OK, OK)], [(BAD,), (OK, OK, OK)]),
        (triggers.some_successful(at_most=0.5), [(OK, BAD)], [(OK, OK, BAD)]),
    ],
)
def test_trigger(trigger: triggers.Trigger, good: list[tuple[State, ...]], refused: list[tuple[State, ...]]) -> None:
    for states in good:
        assert trigger(upstream(*states)) is True
    for states in refused:
        with pytest.raises(TRIGGERFAIL, match='Trigger was "'):
            trigger(upstream(*states))


@pytest.mark.parametrize(
    ("trigger", "runs"),
    [
        (triggers.all_successful, False),
        (triggers.any_successful, True),
        (triggers.any_failed, True),
        (triggers.all_failed, False),
        (triggers.some_failed(at_least=1, at_most=1), True),
    ],
)
def test_a_reduced_task_stands_for_its_children(trigger: triggers.Trigger, runs: bool) -> None:
    states = upstream(Mapped(map_states=[OK, BAD]))
    if runs:
        assert trigger(states)
    else:
        with pytest.raises(TRIGGERFAIL):
            trigger(states)


def test_skip_and_pause() -> None:
    with pytest.raises(SKIP):
        triggers.not_all_skipped(upstream(SKIPPED, SKIPPED))
    with pytest.raises(PAUSE):
        triggers.manual_only({})
    assert triggers.always_run is triggers.all_finished


def test_manual_only_asks_when_its_trigger_holds() -> None:
    asks: list[tuple[triggers.Trigger, list[State]]] = [
        (triggers.manual_only, [OK, SKIPPED]),
        (triggers.manual_only(triggers.all_finished), [OK, BAD]),
        (triggers.manual_only(triggers.any_failed), [OK, BAD]),
    ]
    for trigger, states in asks:
        with pytest.raises(PAUSE, match="manual_only"):
            trigger(upstream(*states))
    for trigger in (triggers.manual_only, triggers.manual_only(triggers.all_successful)):
        with pytest.raises(TRIGGERFAIL):
            trigger(upstream(OK, BAD))
    assert triggers.manual_only(lambda _upstream: False)(upstream(OK)) is False
    assert triggers.manual_only(triggers.any_failed).__name__ == "manual_only(any_failed)"

    async def later(_upstream: object) -> bool:
        return True

    with pytest.raises(TaskDefinitionError, match="plain function"):
        triggers.manual_only(later)  # type: ignore[call-overload]


KINDS: dict[str, State] = {
    "ok": OK,
    "cached": Cached(),
    "skipped": SKIPPED,
    "bad": BAD,
    "late": TimedOut(),
    "refused": TriggerFailed(),
    "stopped": Cancelled(),
    "waiting": Pending(),
}
GOOD, WRONG = {"ok", "cached", "skipped"}, {"bad", "late", "refused"}


def _count(counts: Counter[str], kinds: set[str]) -> int:
    return sum(counts[kind] for kind in kinds)


RULES: dict[triggers.Trigger, Callable[[Counter[str]], bool]] = {
    triggers.all_successful: lambda c: _count(c, GOOD) == c.total(),
    triggers.all_failed: lambda c: _count(c, WRONG) == c.total(),
    triggers.any_successful: lambda c: not c or _count(c, GOOD) > 0,
    triggers.any_failed: lambda c: not c or _count(c, WRONG) > 0,
    triggers.all_finished: lambda c: not c["waiting"],
    triggers.not_all_skipped: lambda c: _count(c, GOOD) == c.total() and (not c or c["skipped"] < c.total()),
    triggers.some_failed(at_least=0.5): lambda c: 2 * _count(c, WRONG) >= c.total(),
    triggers.some_failed(at_least=1, at_most=2): lambda c: not c or 1 <= _count(c, WRONG) <= 2,
    triggers.some_failed(at_most=0): lambda c: not _count(c, WRONG),
    triggers.some_successful(at_most=0.5): lambda c: 2 * _count(c, GOOD) <= c.total(),
    triggers.some_successful(at_least=2): lambda c: not c or _count(c, GOOD) >= 2,
    triggers.some_successful(): lambda c: True,
}


@pytest.mark.parametrize("trigger", RULES, ids=lambda trigger: trigger.__name__)
def test_every_combination_of_up_to_four_upstream_states(trigger: triggers.Trigger) -> None:
    for width in range(5):
        for kinds in combinations_with_replacement(KINDS, width):
            states = [KINDS[kind] for kind in kinds]
            for given in (upstream(*states), upstream(Mapped(map_states=states)) if states else {}):
                try:
                    runs = trigger(given)
                except (TRIGGERFAIL, SKIP):
                    runs = False
                assert runs is RULES[trigger](Counter(kinds)), kinds


@pytest.mark.parametrize("bound", [-1, math.nan, True, "1"])
def test_bounds_must_be_counts_or_proportions(bound: float) -> None:
    with pytest.raises(TaskDefinitionError, match="must be counts"):
        triggers.some_failed(at_least=bound)
    with pytest.raises(TaskDefinitionError, match="must be counts"):
        triggers.some_successful(at_most=bound)


@pytest.mark.parametrize("factory", [triggers.some_failed, triggers.some_successful])
def test_manual_only_takes_no_trigger_that_was_not_made(factory: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match=f"{factory.__name__} must be called first; write {factory.__name__}"):
        triggers.manual_only(factory)
