"""The contract of executors: start, submit, wait, shutdown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from appliance.core.edge import Edge
from appliance.core.states import Mapped, State
from appliance.core.task import Task
from appliance.engine.calls import Invocation

Handle = Any
"""What `submit` returns: a state, or something of the executor's own that stands for a state to come."""

Upstream = Mapping[Edge[Task], "Handle | list[Handle]"]
"""The handles that a call waits for; a list stands for all children of a mapped task."""

Call = Callable[..., State]

Due = Callable[[State], datetime | None]
"""When a call that ended in this state is to be made again, with the same arguments; None: it is over."""


def never(_state: State) -> None:
    """No call is made again."""


class Executor(ABC):
    """Runs calls, each after the handles it waits for. Used by one flow run at a time, from one thread."""

    parallel: ClassVar[bool] = True
    """Are submitted calls worked on side by side? Then what makes the submitter wait is submitted late."""

    invoke: Callable[[Invocation], State] | None = None
    """Runs the code of a task elsewhere and waits for its state; None: the code runs where the call does."""

    due: Due = staticmethod(never)
    """Set by the flow runner before `start`. A call whose state is due again is repeated then; only its last state counts.
    While it waits it takes no worker, and what does not depend on it goes on."""

    def start(self) -> None:  # noqa: B027 - an executor may have nothing to prepare
        """Get ready; called once before the first submit."""

    @abstractmethod
    def submit(self, call: Call, upstream: Upstream, *args: Any, map_index: int = -1) -> Handle:
        """Run `call(states, *args)` once all of `upstream` is done; a list of handles reaches it as one Mapped state.

        A mapped child (`map_index` of 0 or more) may be run later than calls submitted after it, those of low index first.
        """

    @abstractmethod
    def wait(self, handles: Iterable[Handle]) -> list[State]:
        """The states of the handles, once all are done. What a call raised is raised here."""

    def shutdown(self, cancel: bool = False) -> None:  # noqa: B027
        """Let go of everything; with `cancel`, drop the calls that have not started."""


def reduced(states: list[State]) -> Mapped:
    """All children of a mapped task as the one state that a reducing task receives."""
    return Mapped(map_states=states, n_map_states=len(states), result=[state.result for state in states])
