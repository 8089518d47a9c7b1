"""A schedule of a flow: when runs become due, with which parameters. Edits raise its version."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlmodel import Field, SQLModel

from appliance.kit.documents import JsonDocument, Parameters
from appliance.server.db.tables.columns import Document, Id, Json, OneOf, Texts, Time, Whole, partial_index
from appliance.server.domain.scheduling import POLICIES


class _Declared(msgspec.Struct):
    parameters: dict[str, Any] | None = None
    labels: list[str] | None = None


class Schedule(SQLModel, table=True):
    __tablename__ = "schedule"
    __table_args__ = (partial_index("ix_schedule_plan", "plan_at", where="active"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    flow_id: UUID = Field(sa_type=Id, foreign_key="flow.id", ondelete="CASCADE", index=True)
    kind: str = Field(max_length=20)  # cron, interval
    document: JsonDocument = Field(sa_type=Document)  # what schedules.parse reads
    timezone: str = Field(default="UTC", max_length=100)
    parameters: Parameters = Field(default_factory=dict, sa_type=Document)
    labels: list[str] = Field(default_factory=list, sa_type=Texts)
    run_config: JsonDocument | None = Field(default=None, sa_type=Document)  # what its runs have beside the flow's
    active: bool = True
    catch_up: str = Field(default="latest", sa_type=OneOf(*POLICIES))
    catch_up_cap: int = Field(default=100, sa_type=Whole)
    catch_up_window: float | None = None  # seconds: what is overdue for longer gets no run
    overlap: str = Field(default="allow", sa_type=OneOf("allow", "queue", "skip", "cancel"))
    origin: str = Field(default="code", max_length=20)  # code, ui
    declared: JsonDocument | None = Field(
        default=None, sa_type=Json(JsonDocument, _Declared)
    )  # what code said at the last registration
    version: int = Field(default=1, sa_type=Whole)
    scheduled_until: datetime | None = Field(default=None, sa_type=Time)  # every due time up to here is dealt with
    plan_at: datetime | None = Field(
        default=None, sa_type=Time
    )  # when to look next; null: there is nothing more to come
    created: datetime = Field(sa_type=Time)
    updated: datetime = Field(sa_type=Time)
