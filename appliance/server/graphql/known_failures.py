"""Queries and mutations about known failures."""

from __future__ import annotations

import strawberry

from appliance.protocol.known_failures import MarkFailure
from appliance.server.actions import known_failures as actions
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import known_failures as reads
from appliance.server.db.reads import pages
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.types import known_failures as types
from appliance.server.graphql.types.known_failures import KnownFailurePage, known_failure


@strawberry.type
class KnownFailureQueries:
    @root_field(Permission.READ)
    def known_failures(
        self,
        info: Info,
        project: str | None = None,
        resolved: bool = False,
        first: int | None = None,
        after: str | None = None,
    ) -> KnownFailurePage:
        page = reads.page(info.context.session(), pages.size(first), after, project, resolved)
        return KnownFailurePage(items=[known_failure(row, info.context.now) for row in page.rows], next=page.next)


@strawberry.type
class KnownFailureMutations:
    @root_mutation(Permission.MARK_RUN)
    def mark_failure(self, info: Info, input: types.MarkFailureInput) -> types.MarkFailurePayload:
        context = info.context
        request = MarkFailure(flow_run_id=input.flow_run_id, until=input.until, reason=input.reason)
        known = actions.mark(context.database, context.actor, request)
        context.changed()
        row = reads.one(context.session(), known)
        if row is None:
            raise NotFound("There is no such known failure; it may have been removed.")
        return types.MarkFailurePayload(known_failure=known_failure(row, context.now))

    @root_mutation(Permission.MARK_RUN)
    def unmark_failure(self, info: Info, input: types.UnmarkFailureInput) -> types.UnmarkFailurePayload:
        actions.unmark(info.context.database, info.context.actor, input.known_failure_id)
        info.context.changed()
        return types.UnmarkFailurePayload(known_failure_id=input.known_failure_id)
