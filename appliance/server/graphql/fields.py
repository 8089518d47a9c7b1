"""Root fields: each declares the permission that it needs, and checks it before it does anything."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import strawberry
from graphql import FieldNode, GraphQLSchema

from appliance.server.auth.guards import Permission, require

_KEY = "permission"


def root_field(permission: Permission) -> Callable[[Callable[..., Any]], Any]:
    """A field of Query that holders of the permission may ask for."""

    def decorate(resolver: Callable[..., Any]) -> Any:
        return strawberry.field(resolver=_guarded(resolver, permission), metadata={_KEY: permission})

    return decorate


def root_mutation(permission: Permission) -> Callable[[Callable[..., Any]], Any]:
    """A field of Mutation that holders of the permission may call."""

    def decorate(resolver: Callable[..., Any]) -> Any:
        return strawberry.mutation(resolver=_guarded(resolver, permission), metadata={_KEY: permission})

    return decorate


def described(description: str) -> Callable[[Callable[..., Any]], Any]:
    """A field of an object, with the words that the schema shows."""

    def decorate(resolver: Callable[..., Any]) -> Any:
        return strawberry.field(resolver=resolver, description=description)

    return decorate


def asks_only(info: Any, names: Collection[str]) -> bool:
    """Whether nothing but the fields of these names is asked of what this field gives. A fragment could ask for anything."""
    return all(
        isinstance(asked, FieldNode) and asked.name.value in names
        for node in info._raw_info.field_nodes
        for asked in node.selection_set.selections
    )


def permissions(schema: GraphQLSchema) -> dict[str, Permission]:
    """The permission of every root field; raises RuntimeError for one without."""
    found: dict[str, Permission] = {}
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        for name, field in (root.fields if root is not None else {}).items():
            permission = field.extensions["strawberry-definition"].metadata.get(_KEY)
            if not isinstance(permission, Permission):
                raise RuntimeError(f"The GraphQL field {name} declares no permission; use root_field or root_mutation.")
            found[name] = permission
    return found


def _guarded(resolver: Callable[..., Any], permission: Permission) -> Callable[..., Any]:
    @functools.wraps(resolver)
    def guarded(self: Any, info: Any, **arguments: Any) -> Any:
        require(info.context.actor, permission)
        return resolver(self, info, **arguments)

    return guarded
