"""Rows of limits and of the holders of their slots."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.protocol.states import StateType
from appliance.server.db.rows.row_type import RowType


class LimitRow(RowType):
    """A whole limit."""

    id: UUID
    kind: str
    name: str
    slots: int
    created: datetime
    updated: datetime
    created_by: str
    per: float | None


class NewLimit(TypedDict):
    """A limit to store."""

    id: UUID
    kind: str
    name: str
    slots: int
    created: datetime
    updated: datetime
    created_by: str
    per: float | None


class TagLimit(RowType):
    """The limit of a task tag; one of the kind task_rate has a period in seconds."""

    id: UUID
    name: str
    slots: int
    per: float | None


class SlotHolder(RowType):
    """A task run that holds a slot, with the name of its run."""

    name: str
    task_slug: str
    map_index: int


class TaskHolder(RowType):
    """A task run that holds a slot: under which limit, since when, and the id and name of its run."""

    limit_id: UUID
    task_slug: str
    map_index: int
    at: datetime
    id: UUID
    name: str


class AttemptState(RowType):
    """The number and the state of a run's newest attempt."""

    state_type: StateType
    state_name: str
    attempt: int
