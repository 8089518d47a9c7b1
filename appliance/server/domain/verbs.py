"""What people may do with a flow run in which state: one small function for each verb, one table, one function that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from appliance.protocol.states import TERMINAL
from appliance.server.domain.transitions import (
    CANCELLED,
    CANCELLING,
    CHANGED,
    FAILED,
    LIVE,
    PAUSED,
    SCHEDULED,
    SUCCESS,
    Accept,
    Code,
    Facts,
    Refuse,
)

VerbName = Literal[
    "cancel",
    "pause",
    "resume",
    "resume_task",
    "restart",
    "restart_child",
    "start_now",
    "edit",
    "delete",
    "mark",
    "mark_task",
    "skip",
]
"""`skip` is what a schedule's overlap policy does, and `restart_child` what a task does; all others are for people and scripts."""
NextVerb = Literal["restart", "resume", "wait"]
"""What leads a run on: `wait` if it goes on at its time."""
Permitted = Accept | Literal["unchanged"]
MARKS: Mapping[str, Accept] = {
    "Success": Accept(SUCCESS, "Success"),
    "Failed": Accept(FAILED, "Failed"),
    "Cancelled": Accept(CANCELLED, "Cancelled"),
    "Skipped": Accept(
        CANCELLED, "Skipped"
    ),  # like a run that its schedule's overlap policy skips: none of its code has run
}
"""The states that a run may be marked as, by name."""
TASK_MARKS: Mapping[str, Accept] = {**MARKS, "Skipped": Accept(SUCCESS, "Skipped")}
UNCHANGED: Literal["unchanged"] = "unchanged"
"""The run is already as the verb would make it."""


def may(verb: VerbName, facts: Facts, *, target: Accept | None = None, seen: int | None = None) -> Permitted | Refuse:
    """May the verb be done to this run? Accept says which state the run has then; one that the verb does not move keeps its own.

    `target` is the state that `mark` sets. `seen` is the version of the run on which the request is based, where that matters.
    """
    verdict = RULES[verb](facts, target or Accept(facts.type, facts.name))
    if isinstance(verdict, Accept) and seen is not None and seen != facts.version:
        return Refuse("changed", CHANGED)
    return verdict


def next_verb(facts: Facts) -> NextVerb:
    """What leads a run on that is in this state."""
    if facts.type == PAUSED or (facts.type == SCHEDULED and facts.name == "Paused"):
        return "resume"
    return "wait" if facts.type == SCHEDULED and facts.attempt else "restart"


def waits_for_results(facts: Facts, results_at: str | None) -> bool:
    """Does the run wait, without a person, for an agent that can read the results there?"""
    return facts.type == SCHEDULED and results_at is not None


