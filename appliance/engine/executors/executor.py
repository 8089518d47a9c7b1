"""The contract of executors: start, submit, wait, shutdown, all of them on a copy of the executor for each run."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Self

from appliance.core.edge import Edge
from appliance.core.states import Mapped, State
from appliance.core.task import Task
from appliance.engine import failures
from appliance.engine.calls import Invocation
from appliance.kit.errors import ApplianceError

Handle = Any
"""What `submit` returns: a state, or an object of the executor that represents a future state."""

Upstream = Mapping[Edge[Task], "Handle | list[Handle]"]
"""The handles that a call waits for. A list represents all children of a mapped task."""

Call = Callable[..., State]

Due = Callable[[State], datetime | None]
"""When to repeat a call that ended in this state, with the same arguments, or None if it is over."""


def never(_state: State) -> None:
    """Repeat no call."""


class ExecutorError(ApplianceError):
    """An executor can't start, or was used when it was not at work."""


class Executor(ABC):
    """Runs calls, each after the handles that it waits for.

    The executor that an author creates only describes what to start, so any number of runs may use it, also at the same time. Each of
    them opens it and works with a copy of its own, from one thread.
    """

    parallel: ClassVar[bool] = True
    """Do submitted calls run in parallel? Then calls that make the submitter wait are submitted late."""

    invoke: Callable[[Invocation], State] | None = None
    """Runs the code of a task elsewhere and waits for its state. If None, the code runs where the call does."""

    due: Due = staticmethod(never)
    """Set before `start`. A call whose state is due again is repeated at that time; only its last state counts. While it waits, it
    occupies no worker, and calls that don't depend on it continue."""

    @contextmanager
    def open(self, due: Due = never) -> Iterator[Self]:
        """A copy of this executor that works for one run. It is shut down at the end of the block; an exception cancels what is left.

        Raises ExecutorError if it can't start.
        """
        own = copy.copy(self)
        own.due = due
        try:
            own.start()
        except ExecutorError:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, ApplianceError) else f"{failures.summary(error)}."
            raise ExecutorError(f"{type(self).__name__} can't start: {reason}") from error
        cancel = True
        try:
            yield own
            cancel = False
        finally:
            own.shutdown(cancel)

    def start(self) -> None:  # noqa: B027 - an executor may have nothing to prepare
        """Prepare for work. Called once, before the first submit."""

    @abstractmethod
    def submit(self, call: Call, upstream: Upstream, *args: Any, map_index: int = -1) -> Handle:
        """Run `call(states, *args)` once all of `upstream` is done. It receives a list of handles as one Mapped state.

        A mapped child (`map_index` of 0 or more) may run later than calls submitted after it. Low indices run first.
        """

    @abstractmethod
    def wait(self, handles: Iterable[Handle]) -> list[State]:
        """The states of the handles, once all are done. Raises what a call raised."""

    def shutdown(self, cancel: bool = False) -> None:  # noqa: B027
        """Release everything. With `cancel`, drop the calls that have not started."""


def not_open(executor: Executor) -> ExecutorError:
    """The error of an executor that is used before or after its run."""
    name = type(executor).__name__
    return ExecutorError(f"{name} is not at work; use it inside `with executor.open() as pool:`, through `pool`.")


def reduced(states: list[State]) -> Mapped:
    """All children of a mapped task as the single state that a reducing task receives."""
    return Mapped(map_states=states, n_map_states=len(states), result=[state.result for state in states])
