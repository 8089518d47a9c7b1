"""Rows of bundles. Only `BundleBytes` and `NewBundle` have the bytes."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.server.db.rows.row_type import RowType


class BundleRow(RowType):
    """A bundle without its bytes, with the name of its project and how many versions name it."""

    id: UUID
    project_id: UUID
    project: str
    digest: str
    size: int
    sealed: bool
    key_id: str | None
    created: datetime
    created_by: str
    used: datetime
    versions: int


class BundleFlow(RowType):
    """A flow with a version that names a bundle, and how many such flows there are."""

    bundle_id: UUID
    flow_id: UUID
    flow: str
    total: int


class BundleBytes(RowType):
    """The bytes, with the hash that they had."""

    sha256: str
    content: bytes


class BundleUse(RowType):
    """When someone last asked for a bundle."""

    project_id: UUID
    used: datetime


class BundleSize(RowType):
    """What is taken off a project when a bundle goes."""

    id: UUID
    project_id: UUID
    size: int


class NewBundle(TypedDict):
    """A bundle to store."""

    id: UUID
    project_id: UUID
    digest: str
    sha256: str
    size: int
    sealed: bool
    key_id: str | None
    created: datetime
    created_by: str
    used: datetime
    content: bytes
