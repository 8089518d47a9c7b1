"""Secrets of projects in GraphQL, without their values, and the inputs of their mutations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.rows.secrets import SecretRow, SecretUse


@strawberry.type(description="A flow whose newest version declares a secret, so that its runs may read it.")
class SecretUser:
    flow_id: UUID
    flow_name: str


@strawberry.type(description="A secret of a project. Nobody can read its value but runs of flows that declare it.")
class Secret:
    id: UUID
    project_id: UUID
    project_name: str
    name: str
    version: int = strawberry.field(description="Counts the values that it has had.")
    created: datetime
    created_by: str
    updated: datetime
    updated_by: str
    used_by: list[SecretUser] = strawberry.field(description="By name, at most 20.")
    user_count: int


@strawberry.type
class SecretPage:
    items: list[Secret]
    next: str | None


@strawberry.input(description="A secret of the same project and name gets the new value. A missing project is created.")
class SetSecretInput:
    project: str
    name: str
    value: str
    idempotency_key: str | None = None


@strawberry.input
class DeleteSecretInput:
    secret_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class SetSecretPayload:
    secret: Secret


@strawberry.type
class DeleteSecretPayload:
    secret_id: UUID


def secret(row: SecretRow, uses: Sequence[SecretUse], total: int) -> Secret:
    return Secret(
        id=row.id,
        project_id=row.project_id,
        project_name=row.project,
        name=row.name,
        version=row.version,
        created=row.created,
        created_by=row.created_by,
        updated=row.updated,
        updated_by=row.updated_by,
        used_by=[SecretUser(flow_id=use.flow_id, flow_name=use.flow) for use in uses],
        user_count=total,
    )
