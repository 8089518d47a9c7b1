"""Root fields: each declares the permission that it requires and checks it first."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import strawberry
from graphql import FieldNode, GraphQLSchema, InlineFragmentNode

from appliance.server.auth.guards import Permission, require

_KEY = "permission"


def root_field(permission: Permission) -> Callable[[Callable[..., Any]], Any]:
    """A field of Query that requires the permission."""

    def decorate(resolver: Callable[..., Any]) -> Any:
        return strawberry.field(resolver=_guarded(resolver, permission), metadata={_KEY: permission})

    return decorate


def root_mutation(permission: Permission) -> Callable[[Callable[..., Any]], Any]:
    """A field of Mutation that requires the permission."""

    def decorate(resolver: Callable[..., Any]) -> Any:
        return strawberry.mutation(resolver=_guarded(_keyed(resolver), permission), metadata={_KEY: permission})

    return decorate


def described(description: str) -> Callable[[Callable[..., Any]], Any]:
    """A field of an object, with its description in the schema."""

    def decorate(resolver: Callable[..., Any]) -> Any:
        return strawberry.field(resolver=resolver, description=description)

    return decorate


def selects_only(info: Any, names: Collection[str]) -> bool:
    """Whether the query selects only these fields of the result, itself or in fragments."""
    raw = info._raw_info
    selected = [selection for node in raw.field_nodes for selection in node.selection_set.selections]
    while selected:
        selection = selected.pop()
        if isinstance(selection, FieldNode):
            if selection.name.value not in names:
                return False
        else:
            spread = selection if isinstance(selection, InlineFragmentNode) else raw.fragments[selection.name.value]
            selected += spread.selection_set.selections
    return True


def permissions(schema: GraphQLSchema) -> dict[str, Permission]:
    """The permission of every root field. Raises RuntimeError for a field without one."""
    by_field: dict[str, Permission] = {}
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        for name, field in (root.fields if root is not None else {}).items():
            permission = field.extensions["strawberry-definition"].metadata.get(_KEY)
            if not isinstance(permission, Permission):
                raise RuntimeError(f"The GraphQL field {name} declares no permission; use root_field or root_mutation.")
            by_field[name] = permission
    return by_field


def _keyed(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """The resolver, called under the idempotency key of its input or of the request."""

    @functools.wraps(resolver)
    def keyed(self: Any, info: Any, **arguments: Any) -> Any:
        key = getattr(arguments.get("input"), "idempotency_key", None) or arguments.get("idempotency_key")
        with info.context.keyed(key):
            return resolver(self, info, **arguments)

    return keyed


def _guarded(resolver: Callable[..., Any], permission: Permission) -> Callable[..., Any]:
    @functools.wraps(resolver)
    def guarded(self: Any, info: Any, **arguments: Any) -> Any:
        require(info.context.actor, permission)
        return resolver(self, info, **arguments)

    return guarded
