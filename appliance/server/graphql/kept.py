"""Queries about the bundles of code and the results that the appliance keeps, and the mutation that removes a result."""

from __future__ import annotations

import strawberry

from appliance.server.actions import bundles, kept_results
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import bundles as read_bundles
from appliance.server.db.reads import kept_results as read_results
from appliance.server.db.reads import pages
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.scalars import BigInt
from appliance.server.graphql.types import kept as types
from appliance.server.graphql.types.kept import BundlePage, KeptResultPage, KeptTotal, KeptTotals


@strawberry.type
class KeptQueries:
    @root_field(Permission.READ_BUNDLES)
    def bundles(self, info: Info, first: int | None = None, after: str | None = None) -> BundlePage:
        session = info.context.session()
        page = read_bundles.page(session, pages.size(first), after)
        uses = read_bundles.flows(session, [row.id for row in page.rows])
        return BundlePage(items=[types.bundle(row, uses.get(row.id, ())) for row in page.rows], next=page.next)

    @root_field(Permission.MANAGE_RESULTS)
    def kept_results(
        self,
        info: Info,
        project: str | None = None,
        prefix: str | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> KeptResultPage:
        page = read_results.page(info.context.session(), pages.size(first), after, project, prefix)
        return KeptResultPage(items=[types.kept_result(row) for row in page.rows], next=page.next)

    @root_field(Permission.MANAGE_RESULTS)
    def kept_totals(self, info: Info) -> KeptTotals:
        rules = info.context.database.rules
        number, size = kept_results.totals(info.context.database)
        code = read_bundles.totals(info.context.session())
        return KeptTotals(
            bundles=KeptTotal(count=BigInt(code[0]), bytes=BigInt(code[1])),
            results=KeptTotal(count=BigInt(number), bytes=BigInt(size)),
            most_bytes_of_bundle=BigInt(bundles.most_bytes(rules)),
            most_bytes_of_result=BigInt(rules.results_door_object_bytes),
            most_bytes_of_run=BigInt(rules.results_door_run_bytes),
            most_bytes_of_project=BigInt(rules.project_bytes),
        )


@strawberry.type
class KeptMutations:
    @root_mutation(Permission.MANAGE_RESULTS)
    def delete_kept_result(self, info: Info, input: types.DeleteKeptResultInput) -> types.DeleteKeptResultPayload:
        kept_results.remove(info.context.database, info.context.actor, input.result_id)
        info.context.changed()
        return types.DeleteKeptResultPayload(result_id=input.result_id)