def _cancel(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.type in (CANCELLING, CANCELLED):
        return UNCHANGED
    if facts.type in TERMINAL:
        return Refuse("final", f"The run can't be cancelled, because it has already ended as {facts.name}.")
    return Accept(CANCELLING, "Cancelling") if facts.type in LIVE else Accept(CANCELLED, "Cancelled")


def _pause(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.type == PAUSED:
        return UNCHANGED
    if facts.type == SCHEDULED:
        return Accept(PAUSED, "Paused")
    return _refuse(facts, "The run is {name}; only a scheduled run can be paused. To stop it, cancel it.")


def _resume(facts: Facts, target: Accept) -> Permitted | Refuse:
    return UNCHANGED if (facts.type, facts.name) == (SCHEDULED, "Resume") else _resume_task(facts, target)


def _resume_task(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.type == PAUSED or (facts.type == SCHEDULED and facts.name in ("Paused", "Resume")):
        return Accept(SCHEDULED, "Resume")
    return _refuse(facts, "The run is {name}, not paused; there is nothing to resume.")


def _restart(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.type == PAUSED:
        return _refuse(facts, "The run is paused, not over; resume it instead.")
    if facts.type == SCHEDULED:
        return _refuse(facts, "The run is scheduled, so there is nothing to restart; it will start automatically.")
    if facts.type in LIVE:
        return _refuse(facts, "The run is still {name}; wait for its end, or cancel it first.", "live")
    if facts.attempt == 0:
        return _refuse(facts, "The run never started, so there is nothing to restart; create a new run.", "not_started")
    return Accept(SCHEDULED, "Scheduled")


def _restart_child(facts: Facts, target: Accept) -> Permitted | Refuse:
    """A task has only this one child, so that it is needed even if it has ended before it started."""
    if facts.attempt == 0 and facts.type in TERMINAL:
        return Accept(SCHEDULED, "Scheduled")
    return _restart(facts, target)


def _start_now(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.type == PAUSED or facts.name == "Paused":
        return _refuse(facts, "The run is paused; resume it instead.")
    if facts.type != SCHEDULED:
        return _refuse(facts, "The run is {name}; only a scheduled run can be started now.")
    return Accept(SCHEDULED, "AwaitingRetry" if facts.name == "AwaitingRetry" else "Scheduled")


def _edit(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.attempt or facts.type not in (SCHEDULED, PAUSED):
        return _refuse(facts, "The run is {name} and has started; only a run that has not started can be edited.")
    return Accept(facts.type, "Scheduled" if facts.name == "Late" else facts.name)  # its new time may not be late


def _delete(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.type in LIVE:
        return _refuse(facts, "The run is {name}; cancel it, then delete it when it has ended.", "live")
    return Accept(facts.type, facts.name)


def _mark(facts: Facts, target: Accept) -> Permitted | Refuse:
    if (facts.type, facts.name) == (target.type, target.name):
        return UNCHANGED
    if facts.type in LIVE:
        return _refuse(facts, "The run is {name}; cancel it first, then mark it.", "live")
    return target


def _mark_task(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.type in LIVE:
        return _refuse(facts, "The run is {name}; cancel it first, then mark its task.", "live")
    return Accept(facts.type, facts.name)


def _skip(facts: Facts, target: Accept) -> Permitted | Refuse:
    if facts.type != SCHEDULED:
        return _refuse(facts, "The run is {name}; only a scheduled run can be skipped.")
    return Accept(CANCELLED, "Skipped")


def attempt_of_mark(facts: Facts) -> int:
    """The attempt that the marked state belongs to: a new one when the run had ended already."""
    return facts.attempt + (facts.type in TERMINAL)


def has_result(mark: Accept) -> bool:
    """Does what comes after a task that is marked so use its result, which is None when it stored none?"""
    return mark.type == SUCCESS


def due_when_resumed(type: str, attempt: int, scheduled_time: datetime, now: datetime) -> datetime:
    """When a resumed run is due: at once, but one that was paused before it ever started keeps a time that is still to come."""
    return max(scheduled_time, now) if type == PAUSED and attempt == 0 else now


def too_late_to_skip(facts: Facts, scheduled_time: datetime, now: datetime) -> str:
    """Why a run's due time can't be skipped any more; empty while the run waits for its time."""
    if facts.type in TERMINAL:
        return f"has ended already as {facts.name}."
    if facts.attempt or facts.type not in (SCHEDULED, PAUSED):
        return f"is {facts.name} already; cancel the run instead."
    return "is due already; cancel the run instead." if scheduled_time <= now else ""


def _refuse(facts: Facts, sentence: str, code: Code = "not_allowed") -> Refuse:
    return Refuse(code, sentence.format(name=facts.name))


RULES: Mapping[VerbName, Callable[[Facts, Accept], Permitted | Refuse]] = {
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "resume_task": _resume_task,
    "restart": _restart,
    "restart_child": _restart_child,
    "start_now": _start_now,
    "edit": _edit,
    "delete": _delete,
    "mark": _mark,
    "mark_task": _mark_task,
    "skip": _skip,
}
"""One rule for each verb."""
