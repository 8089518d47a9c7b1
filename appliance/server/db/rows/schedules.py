"""Rows of schedules and of due times that got no run."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.kit.documents import JsonDocument, Parameters
from appliance.server.db.rows.row_type import RowType


class ScheduleRow(RowType):
    """A whole schedule."""

    id: UUID
    flow_id: UUID
    kind: str
    document: JsonDocument
    timezone: str
    parameters: Parameters
    labels: list[str]
    run_config: JsonDocument | None
    active: bool
    catch_up: str
    catch_up_cap: int
    catch_up_window: float | None
    overlap: str
    origin: str
    declared: JsonDocument | None
    version: int
    scheduled_until: datetime | None
    plan_at: datetime | None
    created: datetime
    updated: datetime


class ScheduleSummary(RowType):
    """What a list of flows shows of a schedule."""

    id: UUID
    flow_id: UUID
    document: JsonDocument
    timezone: str
    active: bool


class SkipRow(RowType):
    """A range of due times that got no run."""

    id: int
    schedule_id: UUID
    version: int
    first: datetime
    last: datetime
    count: int
    code: str
    reason: str
    at: datetime


class LeftOut(RowType):
    """A due time that gets no run because of a person."""

    id: int
    schedule_id: UUID
    last: datetime
    code: str
    reason: str


class NewSkip(TypedDict):
    """A range of due times without runs, to record."""

    schedule_id: UUID
    version: int
    first: datetime
    last: datetime
    count: int
    code: str
    reason: str
    at: datetime


class PlanUpdate(TypedDict):
    """Up to when a schedule is planned, and when to look again."""

    schedule: UUID
    until: datetime | None
    again: datetime | None
