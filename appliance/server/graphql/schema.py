"""The schema, built once. Building it fails if a root field declares no permission."""

from __future__ import annotations

from functools import cache

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from appliance.server.graphql.fields import permissions
from appliance.server.graphql.mutations import Mutation
from appliance.server.graphql.queries import Query
from appliance.server.graphql.scalars import SCALARS


@cache
def build() -> GraphQLSchema:
    """The schema as graphql-core's object: parsing, validation and execution are done here, not by Strawberry."""
    schema = strawberry.Schema(query=Query, mutation=Mutation, config=StrawberryConfig(scalar_map=SCALARS))
    built: GraphQLSchema = schema._schema
    permissions(built)
    return built
