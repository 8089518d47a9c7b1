"""Rows of flows and their versions, and what rows and mapped objects of them have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from appliance.kit.documents import JsonDocument
from appliance.server.db.rows.row_type import RowType


class FlowDefaults(Protocol):
    """What a new run takes from its flow."""

    @property
    def id(self) -> UUID: ...

    @property
    def overrides(self) -> JsonDocument: ...


class VersionDefaults(Protocol):
    """What a new run takes from the version that it executes."""

    @property
    def id(self) -> UUID: ...

    @property
    def parameters(self) -> list[JsonDocument]: ...

    @property
    def labels(self) -> list[str]: ...

    @property
    def run_config(self) -> JsonDocument: ...

    @property
    def storage_type(self) -> str: ...


class RunnableFlow(RowType):
    """A flow, as creating a run needs it."""

    id: UUID
    project_id: UUID
    name: str
    overrides: JsonDocument
    archived: bool
    project: str


class RunnableVersion(RowType):
    """A version, as creating a run needs it: without the graph."""

    id: UUID
    parameters: list[JsonDocument]
    labels: list[str]
    run_config: JsonDocument
    storage_type: str


class FlowRow(RowType):
    """A whole flow."""

    id: UUID
    project_id: UUID
    name: str
    overrides: JsonDocument
    settings: JsonDocument
    paused: bool
    archived: bool
    owner: str
    created: datetime
    updated: datetime


class FlowVersionRow(RowType):
    """A whole version of a flow."""

    id: UUID
    flow_id: UUID
    number: int
    content_hash: str
    restores: int | None
    changes: list[str] | None
    graph: JsonDocument
    parameters: list[JsonDocument]
    schedules: list[JsonDocument]
    storage: JsonDocument
    storage_type: str
    run_config: JsonDocument
    labels: list[str]
    sdk_version: str
    created: datetime
    created_by: str
    stored_bytes: int


class VersionSummary(RowType):
    """A version in a list of a flow's versions: what was registered when, by whom, and what changed."""

    id: UUID
    flow_id: UUID
    number: int
    restores: int | None
    changes: list[str] | None
    labels: list[str]
    sdk_version: str
    created: datetime
    created_by: str
    image: str | None
    image_id: str | None


class VersionWork(RowType):
    """What an agent needs to start runs of a version."""

    id: UUID
    storage: JsonDocument
    flow: str
    project_id: UUID
    project: str
