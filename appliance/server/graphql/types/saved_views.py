"""Saved views in GraphQL, and the inputs of their mutations."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.server.db.rows.saved_views import SavedViewRow
from appliance.server.graphql.types.inputs import FlowRunSort


@strawberry.type(description="A query for runs that you have saved under a name.")
class SavedView:
    id: UUID
    name: str
    q: str
    sort: FlowRunSort | None = strawberry.field(description="Null for the usual order.")
    columns: list[str] = strawberry.field(
        description="Of the table in the UI; empty for those that you have chosen for it."
    )
    default: bool = strawberry.field(description="Whether the page of runs opens with it.")


@strawberry.input(description="It takes the place of your view of this name, if there is one.")
class SaveViewInput:
    name: str
    q: str = ""
    sort: FlowRunSort | None = None
    columns: list[str] = strawberry.field(default_factory=list)
    default: bool | None = None
    idempotency_key: str | None = None


@strawberry.input(description="What is null stays as it is.")
class EditViewInput:
    saved_view_id: UUID
    name: str | None = None
    default: bool | None = None
    idempotency_key: str | None = None


@strawberry.input
class DeleteViewInput:
    saved_view_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class SavedViewPayload:
    saved_view: SavedView


@strawberry.type
class DeleteViewPayload:
    saved_view_id: UUID


def saved_view(row: SavedViewRow) -> SavedView:
    return SavedView(
        id=row.id,
        name=row.name,
        q=row.q,
        sort=None if row.sort is None else FlowRunSort(row.sort),
        columns=row.columns,
        default=row.is_default,
    )
