"""Rows of the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Required, TypedDict
from uuid import UUID

from appliance.kit.documents import JsonDocument
from appliance.server.db.rows.row_type import RowType


class EventRow(RowType):
    """A whole event."""

    id: int
    at: datetime
    topic: str
    object_id: UUID
    kind: str
    data: JsonDocument
    actor: str
    delivered: bool


class RunEvent(RowType):
    """An event with the flow and times of its run; they are None for other events and for runs that are gone."""

    id: int
    at: datetime
    kind: str
    data: JsonDocument
    flow_id: UUID | None
    start_time: datetime | None
    scheduled_time: datetime | None
    created: datetime | None


class NewEvent(TypedDict):
    """An event to store."""

    at: datetime
    topic: str
    object_id: UUID
    kind: str
    data: Mapping[str, object]
    actor: str
    delivered: bool


class MoreNews(TypedDict, total=False):
    """What the event for a run's new state says beside it: what else it is for automations, and why."""

    also: str
    reason: str


class StateNews(MoreNews):
    """The data of the event for a run's new state."""

    type: Required[str]
    name: Required[str]
    version: Required[int]
