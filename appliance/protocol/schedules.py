"""Messages about schedules, their policies for missed due times and overlapping runs, and what code and operators say of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.message import Answer, Message


class PolicyFields(Message, kw_only=True):
    """`catch_up` is all, latest or none; `overlap` is allow, queue, skip or cancel. The window is in seconds; 0 removes it."""

    catch_up: str | None = None
    catch_up_cap: int | None = None
    catch_up_window: float | None = None
    overlap: str | None = None


class CreateSchedule(PolicyFields, kw_only=True):
    document: JsonDocument
    parameters: Parameters | None = None  # None: those of the document


class EditSchedule(PolicyFields, kw_only=True):
    """`document`, `parameters`, `labels` and `run_config` replace what is there; `reset` names fields that get the values that code declares.

    With a `version`, the edit is refused if the schedule has another one by now.
    """

    active: bool | None = None
    document: JsonDocument | None = None
    parameters: Parameters | None = None
    labels: list[str] | None = None
    run_config: JsonDocument | None = None
    reset: list[str] = []
    version: int | None = None


class PreviewSchedule(Message, kw_only=True):
    """A schedule that a flow might have: its document, and its parameters if not in it."""

    document: JsonDocument
    parameters: Parameters | None = None
    limit: int = 10
    schedule_id: UUID | None = None  # the schedule that is being edited: what is skipped of it stays skipped


class SkipDueTime(Message, kw_only=True):
    """One due time of a schedule, to be skipped or restored."""

    at: datetime
    reason: str = ""


class DueTime(Answer, kw_only=True):
    """A due time, also as the clock of the schedule's zone shows it, and what is special about it, a sentence each. `skipped`: it gets no
    run, because a person has skipped it or deleted its run; who, and why."""

    at: datetime
    local: str
    notes: list[str]
    skipped: str | None = None


class DroppedTime(Answer, kw_only=True):
    """A time that gets no run, and why."""

    at: datetime
    local: str
    reason: str


class SchedulePreview(Answer, kw_only=True):
    """The next due times. `dropped` are the first times until the last of them that a calendar drops; `missing` names required
    parameters without a value, for which the schedule would be refused."""

    description: str
    timezone: str
    times: list[DueTime]
    dropped: list[DroppedTime]
    missing: list[str]


class ScheduleDeletion(Answer, kw_only=True):
    """What deleting a schedule would delete with it. `declared`: the flow's code declares it."""

    planned_runs: int
    declared: bool


class FieldEdit(Answer, kw_only=True):
    """A field that an operator has changed: its value, and the one that code declares; null is none."""

    field: str  # a key of the document, a policy, "parameters.NAME", "labels.NAME", or "times" where kinds differ
    value: Any
    code: Any


class FieldChange(Answer, kw_only=True):
    """A field that registering has changed, because code declares another value than before."""

    field: str
    before: Any
    after: Any
    edited: bool  # whether `before` was an operator's edit, which is lost


class ScheduleNews(Answer, kw_only=True):
    """What registering has done with one schedule, and the operators' edits that it has kept."""

    id: UUID | None  # None if it does not exist any more
    description: str
    outcome: Literal["added", "changed", "kept", "removed", "left deleted", "turned off"]
    active: bool
    text: str  # all of it in one sentence
    changes: list[FieldChange] = []
    edits: list[FieldEdit] = []
