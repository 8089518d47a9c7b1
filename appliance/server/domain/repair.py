"""Which live runs are silent, stuck, overdue or without a process, and what is to be done: give back, crash or cancel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from appliance.kit.documents import JsonDocument
from appliance.protocol.state_change import StateChange
from appliance.protocol.states import TERMINAL
from appliance.server.domain.rules import Rules
from appliance.server.domain.transitions import CANCELLED, CANCELLING, FAILED, LIVE, PENDING, RUNNING, SCHEDULED

MOST_RETURNS = 3
"""How often a run that never began is given back; after that something is wrong with it or its agents, and it is Crashed."""


class WatchedRun(Protocol):
    """What matters of a run here."""

    @property
    def state_type(self) -> str: ...

    @property
    def state_at(self) -> datetime: ...

    @property
    def lease_expires_at(self) -> datetime | None: ...

    @property
    def times_resurrected(self) -> int: ...

    @property
    def start_time(self) -> datetime | None: ...


@dataclass(frozen=True)
class Remedy:
    """What to do, and the state that the run gets by it. `give_back`: another agent may take the run."""

    action: Literal["give_back", "crash", "cancel", "time_out"]
    change: StateChange


def silent(run: WatchedRun, rules: Rules, now: datetime) -> Remedy | None:
    """The remedy for a live run whose lease is over; None while it is heard from."""
    if run.state_type not in LIVE or run.lease_expires_at is None or run.lease_expires_at >= now:
        return None
    lost = "The agent that took the run was not heard from again; the run waits for another."
    gone = f"The run was not heard from for {rules.run_lease:.0f} s; its process or its machine is gone."
    return _give_back_or_end(run, lost, gone, now)


def stuck(run: WatchedRun, rules: Rules, now: datetime) -> Remedy | None:
    """The remedy for a run that has passed its deadline: to begin after an agent has taken it, or to end after it was asked to stop."""
    deadline = {PENDING: rules.start_deadline, CANCELLING: rules.stop_deadline}.get(run.state_type)
    if deadline is None or run.state_at >= now - timedelta(seconds=deadline):
        return None
    cause = f"The agent that took the run did not start it within {deadline:.0f} s"
    return _give_back_or_end(run, f"{cause}; the run waits for another.", f"{cause}.", now)


def overran(run: WatchedRun, timeout: float | None, now: datetime) -> Remedy | None:
    """The remedy for a run that has been running for longer than it may. It need not be silent: its process may be frozen while its
    agent reports it, or wait forever for something that never comes."""
    if run.state_type != RUNNING or run.start_time is None or not timeout:
        return None
    if run.start_time + timedelta(seconds=timeout) > now:
        return None
    cause = f"The run did not end within its run_timeout of {timeout:g} s, so it was stopped."
    return Remedy("time_out", StateChange(FAILED, "TimedOut", now, cause))


def exited(run: WatchedRun, cause: str, data: JsonDocument | None, now: datetime) -> Remedy | None:
    """The remedy for a run whose process has exited; None when the run had ended before."""
    return None if run.state_type in TERMINAL else _end(run, cause, data, now)


def _give_back_or_end(run: WatchedRun, lost: str, gone: str, now: datetime) -> Remedy:
    """Give back what never began, with the message `lost`; end what did, or was given back too often, with `gone`."""
    if run.state_type == PENDING and run.times_resurrected < MOST_RETURNS:
        return Remedy("give_back", StateChange(SCHEDULED, "Scheduled", now, lost))
    return _end(run, gone, None, now)


def _end(run: WatchedRun, cause: str, data: JsonDocument | None, now: datetime) -> Remedy:
    """Cancelled when the run was asked to stop, else Crashed."""
    if run.state_type == CANCELLING:
        return Remedy("cancel", StateChange(CANCELLED, "Cancelled", now, "The run was stopped as requested.", data))
    return Remedy("crash", StateChange(FAILED, "Crashed", now, cause, data))
