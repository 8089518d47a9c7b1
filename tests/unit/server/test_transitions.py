"""The transition table, whole: every type to every type, by whom, and the histories that can come of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.protocol import TERMINAL
from appliance.server.domain.transitions import (
    FLOW,
    LIVE,
    PASSING_NAMES,
    TYPES,
    Accept,
    Facts,
    Proposed,
    Refuse,
    Wait,
    decide,
    task_may_follow,
)

# Rows: from; columns: to, in the order of TYPES. y: yes, n: never.
#              SCHED PEND PAUS RUN  CANC  SUCC FAIL CANCELLED
PICTURE = {
    "SCHEDULED": "y y y n n n y y",
    "PENDING": "y y n y y n y y",
    "PAUSED": "y n y n n n n y",
    "RUNNING": "y n y y y y y y",
    "CANCELLING": "n n n n n y y y",
    "SUCCESS": "n n n n n n n n",
    "FAILED": "n n n n n n n n",
    "CANCELLED": "n n n n n n n n",
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TYPES, TYPES)))
def test_the_table_is_the_picture(before: str, after: str) -> None:
    allowed = PICTURE[before].split()[TYPES.index(after)] == "y"
    verdict = decide(Facts(before, before.title(), attempt=1), Proposed(after, after.title(), attempt=1))
    if allowed:
        assert verdict == Accept(after, after.title())
    else:
        assert isinstance(verdict, Refuse)
        assert verdict.code == ("final" if before in TERMINAL else "not_allowed")
        assert verdict.sentence.endswith(".")


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TYPES, TYPES)))
def test_only_a_restart_by_a_person_leads_on_from_an_end(before: str, after: str) -> None:
    by_person = decide(Facts(before, "x", attempt=1), Proposed(after, after.title(), restart=True))
    if before in TERMINAL:
        assert isinstance(by_person, Accept if after == "SCHEDULED" else Refuse)
    else:
        assert by_person == decide(Facts(before, "x", attempt=1), Proposed(after, after.title()))
    by_run = decide(Facts(before, "x", attempt=1), Proposed(after, after.title(), attempt=1, restart=True))
    assert isinstance(by_run, Refuse) or before not in TERMINAL


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TYPES, TYPES)))
@pytest.mark.parametrize("attempt", [0, 2])
def test_a_replaced_attempt_moves_nothing(before: str, after: str, attempt: int) -> None:
    verdict = decide(Facts(before, "x", attempt=1), Proposed(after, "y", attempt=attempt))
    assert isinstance(verdict, Refuse) and verdict.code == "stale_attempt"


@pytest.mark.parametrize("before", TYPES)
def test_a_cancel_from_outside(before: str) -> None:
    verdict = decide(Facts(before, "x", attempt=1), Proposed("CANCELLED", "Cancelled"))
    if before in TERMINAL:
        assert isinstance(verdict, Refuse) and verdict.code == "final"
    elif before in ("PENDING", "RUNNING"):
        assert verdict == Accept("CANCELLING", "Cancelling")
    else:
        assert verdict == Accept("CANCELLED", "Cancelled")


@pytest.mark.parametrize(("before", "after"), [("SCHEDULED", "PENDING"), ("PENDING", "RUNNING")])
def test_a_hold_has_a_start_wait(before: str, after: str) -> None:
    verdict = decide(Facts(before, "x", 1, hold="The flow is paused."), Proposed(after, "y", 1))
    assert verdict == Wait("The flow is paused.", 10.0)
    assert isinstance(decide(Facts("RUNNING", "x", 1, hold="Paused."), Proposed("SUCCESS", "y", 1)), Accept)


def test_terminal_is_final_and_everything_else_can_end() -> None:
    assert set(FLOW) == set(TYPES)
    for before, after in FLOW.items():
        assert (after == frozenset()) == (before in TERMINAL)
    reachable = {before: {before} for before in TYPES}
    for _ in TYPES:
        for before in TYPES:
            reachable[before] |= {end for step in FLOW[before] for end in reachable[step]}
    assert all("CANCELLED" in reachable[before] for before in TYPES if before not in TERMINAL)
    assert {"PENDING", "RUNNING", "CANCELLING"} == LIVE


@given(st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from([None, 0, 1, 2])), max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_history_goes_on_after_its_end(asked: list[tuple[str, int | None]]) -> None:
    state, seen = "SCHEDULED", ["SCHEDULED"]
    for type, attempt in asked:
        verdict = decide(Facts(state, state, 1), Proposed(type, type, attempt))
        if isinstance(verdict, Accept):
            state = verdict.type
            seen.append(state)
    ends = [index for index, type in enumerate(seen) if type in TERMINAL]
    assert ends in ([], [len(seen) - 1])


@pytest.mark.parametrize(("before", "same_attempt"), list(itertools.product(TYPES, [True, False])))
def test_a_finished_task_stays_within_its_attempt(before: str, same_attempt: bool) -> None:
    assert task_may_follow(before, "Success", same_attempt) == (before not in TERMINAL or not same_attempt)
    for name in PASSING_NAMES:
        assert task_may_follow(before, name, same_attempt)
