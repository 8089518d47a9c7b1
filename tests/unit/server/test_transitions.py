"""The transition table, whole: every type to every type, by whom, and the histories that can come of it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.protocol.state_change import StateChange
from appliance.protocol.states import TERMINAL
from appliance.server.db.conditions import LIVE_NOW, MAY_BE_CLAIMED, MAY_BE_LATE, has_type
from appliance.server.domain.transitions import (
    CLAIM,
    FIRST,
    FLOW,
    HANDED_BACK,
    LATE,
    LIVE,
    PASSING_NAMES,
    TYPES,
    Accept,
    BulkChange,
    Facts,
    Proposed,
    Refuse,
    Wait,
    accepted,
    decide,
    end_of_open_tasks,
    ends_attempt,
    task_may_follow,
)
from tests import depth

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

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


def _expected(facts: Facts, proposed: Proposed) -> str:
    """What the rules say, told another way: by the picture, one exception after the other."""
    outside = proposed.attempt is None
    ended = facts.type in TERMINAL
    if not outside and proposed.attempt != facts.attempt:
        return "stale_attempt"
    if proposed.seen not in (None, facts.version):
        return "changed"
    if proposed.mark and outside:
        if facts.type in LIVE:
            return "live"
        return proposed.type if proposed.type in TERMINAL else "not_allowed"
    if ended:
        return "SCHEDULED" if proposed.restart and outside and proposed.type == "SCHEDULED" else "final"
    if outside and proposed.type == "CANCELLED" and facts.type in ("PENDING", "RUNNING"):
        return "CANCELLING"
    if PICTURE[facts.type].split()[TYPES.index(proposed.type)] == "n":
        return "not_allowed"
    if facts.cancel_requested and facts.type in LIVE and proposed.type in ("SCHEDULED", "PENDING", "PAUSED", "RUNNING"):
        return "cancelling"
    if facts.hold and proposed.type in ("PENDING", "RUNNING"):
        return "wait"
    return proposed.type


@pytest.mark.parametrize("before", TYPES)
def test_every_combination(before: str) -> None:
    """Of state, proposal, attempt, version, hold or missing slot, cancel flag, restart and mark: 1,536 verdicts for each type."""
    judged = 0
    for cancel, hold in itertools.product((False, True), ("", "The limit is reached.")):
        facts = Facts(before, "Before", 1, hold, version=4, cancel_requested=cancel)
        for after, attempt, seen, restart, mark in itertools.product(
            TYPES, (None, 0, 1, 2), (None, 3, 4), (False, True), (False, True)
        ):
            proposed = Proposed(after, "After", attempt, restart, mark, seen)
            verdict = decide(facts, proposed)
            found = (
                verdict.code if isinstance(verdict, Refuse) else "wait" if isinstance(verdict, Wait) else verdict.type
            )
            assert found == _expected(facts, proposed), (facts, proposed)
            if isinstance(verdict, Accept):
                assert verdict.name == ("Cancelling" if verdict.type == "CANCELLING" != after else "After")
            judged += 1
    assert judged == 4 * 8 * 4 * 3 * 2 * 2


def test_a_run_that_is_marked_must_not_be_live_and_must_have_ended_then() -> None:
    for before, after in itertools.product(TYPES, TYPES):
        verdict = decide(Facts(before, before.title(), 1), Proposed(after, after.title(), mark=True))
        assert isinstance(verdict, Accept) == (before not in LIVE and after in TERMINAL)
        by_run = Proposed(after, after.title(), attempt=1, mark=True)
        assert decide(Facts(before, "x", 1), by_run) == decide(Facts(before, "x", 1), Proposed(after, after.title(), 1))


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
@settings(max_examples=depth.examples(300), deadline=None)
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


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TYPES, TYPES)))
def test_no_statement_may_do_in_bulk_what_the_table_does_not_allow(before: str, after: str) -> None:
    verdict = decide(Facts(before, before), Proposed(after, after.title()))
    if verdict == Accept(after, after.title()):
        assert BulkChange(frozenset({before}), after, after.title()).sources == {before}
    else:
        with pytest.raises(ValueError, match="Not every run"):
            BulkChange(frozenset({before}), after, after.title())


def test_the_statements_in_bulk_start_from_what_the_table_says() -> None:
    assert str(MAY_BE_CLAIMED) == str(has_type(CLAIM.sources)) == "flow_run.state_type = 'SCHEDULED'"
    assert str(MAY_BE_LATE) == str(has_type(LATE.sources)) == "flow_run.state_type = 'SCHEDULED'"
    assert str(LIVE_NOW) == "flow_run.state_type in ('PENDING', 'RUNNING', 'CANCELLING')"
    assert LATE.sources == {LATE.type}, "to be late moves no run"


def test_every_run_begins_where_it_can_go_on() -> None:
    assert FIRST.type in CLAIM.sources & LATE.sources


def _reported(*states: tuple[str, str], facts: Facts | None = None) -> list[tuple[str, str]]:
    changes = [StateChange(type, name, AT) for type, name in states]
    return [(change.type, change.name) for change in accepted(facts or Facts("RUNNING", "Running", 1), changes)]


def test_what_an_attempt_reports_is_taken_as_far_as_the_table_goes() -> None:
    assert _reported(("RUNNING", "Running")) == [], "nothing new"
    assert _reported(("RUNNING", "Busy"), ("SUCCESS", "Success")) == [("RUNNING", "Busy"), ("SUCCESS", "Success")]
    assert _reported(("FAILED", "Failed"), ("SUCCESS", "Success")) == [("FAILED", "Failed")], "the end is final"
    assert _reported(("PENDING", "Pending"), ("SUCCESS", "Success")) == [("SUCCESS", "Success")]
    cancelling = Facts("CANCELLING", "Cancelling", 1, cancel_requested=True)
    assert _reported(("SCHEDULED", "Retry"), ("CANCELLED", "Cancelled"), facts=cancelling) == [
        ("CANCELLED", "Cancelled")
    ]


def test_a_pause_with_an_end_is_scheduled_under_its_own_name() -> None:
    pause = StateChange("PAUSED", "Paused", AT, data={"start_time": "2026-03-02T09:00:00+00:00"})
    (state,) = accepted(Facts("RUNNING", "Running", 1), [pause])
    assert (state.type, state.name, state.data, state.at) == ("SCHEDULED", "Paused", pause.data, AT)
    assert _reported(("PAUSED", "Paused")) == [("PAUSED", "Paused")]


@given(st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(["A", "B"])), max_size=12))
@settings(max_examples=depth.examples(300), deadline=None)
def test_reported_states_are_a_path_through_the_table(states: list[tuple[str, str]]) -> None:
    path = [("RUNNING", "Running"), *_reported(*states)]
    for (before, _), (after, _) in itertools.pairwise(path):
        assert after in FLOW[before]
    assert all(before != after for before, after in itertools.pairwise(path))


@pytest.mark.parametrize("type", TYPES)
def test_what_ends_an_attempt_and_its_open_tasks(type: str) -> None:
    assert ends_attempt(type) == (type in TERMINAL or type in HANDED_BACK)
    end = end_of_open_tasks(type)
    assert (end is None) == (type not in TERMINAL)
    if end is not None:
        assert end == (Accept("FAILED", "Crashed") if type == "FAILED" else Accept("CANCELLED", "Cancelled"))
