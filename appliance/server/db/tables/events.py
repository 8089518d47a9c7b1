"""The outbox: events, written in the transaction in which they happen, read by the live stream and the notifier."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from appliance.kit.documents import JsonDocument
from appliance.server.db.tables.columns import BigKey, Document, Id, Time


class Event(SQLModel, table=True):
    __tablename__ = "event"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    at: datetime = Field(sa_type=Time, index=True)
    topic: str = Field(max_length=40)  # flow_run, flow, schedule, agent, ...
    object_id: UUID = Field(sa_type=Id)
    kind: str = Field(max_length=60)  # flow_run.state, flow.registered, ...
    data: JsonDocument = Field(default_factory=dict, sa_type=Document)
    actor: str = Field(default="", max_length=200)
    delivered: bool = False
