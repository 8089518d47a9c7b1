"""What an attempt of a run may do: have a report stored, start tasks, go on at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgspec import structs

from appliance.kit.documents import JsonDocument
from appliance.protocol.state_change import StateChange
from appliance.protocol.states import TERMINAL
from appliance.server.domain.report_budget import ReportBudget
from appliance.server.domain.transitions import (
    CANCELLING,
    PENDING,
    RUNNING,
    Accepted,
    Refuse,
    ends_attempt,
    ends_task,
    stale,
)

_LONGEST_TIME = 100


class AttemptedRun(Protocol):
    """Which attempt of a run is the newest, and how far it is."""

    @property
    def state_type(self) -> str: ...

    @property
    def state_name(self) -> str: ...

    @property
    def attempt(self) -> int: ...


class ReportingRun(AttemptedRun, Protocol):
    """The same, and the number of the last batch that is stored."""

    @property
    def last_seq(self) -> int: ...

    @property
    def version(self) -> int: ...


@dataclass(frozen=True)
class Store:
    """Store the batch; the run's last number is `seq` then."""

    seq: int


@dataclass(frozen=True)
class Repeated:
    """The batch is stored already. `ended`: the attempt has no more to do."""

    ended: bool


@dataclass(frozen=True)
class Gap:
    """A batch before this one is missing."""

    sentence: str


def has_begun(run: AttemptedRun, attempt: int) -> bool:
    """Is the attempt running already, so that its request to begin is a repeated one?"""
    return run.state_type == RUNNING and attempt == run.attempt


def judge_report(run: ReportingRun, attempt: int, seq: int, *, empty: bool) -> Store | Repeated | Gap | Refuse:
    """What to do with the numbered batch of an attempt. An empty one is a heartbeat, which carries the last number."""
    if attempt != run.attempt:
        return stale(attempt, run.attempt)
    ended = ends_attempt(run.state_type)
    if seq <= run.last_seq and (ended or not empty):
        return Repeated(ended)
    if seq > run.last_seq + (not empty):
        return Gap(f"Batch {seq} came before batch {run.last_seq + 1}; send that one first.")
    if not _is_at_work(run):
        return Refuse("stale_attempt", f"The run is {run.state_name} and takes no reports; end this process.")
    return Store(run.last_seq if empty else seq)


def may_start_tasks(run: AttemptedRun, attempt: int) -> Refuse | None:
    """Why the attempt may start no tasks; None: it may."""
    return _at_work(run, attempt, "starts no tasks")


def may_start_runs(run: AttemptedRun, attempt: int) -> Refuse | None:
    """Why the attempt may start no runs; None: it may."""
    if run.state_type == CANCELLING and attempt == run.attempt:
        return Refuse("cancelling", "The run is being cancelled and starts no others.")
    return _at_work(run, attempt, "starts no others")


def may_read_secrets(run: AttemptedRun, attempt: int) -> Refuse | None:
    """Why the attempt gets no secrets; None: it does. Before it begins, its agent may need some to fetch the code."""
    if attempt == run.attempt and run.state_type == PENDING:
        return None
    return _at_work(run, attempt, "gets no secrets")


def may_use_results(run: AttemptedRun, attempt: int) -> Refuse | None:
    """Why the attempt may not store and read results here; None: it may."""
    return _at_work(run, attempt, "neither stores nor reads results")


def may_make_artifacts(run: AttemptedRun, attempt: int) -> Refuse | None:
    """Why the attempt may make no artifacts; None: it may."""
    return _at_work(run, attempt, "makes no artifacts")


def _at_work(run: AttemptedRun, attempt: int, otherwise: str) -> Refuse | None:
    if attempt != run.attempt:
        return stale(attempt, run.attempt)
    if not _is_at_work(run):
        return Refuse("stale_attempt", f"The run is {run.state_name} and {otherwise}; end this process.")
    return None


def is_one_too_many(version: int, type: str, name: str, most: int) -> bool:
    """Is this state of a task run not kept, since it has so many? Its final one is."""
    return version >= most and not ends_task(type, name)


def bounded(run: ReportingRun, reached: Accepted, most: int, budget: ReportBudget) -> tuple[Accepted, bool]:
    """Those of an attempt's states that are kept, and whether some aren't because the run has `most`. With which it ends is always kept, but
    of its data only when to go on, once the budget is spent."""
    kept: list[StateChange] = []
    too_many = False
    for change in reached:
        ends = ends_attempt(change.type)
        if run.version + len(kept) >= most and not ends:
            too_many = True
        elif budget.admit(change.message, change.data):
            kept.append(change)
        elif ends:
            kept.append(structs.replace(change, data=_when_to_go_on(change)))
    return Accepted(tuple(kept)), too_many


def _when_to_go_on(change: StateChange) -> JsonDocument | None:
    start = (change.data or {}).get("start_time")
    return {"start_time": start} if isinstance(start, str) and len(start) < _LONGEST_TIME else None


def stop_reason(type: str, name: str, message: str) -> str:
    """Why the process of a run's newest attempt must stop; empty: it need not."""
    if type == CANCELLING:
        return message or "The run was cancelled."
    return f"The run has already ended as {name}." if type in TERMINAL else ""


def _is_at_work(run: AttemptedRun) -> bool:
    return run.state_type in (RUNNING, CANCELLING)
