"""Which state may follow which: one table for flow runs, one for task runs, and one pure function that answers.

Terminal is final, except that a person may restart a run: as a new attempt. Whoever asks with an attempt that was replaced is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.core.protocol import TERMINAL

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

Code = Literal["stale_attempt", "final", "not_allowed"]


@dataclass(frozen=True)
class Facts:
    """What is true of the run now. `hold` is a reason why nothing of it may start at the moment."""

    type: str
    name: str
    attempt: int = 0
    hold: str = ""


@dataclass(frozen=True)
class Proposed:
    """The state that somebody asks for. `attempt` is None when asked from outside, by a person or a service; `restart` says
    that it is to begin again after its end."""

    type: str
    name: str
    attempt: int | None = None
    restart: bool = False


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
    if facts.type in TERMINAL:
        if proposed.restart and proposed.attempt is None and proposed.type == SCHEDULED:
            return Accept(proposed.type, proposed.name)
        return Refuse("final", f"The run has already ended as {facts.name}; start a new run instead.")
    if proposed.type == CANCELLED and proposed.attempt is None and facts.type in (PENDING, RUNNING):
        return Accept(CANCELLING, "Cancelling")
    if proposed.type not in FLOW[facts.type]:
        return Refuse("not_allowed", f"A run that is {facts.name} can't become {proposed.name}.")
    if facts.hold and proposed.type in (PENDING, RUNNING):
        return Wait(facts.hold, 10.0)
    return Accept(proposed.type, proposed.name)


def task_may_follow(before_type: str, before_name: str, same_attempt: bool) -> bool:
    """May a task run leave this state? Within an attempt a finished task run stays as it is."""
    return not same_attempt or before_type not in TERMINAL or before_name in PASSING_NAMES
