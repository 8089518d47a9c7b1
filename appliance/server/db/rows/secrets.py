"""Rows of secrets. Only `SealedSecret` and `NewSecret` have the value, sealed."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.protocol.states import StateType
from appliance.server.db.rows.row_type import RowType


class SecretRow(RowType):
    """A secret without its value, with the name of its project."""

    id: UUID
    project_id: UUID
    project: str
    name: str
    version: int
    created: datetime
    created_by: str
    updated: datetime
    updated_by: str


class SealedSecret(RowType):
    """What is needed to unseal a value."""

    id: UUID
    project_id: UUID
    name: str
    sealed: str
    key_id: str
    version: int


class NewSecret(TypedDict):
    """A secret to store."""

    id: UUID
    project_id: UUID
    name: str
    sealed: str
    key_id: str
    version: int
    created: datetime
    created_by: str
    updated: datetime
    updated_by: str


class SecretUse(RowType):
    """A flow that may read a secret, with how many such flows there are."""

    secret_id: UUID
    flow_id: UUID
    flow: str
    total: int


class SecretReader(RowType):
    """The run that asks for a secret."""

    flow_version_id: UUID
    number: int
    flow: str
    project_id: UUID
    project: str
    state_type: StateType
    state_name: str
    attempt: int
