"""Rows of results that the appliance keeps. Only `Content` and `NewResult` have the bytes."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.server.db.rows.row_type import RowType


class Facts(RowType):
    """What is known of a result without its bytes."""

    id: UUID
    flow_run_id: UUID | None
    sha256: str
    size: int
    sealed: bool


class Content(RowType):
    """The bytes of a result."""

    project_id: UUID
    sha256: str
    sealed: bool
    content: bytes


class KeptResultRow(RowType):
    """A result without its bytes, with the names of its project, and of its run and flow, if it belongs to a run."""

    id: UUID
    project: str
    flow_run_id: UUID | None
    flow_run: str | None
    flow_id: UUID | None
    flow: str | None
    location: str
    sha256: str
    size: int
    sealed: bool
    key_id: str | None
    stored: datetime
    expires: datetime | None


class NewResult(TypedDict):
    """A result to store."""

    id: UUID
    project_id: UUID
    flow_run_id: UUID | None
    location: str
    sha256: str
    size: int
    sealed: bool
    key_id: str | None
    stored: datetime
    expires: datetime | None
    content: bytes


class Reader(RowType):
    """The run that asks for a result."""

    project_id: UUID
    state_type: str
    state_name: str
    attempt: int
