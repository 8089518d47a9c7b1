"""Queries and mutations about limits on how many runs or tasks run at once."""

from __future__ import annotations

import strawberry

from appliance.kit import clock
from appliance.protocol.limits import PutLimit
from appliance.server.actions import concurrency
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import limit_use
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.messages import message
from appliance.server.graphql.types import limits as types
from appliance.server.graphql.types.limits import ConcurrencyLimit


@strawberry.type
class ConcurrencyQueries:
    @root_field(Permission.READ)
    def concurrency_limits(self, info: Info) -> list[ConcurrencyLimit]:
        return [types.limit(use) for use in limit_use.every(info.context.session(), clock.now())]


@strawberry.type
class ConcurrencyMutations:
    @root_mutation(Permission.EDIT_LIMIT)
    def set_concurrency_limit(
        self, info: Info, input: types.SetConcurrencyLimitInput
    ) -> types.SetConcurrencyLimitPayload:
        request = message(PutLimit, kind=input.kind, name=input.name, slots=input.slots, per=input.per)
        context = info.context
        row = concurrency.put(context.database, context.actor, request.kind, request.name, request.slots, request.per)
        context.changed()
        use = limit_use.of_limits(context.session(), [row], clock.now())[0]
        return types.SetConcurrencyLimitPayload(concurrency_limit=types.limit(use))

    @root_mutation(Permission.EDIT_LIMIT)
    def remove_concurrency_limit(
        self, info: Info, input: types.RemoveConcurrencyLimitInput
    ) -> types.RemoveConcurrencyLimitPayload:
        concurrency.remove(info.context.database, info.context.actor, input.concurrency_limit_id)
        info.context.changed()
        return types.RemoveConcurrencyLimitPayload(concurrency_limit_id=input.concurrency_limit_id)
