"""Runs as the lists of the UI show them, for the live stream: the same fields by the same resolvers, read for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from graphql import ExecutionResult, GraphQLField, GraphQLList, GraphQLObjectType, GraphQLSchema, execute, parse

from appliance.config import Settings
from appliance.kit.documents import JsonDocument
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.reads import flow_runs
from appliance.server.db.session import Database
from appliance.server.graphql.context import Context
from appliance.server.graphql.execution import FastExecutor
from appliance.server.graphql.types.flows import flow_run

FIELDS = """
  id name state { type name message at version } flow { id name project { name } } version { number } labels
  scheduledTime startTime endTime attempt agent { name } trigger createdBy parent { id name taskSlug mapIndex } waitReason waitCode waitHolders { id name }
  cause { taskSlug mapIndex message } taskCounts { total success failed running waiting other }
"""
"""The fragment RunRow of the UI's queries; a test compares them."""
_DOCUMENT = parse(f"{{ runs {{ {FIELDS} }} }}")


def schema_of_rows(schema: GraphQLSchema) -> GraphQLSchema:
    """The types of the schema under a field that isn't public."""
    run = schema.type_map["FlowRun"]
    assert isinstance(run, GraphQLObjectType)
    field = GraphQLField(GraphQLList(run), resolve=lambda runs, _info: runs)
    return GraphQLSchema(GraphQLObjectType("RunRows", {"runs": field}))


def run_rows(schema: GraphQLSchema, database: Database, settings: Settings, ids: Sequence[UUID]) -> list[JsonDocument]:
    """The rows of those runs that exist and can be read. `schema` is one of rows."""
    context = Context(database, settings, SYSTEM)
    try:
        rows = flow_runs.by_ids(context.session(), ids)
        context.loaders.see_runs(rows)
        result = execute(
            schema,
            _DOCUMENT,
            [flow_run(row) for row in rows],
            context,
            executor_class=FastExecutor,
        )
    finally:
        context.close()
    assert isinstance(result, ExecutionResult)
    return [row for row in (result.data or {}).get("runs") or () if row is not None]
