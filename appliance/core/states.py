"""The states of flow runs and task runs.

A state is an immutable value. Each class knows the `type` and the `name` under which the server stores it; `to_wire` and
`from_wire` translate. Results never travel: `data` carries only small JSON, such as the location of a result or why a run failed.
A class without fields of its own is a plain subclass: a data class is made at import, which everybody waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from appliance.kit import clock

Wire = tuple[str, str, str | None, dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class State:
    """The state of a run: a message for people, the result, free context, and JSON data for the server."""

    type: ClassVar[str] = "PENDING"
    name: ClassVar[str] = "Pending"
    wire_fields: ClassVar[tuple[str, ...]] = ()

    message: str | None = None
    result: Any = None
    context: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    def is_pending(self) -> bool:
        return isinstance(self, Pending)

    def is_scheduled(self) -> bool:
        return isinstance(self, Scheduled | Queued)

    def is_running(self) -> bool:
        return isinstance(self, Running)

    def is_finished(self) -> bool:
        return isinstance(self, Finished)

    def is_successful(self) -> bool:
        return isinstance(self, Success)

    def is_failed(self) -> bool:
        return isinstance(self, Failed)

    def is_cancelled(self) -> bool:
        return isinstance(self, Cancelled)

    def is_skipped(self) -> bool:
        return isinstance(self, Skipped)

    def is_mapped(self) -> bool:
        return isinstance(self, Mapped)

    def is_cached(self) -> bool:
        return isinstance(self, Cached)

    def is_looped(self) -> bool:
        return isinstance(self, Looped)

    def is_retrying(self) -> bool:
        return isinstance(self, Retrying)

    def is_paused(self) -> bool:
        return isinstance(self, Paused)

    def is_submitted(self) -> bool:
        return isinstance(self, Submitted)

    def is_queued(self) -> bool:
        return isinstance(self, Queued)

    def is_meta_state(self) -> bool:
        return isinstance(self, MetaState)

    def to_wire(self) -> Wire:
        """(type, name, message, data), where data is small and JSON-safe."""
        data = dict(self.data)
        for key in self.wire_fields:
            value = getattr(self, key)
            if value is not None:
                data[key] = clock.isoformat(value) if isinstance(value, datetime) else value
        if "run_count" not in data and "task_run_count" in self.context:
            data["run_count"] = self.context["task_run_count"]
        return self.type, self.name, self.message, data

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind}>" if self.message is None else f"<{kind}: {self.message}>"


def _require_zone(state: Scheduled | Queued) -> None:
    start = state.start_time
    if start is not None and (not isinstance(start, datetime) or start.tzinfo is None):
        raise ValueError(f"start_time of {type(state).__name__} must be a datetime with a time zone offset.")


class Pending(State):
    """Not started."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Scheduled(Pending):
    """To start at `start_time`."""

    type: ClassVar[str] = "SCHEDULED"
    name: ClassVar[str] = "Scheduled"
    wire_fields: ClassVar[tuple[str, ...]] = ("start_time",)

    start_time: datetime | None = field(default_factory=clock.now)

    def __post_init__(self) -> None:
        _require_zone(self)


class Late(Scheduled):
    """Scheduled, but its start time has passed unnoticed."""

    __slots__ = ()

    name: ClassVar[str] = "Late"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Paused(Scheduled):
    """Waits for a person, or for `start_time` when there is one."""

    type: ClassVar[str] = "PAUSED"
    name: ClassVar[str] = "Paused"

    start_time: datetime | None = None


class Resume(Scheduled):
    """A person resumed a paused run."""

    __slots__ = ()

    name: ClassVar[str] = "Resume"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Retrying(Scheduled):
    """Failed `run_count` times and retries at `start_time`."""

    name: ClassVar[str] = "AwaitingRetry"
    wire_fields: ClassVar[tuple[str, ...]] = ("start_time", "run_count")

    run_count: int = 1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MetaState(State):
    """Wraps the state that matters; nested wrappers are unwrapped."""

    state: State | None = None

    def __post_init__(self) -> None:
        inner = self.state
        while isinstance(inner, MetaState):
            inner = inner.state
        object.__setattr__(self, "state", inner)


class ClientFailed(MetaState):
    """The server could not be informed; neither finished nor running."""

    __slots__ = ()

    name: ClassVar[str] = "ClientFailed"


class Submitted(MetaState):
    """Claimed by an agent, not yet running."""

    __slots__ = ()

    name: ClassVar[str] = "Submitted"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Queued(MetaState):
    """Waits for a slot and retries at `start_time`."""

    name: ClassVar[str] = "Queued"
    wire_fields: ClassVar[tuple[str, ...]] = ("start_time",)

    start_time: datetime | None = field(default_factory=clock.now)

    def __post_init__(self) -> None:
        MetaState.__post_init__(self)
        _require_zone(self)


