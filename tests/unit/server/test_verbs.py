"""What people may do with a run, whole: every verb in every state, and the states that it leads to."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from appliance.protocol.states import TERMINAL
from appliance.protocol.verbs import VERBS
from appliance.server.domain.transitions import (
    CHANGED,
    LIVE,
    TYPES,
    Accept,
    Facts,
    Proposed,
    Refuse,
    decide,
)
from appliance.server.domain.verbs import (
    MARKS,
    RULES,
    TASK_MARKS,
    UNCHANGED,
    VerbName,
    attempt_of_mark,
    due_when_resumed,
    may,
)

# Rows: verb; columns: the type of the run, in the order of TYPES. y: yes, n: never, =: nothing to change. The attempt is 1.
#              SCHED PEND PAUS RUN CANC SUCC FAIL CANCELLED
PICTURE: dict[VerbName, str] = {
    "cancel": "y y y y = n n =",
    "pause": "y n = n n n n n",
    "resume": "n n y n n n n n",
    "resume_task": "n n y n n n n n",
    "restart": "n n n n n y y y",
    "restart_child": "n n n n n y y y",
    "start_now": "y n n n n n n n",
    "edit": "n n n n n n n n",
    "delete": "y n y n n y y y",
    "mark": "y n y n n y y y",
    "mark_task": "y n y n n y y y",
    "skip": "y n n n n n n n",
}
NAMES = ("Scheduled", "Late", "AwaitingRetry", "Paused", "Resume", "Retrying", "Crashed")
SKIPPED = MARKS["Skipped"]


def target_of(verb: VerbName) -> Accept | None:
    return SKIPPED if verb == "mark" else None


def test_every_verb_has_a_rule_and_a_row() -> None:
    assert set(RULES) == set(PICTURE) == set(get_args(VerbName))
    assert set(RULES) == set(VERBS) | {"resume_task", "restart_child", "mark_task", "skip"}


@pytest.mark.parametrize(("verb", "type"), list(itertools.product(PICTURE, TYPES)))
def test_the_rules_are_the_picture(verb: VerbName, type: str) -> None:
    verdict = may(verb, Facts(type, type.title(), attempt=1), target=target_of(verb))
    answer = "n" if isinstance(verdict, Refuse) else "=" if verdict == UNCHANGED else "y"
    assert answer == PICTURE[verb].split()[TYPES.index(type)]


@pytest.mark.parametrize("verb", PICTURE)
def test_every_combination_has_a_verdict(verb: VerbName) -> None:
    """Of type, name, attempt, version and cancel flag: never an error, each refusal with a code and a sentence that names the state
    or says what to do instead, and what is accepted is accepted by the table of transitions too."""
    judged = 0
    for type, name, attempt, seen, cancel in itertools.product(TYPES, NAMES, (0, 1, 3), (None, 3, 4), (False, True)):
        facts = Facts(type, name, attempt, version=4, cancel_requested=cancel)
        verdict = may(verb, facts, target=target_of(verb), seen=seen)
        judged += 1
        if isinstance(verdict, Refuse):
            assert verdict.code
            assert verdict.sentence[0].isupper() and verdict.sentence.endswith(".") and "{" not in verdict.sentence
            assert (verdict.sentence == CHANGED) == (verdict.code == "changed")
        elif verdict != UNCHANGED:
            assert seen != 3, "a request that is based on an older version changes nothing"
            _is_accepted_by_the_table(verb, facts, verdict)
    assert judged == 8 * 7 * 3 * 3 * 2


def _is_accepted_by_the_table(verb: VerbName, facts: Facts, state: Accept) -> None:
    if verb in ("delete", "mark_task"):
        assert (state.type, state.name) == (facts.type, facts.name), "the run's state is not moved"
        return
    restart, mark = verb in ("restart", "restart_child"), verb == "mark"
    assert decide(facts, Proposed(state.type, state.name, restart=restart, mark=mark)) == state


@pytest.mark.parametrize("verb", PICTURE)
def test_a_repeated_request_changes_nothing_or_is_accepted_again(verb: VerbName) -> None:
    """In the state that a verb has led to, the same verb is harmless, or refused because it is the next state's turn."""
    for type in TYPES:
        verdict = may(verb, Facts(type, type.title(), attempt=1), target=target_of(verb))
        if isinstance(verdict, Accept) and verb in ("cancel", "pause", "mark"):
            again = may(verb, Facts(verdict.type, verdict.name, attempt=1), target=target_of(verb))
            assert again == UNCHANGED


def test_a_paused_retry_can_be_resumed_by_its_name() -> None:
    for verb in ("resume", "resume_task"):
        assert may(verb, Facts("SCHEDULED", "Paused", 1)) == Accept("SCHEDULED", "Resume")
    assert may("resume", Facts("SCHEDULED", "Resume", 1)) == UNCHANGED
    assert may("resume_task", Facts("SCHEDULED", "Resume", 1)) == Accept("SCHEDULED", "Resume")
    for type in (*LIVE, *TERMINAL):
        assert isinstance(may("resume", Facts(type, "Paused", 1)), Refuse), "a name alone makes no run a paused one"


def test_what_starts_now_keeps_the_name_of_its_retry() -> None:
    assert may("start_now", Facts("SCHEDULED", "AwaitingRetry", 1)) == Accept("SCHEDULED", "AwaitingRetry")
    for name in ("Scheduled", "Late", "Resume"):
        assert may("start_now", Facts("SCHEDULED", name)) == Accept("SCHEDULED", "Scheduled")
    assert may("start_now", Facts("SCHEDULED", "Paused", 1)) == Refuse(
        "not_allowed", "The run is paused; resume it instead."
    )


@pytest.mark.parametrize("type", ["SCHEDULED", "PAUSED"])
def test_only_what_has_not_started_is_edited_and_is_late_no_more(type: str) -> None:
    assert may("edit", Facts(type, "Late")) == Accept(type, "Scheduled")
    assert may("edit", Facts(type, "Custom")) == Accept(type, "Custom")
    assert isinstance(may("edit", Facts(type, "AwaitingRetry", attempt=1)), Refuse)


@pytest.mark.parametrize("type", sorted(TERMINAL))
def test_what_never_started_is_not_restarted(type: str) -> None:
    verdict = may("restart", Facts(type, "Skipped", attempt=0))
    assert isinstance(verdict, Refuse) and verdict.code == "not_started"


def test_a_run_may_be_marked_as_everything_but_what_it_is() -> None:
    for mark in MARKS.values():
        for type in TYPES:
            verdict = may("mark", Facts(type, mark.name, 1), target=mark)
            if type == mark.type:
                assert verdict == UNCHANGED
            else:
                assert isinstance(verdict, Refuse) if type in LIVE else verdict == mark


def test_every_mark_is_an_end() -> None:
    assert set(MARKS) == set(TASK_MARKS)
    assert {mark.type for mark in (*MARKS.values(), *TASK_MARKS.values())} == TERMINAL


def test_a_mark_on_an_end_is_a_new_attempt() -> None:
    assert [attempt_of_mark(Facts(type, "x", 2)) for type in TYPES] == [2, 2, 2, 2, 2, 3, 3, 3]


def test_a_run_that_was_paused_before_it_started_keeps_its_time() -> None:
    now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    later, earlier = now + timedelta(hours=1), now - timedelta(hours=1)
    assert due_when_resumed("PAUSED", 0, later, now) == later
    assert due_when_resumed("PAUSED", 0, earlier, now) == now
    assert due_when_resumed("PAUSED", 1, later, now) == now
    assert due_when_resumed("SCHEDULED", 1, later, now) == now
