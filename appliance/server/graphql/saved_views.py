"""Queries and mutations about saved views."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.protocol.saved_views import EditView, SaveView
from appliance.server.actions import saved_views as actions
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import saved_views as reads
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.types import saved_views as types
from appliance.server.graphql.types.saved_views import SavedView, saved_view


@strawberry.type
class SavedViewQueries:
    @root_field(Permission.SELF)
    def saved_views(self, info: Info) -> list[SavedView]:
        context = info.context
        return [saved_view(row) for row in reads.of_user(context.session(), actions.owner(context.actor))]


@strawberry.type
class SavedViewMutations:
    @root_mutation(Permission.SELF)
    def save_view(self, info: Info, input: types.SaveViewInput) -> types.SavedViewPayload:
        context = info.context
        request = SaveView(
            name=input.name,
            q=input.q,
            sort=None if input.sort is None else input.sort.value,
            columns=input.columns,
            default=input.default,
        )
        return _payload(info, actions.save(context.database, context.actor, request))

    @root_mutation(Permission.SELF)
    def edit_view(self, info: Info, input: types.EditViewInput) -> types.SavedViewPayload:
        request = EditView(name=input.name, default=input.default)
        actions.edit(info.context.database, info.context.actor, input.saved_view_id, request)
        return _payload(info, input.saved_view_id)

    @root_mutation(Permission.SELF)
    def delete_view(self, info: Info, input: types.DeleteViewInput) -> types.DeleteViewPayload:
        actions.delete(info.context.database, info.context.actor, input.saved_view_id)
        info.context.changed()
        return types.DeleteViewPayload(saved_view_id=input.saved_view_id)


def _payload(info: Info, view_id: UUID) -> types.SavedViewPayload:
    context = info.context
    context.changed()
    row = reads.own(context.session(), actions.owner(context.actor), view_id)
    if row is None:
        raise NotFound("The view has been deleted meanwhile.")
    return types.SavedViewPayload(saved_view=saved_view(row))
