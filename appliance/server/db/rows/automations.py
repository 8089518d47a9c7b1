"""Rows of automations and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from appliance.kit.documents import JsonDocument
from appliance.protocol.automations import DeliveryState
from appliance.server.db.rows.row_type import RowType


class AutomationRow(RowType):
    """A whole automation."""

    id: UUID
    name: str
    folded_name: str
    enabled: bool
    events: list[str]
    q: str
    action: dict[str, Any]
    at_most: int
    per: float
    unless_known: bool
    unless_maintenance: bool
    after_event: int
    revision: int
    created: datetime
    created_by: str
    updated: datetime
    updated_by: str


class AutomationColumns(TypedDict, total=False):
    """What editing an automation changes."""

    name: str
    folded_name: str
    enabled: bool
    events: list[str]
    q: str
    action: Mapping[str, Any]
    at_most: int
    per: float
    unless_known: bool
    unless_maintenance: bool
    after_event: int
    revision: int
    updated: datetime
    updated_by: str


class NewAutomation(AutomationColumns):
    """An automation to insert."""

    id: UUID
    created: datetime
    created_by: str


class DeliveryRow(RowType):
    """A whole delivery."""

    id: UUID
    automation_id: UUID
    event_id: int
    event: str
    object_id: UUID
    message: dict[str, Any]
    state: DeliveryState
    reason: str
    attempts: int
    created: datetime
    expires: datetime
    tried_at: datetime | None
    next_try_at: datetime
    answer: str


class DueDelivery(RowType):
    """A delivery that is due, with the action of its automation."""

    id: UUID
    automation_id: UUID
    name: str
    event: str
    message: dict[str, Any]
    attempts: int
    expires: datetime
    action: dict[str, Any]


class NewDelivery(TypedDict):
    """A delivery to insert."""

    id: UUID
    automation_id: UUID
    event_id: int
    event: str
    object_id: UUID
    message: Mapping[str, Any]
    state: DeliveryState
    reason: str
    attempts: int
    created: datetime
    expires: datetime
    tried_at: datetime | None
    next_try_at: datetime
    answer: str


class DeliveryColumns(TypedDict, total=False):
    """What an attempt changes."""

    message: Mapping[str, Any]
    state: DeliveryState
    reason: str
    attempts: int
    expires: datetime
    tried_at: datetime | None
    next_try_at: datetime
    answer: str


class DeliveryCounts(RowType):
    """How an automation's deliveries stand."""

    automation_id: UUID
    pending: int
    failed: int
    last_at: datetime | None


class EventSubject(RowType):
    """The run of an event, with what a message says of it."""

    id: UUID
    flow_id: UUID
    run: str
    flow: str
    project: str
    state: str
    state_message: str
    scheduled_time: datetime
    start_time: datetime | None
    agent: str | None
    schedule_id: UUID | None
    context: JsonDocument
