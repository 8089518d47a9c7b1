"""Which state may follow which: one table for flow runs, one for task runs, and one pure function that answers.

Terminal is final within an attempt. A person may restart a run that has ended, or mark it as ended otherwise: both begin a new
attempt. Whoever asks with an attempt that was replaced, or having seen a version that is no longer the newest, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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

Code = Literal["stale_attempt", "changed", "final", "live", "cancelling", "not_allowed"]


@dataclass(frozen=True)
class Facts:
    """What is true of the run now. `hold` is a reason why nothing of it may start at the moment: its flow is paused, or it has
    no slot. `cancel_requested`: somebody has asked for its end."""

    type: str
    name: str
    attempt: int = 0
    hold: str = ""
    version: int = 0
    cancel_requested: bool = False


@dataclass(frozen=True)
class Proposed:
    """The state that somebody asks for. `attempt` is None when asked from outside, by a person or a service; `restart` says
    that it is to begin again after its end, `mark` that a person sets how it ended. `seen` is the version of the run that was
    looked at, where that matters to whoever asks."""

    type: str
    name: str
    attempt: int | None = None
    restart: bool = False
    mark: bool = False
    seen: int | None = None


@dataclass(frozen=True)
class Accept:
    """Do it; the state to store, which for a cancel of a live run is the way there."""

    type: str
    name: str


@dataclass(frozen=True)
class Wait:
    """Not now; ask again after some seconds."""

    reason: str
    retry_after: float


@dataclass(frozen=True)
class Refuse:
    code: Code
    sentence: str


Verdict = Accept | Wait | Refuse


def decide(facts: Facts, proposed: Proposed) -> Verdict:
    """May this flow run go to the proposed state?"""
    if proposed.attempt is not None and proposed.attempt != facts.attempt:
        return Refuse(
            "stale_attempt", f"Attempt {proposed.attempt} was replaced by attempt {facts.attempt}; end this process."
        )
    if proposed.seen is not None and proposed.seen != facts.version:
        return Refuse("changed", "The run has changed since you looked at it; look again, then decide.")
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


def _marked(facts: Facts, proposed: Proposed) -> Verdict:
    """A person says how a run ended, whether or not it had ended otherwise before."""
    if facts.type in LIVE:
        return Refuse("live", f"The run is {facts.name}; cancel it first, then mark it.")
    if proposed.type not in TERMINAL:
        return Refuse("not_allowed", f"A run can be marked as ended, not as {proposed.name}.")
    return Accept(proposed.type, proposed.name)


def task_may_follow(before_type: str, before_name: str, same_attempt: bool) -> bool:
    """May a task run leave this state? Within an attempt a finished task run stays as it is."""
    return not same_attempt or before_type not in TERMINAL or before_name in PASSING_NAMES