class Running(State):
    """Its code is running."""

    __slots__ = ()

    type: ClassVar[str] = "RUNNING"
    name: ClassVar[str] = "Running"


class Cancelling(Running):
    """Still running, but asked to stop."""

    __slots__ = ()

    type: ClassVar[str] = "CANCELLING"
    name: ClassVar[str] = "Cancelling"


class Finished(State):
    """Over. The classes below say how."""

    __slots__ = ()

    type: ClassVar[str] = "SUCCESS"
    name: ClassVar[str] = "Finished"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Looped(Finished):
    """One round of a loop is over; the next one starts immediately."""

    name: ClassVar[str] = "Looped"
    wire_fields: ClassVar[tuple[str, ...]] = ("loop_count",)

    loop_count: int = 1


class Success(Finished):
    """Succeeded; its result can be used."""

    __slots__ = ()

    name: ClassVar[str] = "Success"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cached(Success):
    """Not run, since an earlier result is still valid."""

    name: ClassVar[str] = "Cached"
    wire_fields: ClassVar[tuple[str, ...]] = ("cached_result_expiration",)

    hashed_inputs: dict[str, str] | None = None
    cached_parameters: dict[str, Any] | None = None
    cached_result_expiration: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Mapped(Success):
    """The parent of `n_map_states` mapped children."""

    name: ClassVar[str] = "Mapped"
    wire_fields: ClassVar[tuple[str, ...]] = ("n_map_states",)

    map_states: Sequence[State] = ()
    n_map_states: int = 0

    def __post_init__(self) -> None:
        if self.map_states and not self.n_map_states:
            object.__setattr__(self, "n_map_states", len(self.map_states))


class Skipped(Success):
    """Deliberately not run; counts as success."""

    __slots__ = ()

    name: ClassVar[str] = "Skipped"


class Cancelled(Finished):
    """Stopped by a person; neither success nor failure."""

    __slots__ = ()

    type: ClassVar[str] = "CANCELLED"
    name: ClassVar[str] = "Cancelled"


class Failed(Finished):
    """Went wrong; `data` says where, `result` is the exception."""

    __slots__ = ()

    type: ClassVar[str] = "FAILED"
    name: ClassVar[str] = "Failed"


class TimedOut(Failed):
    """Took longer than its timeout."""

    __slots__ = ()

    name: ClassVar[str] = "TimedOut"


class TriggerFailed(Failed):
    """Not run, since its upstream tasks did not end as its trigger requires."""

    __slots__ = ()

    name: ClassVar[str] = "TriggerFailed"


class ValidationFailed(Failed):
    """A validator rejected its result."""

    __slots__ = ()

    name: ClassVar[str] = "ValidationFailed"


class Crashed(Failed):
    """Its process died without reporting."""

    __slots__ = ()

    name: ClassVar[str] = "Crashed"


_CLASSES: tuple[type[State], ...] = (
    *(Pending, Scheduled, Late, Paused, Resume, Retrying, ClientFailed, Submitted, Queued, Running, Cancelling),
    *(
        Finished,
        Looped,
        Success,
        Cached,
        Mapped,
        Skipped,
        Cancelled,
        Failed,
        TimedOut,
        TriggerFailed,
        ValidationFailed,
        Crashed,
    ),
)
_BY_WIRE = {(cls.type, cls.name): cls for cls in _CLASSES}
_BY_TYPE: dict[str, type[State]] = {
    "SCHEDULED": Scheduled,
    "PENDING": Pending,
    "PAUSED": Paused,
    "RUNNING": Running,
    "CANCELLING": Cancelling,
    "SUCCESS": Success,
    "FAILED": Failed,
    "CANCELLED": Cancelled,
}


def from_wire(type: str, name: str, message: str | None = None, data: Mapping[str, Any] | None = None) -> State:
    """The state that the server calls `type`/`name`; an unknown name falls back to the plain state of its type."""
    cls = _BY_WIRE.get((type, name)) or _BY_TYPE.get(type)
    if cls is None:
        raise ValueError(f"There is no state type {type!r}; the types are {', '.join(_BY_TYPE)}.")
    rest = dict(data or {})
    fields: dict[str, Any] = {key: rest.pop(key) for key in cls.wire_fields if key in rest}
    for key in ("start_time", "cached_result_expiration"):
        if fields.get(key) is not None:
            fields[key] = clock.parse(fields[key])
    context = {"task_run_count": data["run_count"]} if data and "run_count" in data else {}
    return cls(message=message, context=context, data=rest, **fields)
