"""A faster executor for lists of plain attributes, with the same results as graphql-core's own.

Graphql-core spends about ten microseconds on each field of each object: a path, a resolve info, a resolver call, a completion.
None of that affects a field that is a plain attribute of a scalar type, or an object of which only such fields are selected. For each
selection set, this executor works out once which fields those are and reads them directly. Everything else, and any error, is left to
graphql-core; a test compares both on random queries. @defer and @stream are not supported; our schema doesn't have them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.field import StrawberryField

_DEFINITION = "strawberry-definition"
_Reader = Callable[[Any], Any]


class _NotPlain(Exception):
    """A value that must be left to graphql-core."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to execute one selection set on one type. `grouped` is kept so that its id, which is the key, isn't reused."""

    grouped: Any
    order: tuple[str, ...]
    direct: tuple[tuple[str, _Reader], ...]
    rest: dict[str, Any]


class FastExecutor(StrawberryGraphQLCoreExecutionContext):
    """Graphql-core's executor with a shortcut for plain attributes."""

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
        """Read the plain fields, leave the rest to graphql-core, and return all in the order of the request."""
        plan = self._plan(parent_type, grouped_field_set)
        if path is None or not plan.direct:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        try:
            values = {name: read(source_value) for name, read in plan.direct}
        except Exception:  # noqa: BLE001 - graphql-core hits the same error and reports it with its location
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        if not plan.rest:
            return values
        rest: Any = super().execute_fields(parent_type, source_value, path, plan.rest, position_context)
        values.update(rest)
        return {name: values[name] for name in plan.order if name in values}

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: Any,
        path: Path,
        items: Any,
        position_context: Any,
    ) -> Any:
        """Read a list of entirely plain objects in one go."""
        whole = self._whole(item_type.of_type, field_details_list) if is_non_null_type(item_type) else None
        if whole is None or not isinstance(items, list):
            return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)
        try:
            return [whole(item) for item in items]
        except Exception:  # noqa: BLE001 - graphql-core hits the same error and reports it with its location
            return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)

    def _plan(self, parent_type: GraphQLObjectType, grouped: Any) -> _Plan:
        key = (parent_type.name, id(grouped))
        plan = self._plans.get(key)
        if plan is None:
            direct: list[tuple[str, _Reader]] = []
            rest: dict[str, Any] = {}
            for name, details in grouped.items():
                reader = self._reader(parent_type, details)
                if reader is None:
                    rest[name] = details
                else:
                    direct.append((name, reader))
            plan = self._plans[key] = _Plan(grouped, tuple(grouped), tuple(direct), rest)
        return plan

    def _reader(self, parent_type: GraphQLObjectType, details: Any) -> _Reader | None:
        """The function that reads a field from its object, or None if graphql-core must do it."""
        field = self.schema.get_field(parent_type, details[0].node.name.value)
        definition = field.extensions.get(_DEFINITION) if field is not None else None
        if field is None or not isinstance(definition, StrawberryField):
            return None
        if not definition.is_basic_field or definition.extensions or definition.permission_classes:
            return None
        required = is_non_null_type(field.type)
        one = self._completion(field.type.of_type if is_non_null_type(field.type) else field.type, details)
        if one is None:
            return None
        attribute = attrgetter(definition.python_name)

        def read(source: Any) -> Any:
            value = attribute(source)
            if value is None:
                if required:
                    raise _NotPlain
                return None
            result = one(value)
            if result is None:
                raise _NotPlain
            return result

        return read

    def _completion(self, kind: GraphQLOutputType, details: Any) -> _Reader | None:
        """The function that turns a scalar, a plain object, or a list of these without nulls into JSON; None for all others."""
        if is_leaf_type(kind):
            one: _Reader = kind.coerce_output_value
            return one
        if is_list_type(kind) and is_non_null_type(kind.of_type):
            inner = self._completion(kind.of_type.of_type, details)
            return None if inner is None else _list_of(inner)
        return self._whole(kind, details)

    def _whole(self, kind: GraphQLOutputType, details: Any) -> _Reader | None:
        """The function that turns an object of this type into JSON, or None unless all selected fields are plain."""
        if not is_object_type(kind) or kind.is_type_of:
            return None
        plan = self._plan(kind, self.collect_subfields(kind, details)[0])
        if plan.rest:
            return None
        direct = plan.direct
        return lambda source: {name: read(source) for name, read in direct}


def _list_of(one: _Reader) -> _Reader:
    def complete(value: Any) -> Any:
        if not isinstance(value, list | tuple) or any(item is None for item in value):
            raise _NotPlain
        return [one(item) for item in value]

    return complete
