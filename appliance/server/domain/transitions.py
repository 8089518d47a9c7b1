"""Which state may follow which: one table for flow runs, one for task runs, and one pure function that answers.

Terminal is final within an attempt. A person may restart a run that has ended, or mark it with another end: both begin a new
attempt. A proposal by an attempt that was replaced, or based on a version that is no longer the newest, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NewType, TypedDict

from msgspec import structs

from appliance.kit.documents import JsonDocument
from appliance.protocol.state_change import StateChange
from appliance.protocol.states import TERMINAL

SCHEDULED, PENDING, PAUSED, RUNNING, CANCELLING = "SCHEDULED", "PENDING", "PAUSED", "RUNNING", "CANCELLING"
SUCCESS, FAILED, CANCELLED = "SUCCESS", "FAILED", "CANCELLED"
TYPES = (SCHEDULED, PENDING, PAUSED, RUNNING, CANCELLING, SUCCESS, FAILED, CANCELLED)
LIVE = frozenset({PENDING, RUNNING, CANCELLING})
"""The types in which a run is owned by an attempt and kept alive by its lease."""
HANDED_BACK = frozenset({SCHEDULED, PAUSED})
"""The types by which an attempt ends without ending its run: another one goes on at a time, or when a person says so."""

FLOW: dict[str, frozenset[str]] = {
    SCHEDULED: frozenset({SCHEDULED, PENDING, PAUSED, FAILED, CANCELLED}),
    PENDING: frozenset({SCHEDULED, PENDING, RUNNING, CANCELLING, FAILED, CANCELLED}),
    PAUSED: frozenset({SCHEDULED, PAUSED, CANCELLED}),
    RUNNING: frozenset({SCHEDULED, PAUSED, RUNNING, CANCELLING, SUCCESS, FAILED, CANCELLED}),
    CANCELLING: frozenset({SUCCESS, FAILED, CANCELLED}),
    SUCCESS: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}
"""From each type of a flow run to the types that may follow."""

PASSING_NAMES = frozenset({"Mapped", "Looped"})
"""Task states that count as finished but are followed by others within one attempt."""

Code = Literal["stale_attempt", "changed", "final", "live", "cancelling", "not_allowed", "not_started", "nothing_to_do"]
CHANGED = "The run has changed since you looked at it; look again, then decide."


@dataclass(frozen=True)
class Facts:
    """What is true of the run now. `hold` is a reason why nothing of it may start at the moment: its flow is paused, or it has
    no slot. `cancel_requested`: the run was asked to stop."""

    type: str
    name: str
    attempt: int = 0
    hold: str = ""
    version: int = 0
    cancel_requested: bool = False


@dataclass(frozen=True)
class Proposed:
    """The state that a run is to get. `attempt` is the attempt that proposes it, None for a person or a service; `restart` says
    that the run is to begin again after its end, `mark` that a person sets how it ended. `seen` is the version of the run on
    which the proposal is based, where that matters."""

    type: str
    name: str
    attempt: int | None = None
    restart: bool = False
    mark: bool = False
    seen: int | None = None


class Terms(TypedDict, total=False):
    """All of a proposal but the state itself."""

    attempt: int | None
    restart: bool
    mark: bool
    seen: int | None


@dataclass(frozen=True)
class Accept:
    """Do it; the state to store, which for a cancel of a live run is the way there."""

    type: str
    name: str

    def change(self, at: datetime, message: str = "", data: JsonDocument | None = None) -> StateChange:
        """The state as it is to be stored."""
        return StateChange(self.type, self.name, at, message, data)


@dataclass(frozen=True)
class Wait:
    """Not now; try again after some seconds."""

    reason: str
    retry_after: float


@dataclass(frozen=True)
class Refuse:
    """Never; `code` is for programs, `sentence` for people."""

    code: Code
    sentence: str


Verdict = Accept | Wait | Refuse
Accepted = NewType("Accepted", tuple[StateChange, ...])
"""States of one run that it may go through one after the other."""


@dataclass(frozen=True)
class BulkChange:
    """A change of many runs by one statement: from which types, to which state. One that the table doesn't allow can't be made."""

    sources: frozenset[str]
    type: str
    name: str

    def __post_init__(self) -> None:
        verdicts = [decide(Facts(source, source), Proposed(self.type, self.name)) for source in self.sources]
        if not all(verdict == Accept(self.type, self.name) for verdict in verdicts):
            raise ValueError(f"Not every run that is {sorted(self.sources)} may become {self.name}.")


def decide(facts: Facts, proposed: Proposed) -> Verdict:
    """May this flow run go to the proposed state?"""
    if proposed.attempt is not None and proposed.attempt != facts.attempt:
        return stale(proposed.attempt, facts.attempt)
    if proposed.seen is not None and proposed.seen != facts.version:
        return Refuse("changed", CHANGED)
    if proposed.mark and proposed.attempt is None:
        return _marked(facts, proposed)
    if facts.type in TERMINAL:
        if proposed.restart and proposed.attempt is None and proposed.type == SCHEDULED:
            return Accept(proposed.type, proposed.name)
        return Refuse("final", f"The run has already ended as {facts.name}; start a new run instead.")
    if proposed.type == CANCELLED and proposed.attempt is None and facts.type in (PENDING, RUNNING):
        return Accept(CANCELLING, "Cancelling")
    if proposed.type not in FLOW[facts.type]:
        return Refuse("not_allowed", f"A run that is {facts.name} can't become {proposed.name}.")
    if facts.cancel_requested and facts.type in LIVE and proposed.type not in TERMINAL | {CANCELLING}:
        return Refuse("cancelling", f"The run was asked to stop, so it can't become {proposed.name}; it can only end.")
    if facts.hold and proposed.type in (PENDING, RUNNING):
        return Wait(facts.hold, 10.0)
    return Accept(proposed.type, proposed.name)


def stale(attempt: int, newest: int) -> Refuse:
    """The answer to an attempt that was replaced."""
    return Refuse("stale_attempt", f"Attempt {attempt} was replaced by attempt {newest}; end this process.")


def _marked(facts: Facts, proposed: Proposed) -> Verdict:
    """A person says how a run ended, whether or not it had ended otherwise before."""
    if facts.type in LIVE:
        return Refuse("live", f"The run is {facts.name}; cancel it first, then mark it.")
    if proposed.type not in TERMINAL:
        return Refuse("not_allowed", f"A run can be marked as ended, not as {proposed.name}.")
    return Accept(proposed.type, proposed.name)


def accepted(facts: Facts, changes: Iterable[StateChange]) -> Accepted:
    """Those of an attempt's own states that the run goes through, in their order. What comes too late, or says nothing new, is
    left out."""
    states = []
    for change in changes:
        type = SCHEDULED if _is_timed_pause(change) else change.type
        verdict = decide(facts, Proposed(type, change.name, facts.attempt))
        if isinstance(verdict, Accept) and (verdict.type, verdict.name) != (facts.type, facts.name):
            facts = replace(facts, type=verdict.type, name=verdict.name)
            states.append(structs.replace(change, type=verdict.type, name=verdict.name))
    return Accepted(tuple(states))


def _is_timed_pause(change: StateChange) -> bool:
    """A pause with an end is a wait for that time, under its own name."""
    return change.type == PAUSED and (change.data or {}).get("start_time") is not None


def task_may_follow(before_type: str, before_name: str, same_attempt: bool) -> bool:
    """May a task run leave this state? Within an attempt a finished task run stays as it is."""
    return not same_attempt or before_type not in TERMINAL or before_name in PASSING_NAMES


def end_of_open_tasks(type: str) -> Accept | None:
    """The state for tasks that are unfinished when their run has ended as this type; None: the run has not ended."""
    if type not in TERMINAL:
        return None
    return Accept(FAILED, "Crashed") if type == FAILED else Accept(CANCELLED, "Cancelled")


def ends_task(type: str, name: str) -> bool:
    """Is this the last state of a task run within an attempt?"""
    return type in TERMINAL and name not in PASSING_NAMES


def ends_run(type: str) -> bool:
    """Is this type the end of a run's attempt, and of the run unless a person begins another attempt?"""
    return type in TERMINAL


def hands_back(type: str) -> bool:
    """Does an attempt that reports this type end without ending its run?"""
    return type in HANDED_BACK


def ends_attempt(type: str) -> bool:
    """Does an attempt that reports this type do no more work on the run?"""
    return ends_run(type) or hands_back(type)


def resumes_alone(type: str) -> bool:
    """Is a run that was handed back as this type due again without anyone resuming it?"""
    return type == SCHEDULED


FIRST = Accept(SCHEDULED, "Scheduled")
"""The state in which every run begins."""
CLAIM = BulkChange(frozenset({SCHEDULED}), PENDING, "Submitted")
LATE = BulkChange(frozenset({SCHEDULED}), SCHEDULED, "Late")
