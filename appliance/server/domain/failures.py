"""Which failures have the same cause: those of one flow that failed in one task with messages that differ only in numbers and ids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

from appliance.server.domain.transitions import FAILED, SUCCESS

LONGEST_FINGERPRINT = 200
MOST_KNOWN = 100
"""How many failures of a flow can be known at once."""
_VARYING = re.compile(
    r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\d+"
    r"|(?<=\brun )[^\n]{1,100}?(?= of flow '[^\n]{1,200}?' \(/runs/)"  # the name of a child run
)


class FailedTask(Protocol):
    """The task run that failed first on its own."""

    @property
    def task_slug(self) -> str: ...

    @property
    def state_message(self) -> str: ...


@dataclass(frozen=True)
class Failure:
    """Why a run failed. `task_slug` is empty if it did not fail because of a task."""

    task_slug: str
    message: str

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.message)


def has_failed(state_type: str) -> bool:
    """Whether a run in a state of this type has failed, so that its failure can be known."""
    return state_type == FAILED


def resolves(state_type: str) -> bool:
    """Whether a run that reaches a state of this type resolves what is known of its flow."""
    return state_type == SUCCESS


def is_own_cause(state_name: str) -> bool:
    """Whether a run that failed like this is its own cause, whatever its tasks were doing: a crash is."""
    return state_name == "Crashed"


def failure_of(message: str, task: FailedTask | None) -> Failure:
    """Why a run with this message failed: because of the task, if there is one."""
    return Failure("", message) if task is None else Failure(task.task_slug, task.state_message or message)


def fingerprint(message: str) -> str:
    """The message without what differs each time: numbers, ids, names of child runs, and addresses in memory."""
    return _VARYING.sub("#", message[:LONGEST_FINGERPRINT].lower())[:LONGEST_FINGERPRINT]


def is_known_at(until: datetime | None, now: datetime) -> bool:
    """Whether a failure that is known until then is known now."""
    return until is None or until > now
