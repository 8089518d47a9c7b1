"""Which of the ready runs may start under the limits: usage is what was counted a moment ago, plus what is handed out here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

FLOW, LABEL, TASK_TAG, TASK_RATE = "flow", "label", "task_tag", "task_rate"
KINDS = (FLOW, LABEL, TASK_TAG, TASK_RATE)
OF_RUNS, OF_TASKS = (FLOW, LABEL), (TASK_TAG, TASK_RATE)
Key = tuple[str, str]
"""Kind and name of a limit; the name of a flow's limit is its id."""


@dataclass(frozen=True)
class Limit:
    kind: str
    name: str
    slots: int

    @property
    def key(self) -> Key:
        return self.kind, self.name


class Ledger:
    """The limits of runs with their usage, kept up while runs are given out."""

    def __init__(self, limits: Iterable[Limit], live: Iterable[tuple[UUID, Iterable[str]]]) -> None:
        """`live` are the flows and labels of the runs that are being worked on."""
        self._slots = {limit.key: limit.slots for limit in limits if limit.kind in OF_RUNS}
        self._used: Counter[Key] = Counter()
        for flow_id, labels in live:
            self._used.update(self._of(flow_id, labels))

    def take(self, flow_id: UUID, labels: Iterable[str]) -> bool:
        """Count the run as live if every limit that it falls under has a free slot."""
        keys = self._of(flow_id, labels)
        if any(self._used[key] >= self._slots[key] for key in keys):
            return False
        self._used.update(keys)
        return True

    def exhausted(self, kind: str) -> list[str]:
        """The names of the limits of a kind that have no free slot."""
        return [name for (of, name), slots in self._slots.items() if of == kind and self._used[of, name] >= slots]

    def _of(self, flow_id: UUID, labels: Iterable[str]) -> list[Key]:
        keys = [(FLOW, str(flow_id)), *((LABEL, label) for label in set(labels))]
        return [key for key in keys if key in self._slots]


def full_sentence(what: str, slots: int, used: int, holders: Sequence[str]) -> str:
    """Why nothing more may start under `what`, a limit with no slot left, with those named that hold it."""
    if slots == 0:
        return f"{what} is 0, so nothing starts; raise it to continue."
    names = ", ".join(holders[:3]) + (f" and {used - 3} more" if used > 3 else "")
    return f"{what} is reached: {used} of {slots} in use, by {names}."


def rate_sentence(tag: str, starts: int, per: float) -> str:
    """Why no task with this tag may start now, although others may soon."""
    if starts == 0:
        return f"The rate limit of task tag {tag} is 0, so nothing starts; raise it to continue."
    return f"The rate limit of task tag {tag} is reached: {starts} started within {per:g} s."
