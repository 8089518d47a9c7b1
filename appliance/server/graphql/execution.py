"""A faster executor for lists of plain attributes, with the results of graphql-core's own.

Graphql-core spends some ten microseconds on each field of each object: a path, a resolve info, a resolver call, a completion.
For a field that is a plain attribute with a scalar type none of that can make a difference, so for each selection set we
work out once which fields those are and read them directly. Whatever else there is, and any error, is left to graphql-core;
a test compares both on random queries. It does not know @defer and @stream, which our schema doesn't have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from graphql import GraphQLObjectType, GraphQLOutputType, is_leaf_type, is_list_type, is_non_null_type
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.field import StrawberryField

_DEFINITION = "strawberry-definition"


class _NotPlain(Exception):
    """A value that graphql-core must judge."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one selection set on one type is carried out. `grouped` is kept so that its id, the key, stays taken."""

    grouped: Any
    order: tuple[str, ...]
    direct: tuple[tuple[str, Callable[[Any], Any]], ...]
    rest: dict[str, Any]


class FastExecutor(StrawberryGraphQLCoreExecutionContext):
    """Graphql-core's executor with a short cut for plain attributes."""

    _plans: dict[tuple[str, int], _Plan]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plans = {}

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: Any,
        position_context: Any,
    ) -> Any:
        """Read what is plain, leave the rest to graphql-core, and answer in the order that was asked for."""
        plan = self._plan(parent_type, grouped_field_set)
        if path is None or not plan.direct:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        try:
            found = {name: read(source_value) for name, read in plan.direct}
        except Exception:  # noqa: BLE001 - graphql-core meets the same fault and words it, with its place
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        if not plan.rest:
            return found
        rest: Any = super().execute_fields(parent_type, source_value, path, plan.rest, position_context)
        found.update(rest)
        return {name: found[name] for name in plan.order if name in found}

    def _plan(self, parent_type: GraphQLObjectType, grouped: Any) -> _Plan:
        key = (parent_type.name, id(grouped))
        plan = self._plans.get(key)
        if plan is None:
            direct: list[tuple[str, Callable[[Any], Any]]] = []
            rest: dict[str, Any] = {}
            for name, details in grouped.items():
                reader = self._reader(parent_type, details[0].node.name.value)
                if reader is None:
                    rest[name] = details
                else:
                    direct.append((name, reader))
            plan = self._plans[key] = _Plan(grouped, tuple(grouped), tuple(direct), rest)
        return plan

    def _reader(self, parent_type: GraphQLObjectType, name: str) -> Callable[[Any], Any] | None:
        field = self.schema.get_field(parent_type, name)
        definition = field.extensions.get(_DEFINITION) if field is not None else None
        if field is None or not isinstance(definition, StrawberryField):
            return None
        if not definition.is_basic_field or definition.extensions or definition.permission_classes:
            return None
        complete = _completion(field.type)
        if complete is None:
            return None
        attribute = attrgetter(definition.python_name)
        return lambda source: complete(attribute(source))


def _completion(kind: GraphQLOutputType) -> Callable[[Any], Any] | None:
    """How a value of a scalar type, or of a list of scalars that are never null, is turned into JSON; None for other types."""
    required = is_non_null_type(kind)
    inner = kind.of_type if is_non_null_type(kind) else kind
    if is_leaf_type(inner):
        one = inner.coerce_output_value
    elif is_list_type(inner) and is_non_null_type(inner.of_type) and is_leaf_type(inner.of_type.of_type):
        one = _list_of(inner.of_type.of_type.coerce_output_value)
    else:
        return None

    def complete(value: Any) -> Any:
        if value is None:
            if required:
                raise _NotPlain
            return None
        result = one(value)
        if result is None:
            raise _NotPlain
        return result

    return complete


def _list_of(coerce: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def complete(value: Any) -> Any:
        if not isinstance(value, list | tuple) or any(item is None for item in value):
            raise _NotPlain
        return [coerce(item) for item in value]

    return complete
