"""Triggers: every rule against the combinations of upstream states that tell them apart."""

from __future__ import annotations

import pytest

from appliance.core import triggers
from appliance.core.edge import Edge
from appliance.core.signals import PAUSE, SKIP, TRIGGERFAIL
from appliance.core.states import Failed, Mapped, Pending, Skipped, State, Success
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
