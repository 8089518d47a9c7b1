"""Rows of artifacts. Only `ArtifactContent` and `NewArtifact` have the bytes."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.server.db.rows.row_type import RowType


class ArtifactFacts(RowType):
    """What replacing or removing an artifact needs to know."""

    id: UUID
    project_id: UUID
    flow_run_id: UUID | None
    attempt: int
    number: int
    kind: str
    key: str | None
    version: int | None
    size: int


class ArtifactContent(RowType):
    """The bytes of an artifact."""

    kind: str
    key: str | None
    version: int | None
    media_type: str
    file_name: str | None
    content: bytes


class ArtifactRow(RowType):
    """An artifact without its bytes, with the names of its project, flow and run."""

    id: UUID
    project: str
    flow_id: UUID
    flow: str
    flow_run_id: UUID | None
    flow_run: str | None
    task_slug: str | None
    map_index: int
    kind: str
    key: str | None
    version: int | None
    title: str
    media_type: str
    file_name: str | None
    size: int
    sha256: str
    progress: float | None
    retention: str
    created: datetime
    updated: datetime


class LatestArtifact(ArtifactRow):
    """The latest version of a key, with what the list of keys is ordered by."""

    key_id: UUID
    key_updated: datetime


class ArtifactValues(TypedDict):
    """What a request says of an artifact."""

    attempt: int
    number: int
    title: str
    media_type: str
    file_name: str | None
    size: int
    sha256: str
    progress: float | None
    retention: str
    updated: datetime
    content: bytes


class NewArtifact(ArtifactValues):
    """An artifact to store."""

    id: UUID
    project_id: UUID
    flow_id: UUID
    flow_run_id: UUID | None
    slot: str
    task_slug: str | None
    map_index: int
    kind: str
    key: str | None
    version: int | None
    created: datetime
