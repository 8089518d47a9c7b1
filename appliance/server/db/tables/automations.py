"""Automations, and what each has sent or has yet to send: one delivery per automation and event."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.protocol.automations import STATES
from appliance.server.db.tables.columns import (
    BigKey,
    Document,
    Id,
    Json,
    LongText,
    OneOf,
    Texts,
    Time,
    Whole,
    partial_index,
)
from appliance.server.domain.automation_acts import StoredAction


class Automation(SQLModel, table=True):
    __tablename__ = "automation"
    __table_args__ = (UniqueConstraint("folded_name"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    name: str = Field(max_length=100)
    folded_name: str = Field(max_length=300)  # in no case, which can be longer
    enabled: bool = True
    events: list[str] = Field(sa_type=Texts)  # of protocol.automations.EVENTS
    q: str = Field(default="", max_length=500)
    action: dict[str, Any] = Field(sa_type=Json(dict[str, Any], StoredAction))
    at_most: int = Field(default=0, sa_type=Whole)  # 0: as often as it happens
    per: float = 3600.0  # seconds
    unless_known: bool = False
    unless_maintenance: bool = False
    after_event: int = Field(default=0, sa_type=BigKey)  # what happened before it was enabled doesn't concern it
    revision: int = Field(default=1, sa_type=Whole)
    created: datetime = Field(sa_type=Time)
    created_by: str = Field(max_length=200)
    updated: datetime = Field(sa_type=Time)
    updated_by: str = Field(max_length=200)


class Delivery(SQLModel, table=True):
    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("automation_id", "event_id"),
        Index("ix_delivery_automation_id_created", "automation_id", "created", "id"),
        partial_index("ix_delivery_next_try_at", "next_try_at", where="state = 'pending'"),
        Index("ix_delivery_created", "created"),
    )

    id: UUID = Field(sa_type=Id, primary_key=True)
    automation_id: UUID = Field(sa_type=Id, foreign_key="automation.id", ondelete="CASCADE")
    event_id: int = Field(sa_type=BigKey)
    event: str = Field(max_length=40)
    object_id: UUID = Field(sa_type=Id)  # the run, schedule or agent
    message: dict[str, Any] = Field(sa_type=Document)  # what is sent, as it was when it happened
    state: str = Field(sa_type=OneOf(*STATES))
    reason: str = Field(default="", max_length=500)
    attempts: int = Field(default=0, sa_type=Whole)
    created: datetime = Field(sa_type=Time)
    expires: datetime = Field(sa_type=Time)  # when it is given up
    tried_at: datetime | None = Field(default=None, sa_type=Time)
    next_try_at: datetime = Field(sa_type=Time)
    answer: str = Field(default="", sa_type=LongText)
