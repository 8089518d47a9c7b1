"""Attempts that work in a place that an agent controls from outside, such as a container engine or a cluster."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from appliance.agents.attempts import AttemptRecord


@dataclass(eq=False)
class LiveAttempt:
    """An attempt from just before its start to its end. `start_requested`: the place was asked to start it; `doubt`: why it is unknown whether the
    place did."""

    record: AttemptRecord
    directory: Path
    start_requested: threading.Event = field(default_factory=threading.Event)
    doubt: str = ""
    is_stopping: bool = False

    @property
    def id(self) -> str:
        """What the place calls it."""
        return self.record.identity


L = TypeVar("L", bound=LiveAttempt)


class Watch(ABC, Generic[L]):
    """The live attempts of an agent, and what notices their ends. `gone` is called when one is no longer live."""

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone
        self._lock = threading.Lock()
        self._live: dict[str, L] = {}
        self.problem = ""
        """Why the place can't be used now, in a sentence; empty if it can."""

    @abstractmethod
    def start(self) -> None:
        """Start watching."""

    @abstractmethod
    def look_at(self, live: L) -> None:
        """Find out soon whether it has ended."""

    @abstractmethod
    def close(self) -> None:
        """Stop watching. The attempts continue."""

    def add(self, live: L) -> None:
        with self._lock:
            self._live[live.id] = live

    def discard(self, live: L) -> None:
        """Forget one that has ended, or has not been started."""
        with self._lock:
            self._live.pop(live.id, None)
        self._gone()

    def live(self) -> list[L]:
        with self._lock:
            return list(self._live.values())
