"""A flow is what people name; a flow version is one registered content of it and never changes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.kit.documents import JsonDocument
from appliance.server.db.tables.columns import BigKey, Document, Documents, Id, Json, Texts, Time, Whole


class _Named(msgspec.Struct):
    name: str


class _Task(msgspec.Struct):
    slug: str


class _Edge(msgspec.Struct):
    upstream: str
    downstream: str


class _Graph(msgspec.Struct):
    tasks: list[_Task] = []
    edges: list[_Edge] = []
    reference_tasks: list[str] = []
    secrets: list[str] = []


class _Settings(msgspec.Struct):
    deletion: UUID | None = None  # the job that deletes the flow


class Flow(SQLModel, table=True):
    __tablename__ = "flow"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    project_id: UUID = Field(sa_type=Id, foreign_key="project.id", ondelete="CASCADE", index=True)
    name: str = Field(max_length=200)
    overrides: JsonDocument = Field(default_factory=dict, sa_type=Document)  # labels, parameters, run_config
    settings: JsonDocument = Field(default_factory=dict, sa_type=Json(JsonDocument, _Settings))
    paused: bool = False
    archived: bool = False
    owner: str = Field(default="", max_length=200, sa_column_kwargs={"server_default": ""})  # as the code says
    created: datetime = Field(sa_type=Time)
    updated: datetime = Field(sa_type=Time)


class FlowVersion(SQLModel, table=True):
    __tablename__ = "flow_version"
    __table_args__ = (
        UniqueConstraint("flow_id", "number"),
        Index("ix_flow_version_content", "flow_id", "content_hash"),
    )

    id: UUID = Field(sa_type=Id, primary_key=True)
    flow_id: UUID = Field(sa_type=Id, foreign_key="flow.id", ondelete="CASCADE")
    number: int = Field(sa_type=Whole)
    content_hash: str = Field(
        max_length=64
    )  # domain.versions.fingerprint; until schema 0005, the hash that the client sent
    restores: int | None = Field(default=None, sa_type=Whole)  # the number of the first version with this content
    changes: list[str] | None = Field(default=None, sa_type=Texts)  # what differs from the version before, in words
    graph: JsonDocument = Field(sa_type=Json(JsonDocument, _Graph))  # tasks, edges, reference_tasks, secrets
    parameters: list[JsonDocument] = Field(
        sa_type=Json(list[JsonDocument], list[_Named])
    )  # name, required, default, schema
    schedules: list[JsonDocument] = Field(default_factory=list, sa_type=Documents)  # as declared in code
    storage: JsonDocument = Field(sa_type=Document)
    storage_type: str = Field(default="local", max_length=40, sa_column_kwargs={"server_default": "local"})
    run_config: JsonDocument = Field(sa_type=Document)
    labels: list[str] = Field(default_factory=list, sa_type=Texts)
    sdk_version: str = Field(default="", max_length=50)
    created: datetime = Field(sa_type=Time)
    created_by: str = Field(default="", max_length=200)
    stored_bytes: int = Field(default=0, sa_type=BigKey, sa_column_kwargs={"server_default": "0"})
