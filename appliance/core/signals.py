"""Raised inside a task to end it in a certain state. They derive from BaseException, so `except Exception` lets them pass."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from appliance.core import states


class StateSignal(BaseException):
    """Ends the task in `self.state`."""

    state_class: ClassVar[type[states.State]] = states.State

    def __init__(self, message: str | None = None, result: Any = None, **fields: Any) -> None:
        super().__init__(message)
        start = fields.get("start_time")
        if start is not None and (not isinstance(start, datetime) or start.tzinfo is None):
            raise ValueError(f"start_time of {type(self).__name__} must be a datetime with a time zone offset.")
        self.state = self.make_state(message, result, fields)

    def __reduce__(self) -> tuple[Any, ...]:
        return _bare, (type(self), self.args), self.__dict__  # the state may hold the signal, so the signal comes first

    def make_state(self, message: str | None, result: Any, fields: dict[str, Any]) -> states.State:
        return self.state_class(message=message, result=result, **fields)


def _bare(kind: type[StateSignal], args: tuple[Any, ...]) -> StateSignal:
    """A signal received from another process, before its state is set."""
    return kind.__new__(kind, *args)


class FAIL(StateSignal):
    """The task failed; it is retried like any failure."""

    state_class = states.Failed

    def make_state(self, message: str | None, result: Any, fields: dict[str, Any]) -> states.State:
        return self.state_class(message=message, result=self if result is None else result, **fields)


class TRIGGERFAIL(FAIL):
    """The upstream tasks did not end as the trigger requires."""

    state_class = states.TriggerFailed


class VALIDATIONFAIL(FAIL):
    """The result is not acceptable."""

    state_class = states.ValidationFailed


class SUCCESS(StateSignal):
    """The task succeeded, with `result`."""

    state_class = states.Success


class SKIP(StateSignal):
    """The task, and by default everything after it, is skipped."""

    state_class = states.Skipped


class RETRY(StateSignal):
    """Retry at `start_time`, by default immediately, whatever max_retries says."""

    state_class = states.Retrying

    def __init__(
        self, message: str | None = None, result: Any = None, start_time: datetime | None = None, **fields: Any
    ) -> None:
        timing = {} if start_time is None else {"start_time": start_time}
        super().__init__(message, result, **timing, **fields)


class PAUSE(StateSignal):
    """Wait for a person, or until `start_time`."""

    state_class = states.Paused


class LOOP(StateSignal):
    """Run the task again immediately; the next round finds `result` in `context.task_loop_result`."""

    state_class = states.Looped


_BY_STATE: dict[type[states.State], type[StateSignal]] = {
    signal.state_class: signal for signal in (FAIL, TRIGGERFAIL, VALIDATIONFAIL, SUCCESS, SKIP, RETRY, PAUSE, LOOP)
}


def signal_from_state(state: states.State) -> type[StateSignal]:
    """The signal class that ends a task in such a state: `raise signal_from_state(state)("why")`.

    A more specific state yields the signal of its nearest ancestor.
    """
    for cls in type(state).__mro__:
        if cls in _BY_STATE:
            return _BY_STATE[cls]
    raise ValueError(f"No signal leads to the state {type(state).__name__}.")
