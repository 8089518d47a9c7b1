"""A faster executor for lists of objects, with the same results as graphql-core's own.

Graphql-core spends about ten microseconds on each field of each object: a path, a resolve info, its arguments, a completion.
None of that differs between the objects of a list. For each selection set, this executor works out once how to read the fields that are
attributes or have one of our own resolvers, which never look at their path: their arguments, and how to complete scalars and objects of which only such
fields are selected. A list is read field by field, each from all objects at once, which leaves most loops to functions of C.
Everything else, and any error, is left to graphql-core, which calls the resolvers again; a test compares both on random queries.
@defer and @stream are not supported; our schema doesn't have them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from operator import attrgetter
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from appliance.server.graphql.scalars import texts_of

_DEFINITION = "strawberry-definition"
_EXACT = {"String": str, "Boolean": bool}
"""Of these scalars, values of this class are what they become."""
_NOWHERE = Path(None, "", None)
_Reader = Callable[[Any], Any]
_Column = Callable[[list[Any]], list[Any]]
"""What makes JSON of values of one field, of which none is None; or of objects."""


class _NotPlain(Exception):
    """A value that must be left to graphql-core."""


@dataclass(frozen=True, slots=True)
class _Field:
    """How to read a field from objects. Values of the class `exact` are complete already."""

    name: str
    get: _Reader
    exact: type | None
    complete: _Column
    required: bool

    def read(self, sources: list[Any]) -> list[Any]:
        """The field of each object. Raises _NotPlain."""
        return _values(self.exact, self.complete, self.required, list(map(self.get, sources)))


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to execute one selection set on one type. `grouped` is kept so that its id, which is the key, isn't reused."""

    grouped: Any
    order: tuple[str, ...]
    direct: _Column | None
    rest: dict[str, Any]


class FastExecutor(StrawberryGraphQLCoreExecutionContext):
    """Graphql-core's executor with a shortcut for what is read alike from each object."""

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
        if path is None or plan.direct is None:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        try:
            [values] = plan.direct([source_value])
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
            return whole(items)
        except Exception:  # noqa: BLE001 - graphql-core hits the same error and reports it with its location
            return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)

    def _plan(self, parent_type: GraphQLObjectType, grouped: Any) -> _Plan:
        key = (parent_type.name, id(grouped))
        plan = self._plans.get(key)
        if plan is None:
            fields: list[_Field] = []
            rest: dict[str, Any] = {}
            for name, details in grouped.items():
                field = self._field(parent_type, name, details)
                if field is None:
                    rest[name] = details
                else:
                    fields.append(field)
            direct = _all(fields) if fields else None
            plan = self._plans[key] = _Plan(grouped, tuple(grouped), direct, rest)
        return plan

    def _field(self, parent_type: GraphQLObjectType, name: str, details: Any) -> _Field | None:
        """How to read a field from its object, or None if graphql-core must do it."""
        field = self.schema.get_field(parent_type, details[0].node.name.value)
        definition = field.extensions.get(_DEFINITION) if field is not None else None
        if field is None or not isinstance(definition, StrawberryField):
            return None
        if definition.is_async or definition.extensions or definition.permission_classes:
            return None
        required = is_non_null_type(field.type)
        kind = field.type.of_type if is_non_null_type(field.type) else field.type
        complete = self._completion(kind, details)
        get = (
            attrgetter(definition.python_name)
            if definition.is_basic_field
            else self._resolver(parent_type, field, definition, details)
        )
        if complete is None or get is None:
            return None
        if is_object_type(kind) and not definition.is_basic_field:
            complete = _once_each(complete)
        return _Field(name, get, _EXACT.get(getattr(kind, "name", "")), complete, required)

    def _resolver(
        self, parent_type: GraphQLObjectType, field: GraphQLField, definition: StrawberryField, details: Any
    ) -> _Reader | None:
        """The field's resolver with its arguments, or None if these are wrong."""
        resolve, node, own = field.resolve, details[0].node, definition.base_resolver
        if resolve is None or own is None:
            return None
        info = self.build_resolve_info(field, [each.node for each in details], parent_type, _NOWHERE)
        if list(own.signature.parameters) == [
            "self",
            "info",
        ]:  # what Strawberry does with arguments takes longer than most resolvers
            method: Any = own.wrapped_func
            return partial(method, info=Info(_raw_info=info, _field=definition))
        try:
            arguments = get_argument_values(
                field, node, self.variable_values, details[0].fragment_variable_values, self.hide_suggestions
            )
        except GraphQLError:
            return None
        return lambda source: resolve(source, info, **arguments)

    def _completion(self, kind: GraphQLOutputType, details: Any) -> _Column | None:
        """The function that turns scalars, plain objects, or lists of these into JSON; None for all others."""
        if is_leaf_type(kind):
            return _COLUMNS.get(kind.name) or partial(_each, kind.coerce_output_value)
        if is_list_type(kind):
            required = is_non_null_type(kind.of_type)
            item = kind.of_type.of_type if required else kind.of_type
            inner = self._completion(item, details)
            exact = _EXACT.get(getattr(item, "name", ""))
            return None if inner is None else partial(_lists, partial(_values, exact, inner, required))
        return self._whole(kind, details)

    def _whole(self, kind: GraphQLOutputType, details: Any) -> _Column | None:
        """The function that turns objects of this type into JSON, or None unless all selected fields are plain."""
        if not is_object_type(kind) or kind.is_type_of:
            return None
        plan = self._plan(kind, self.collect_subfields(kind, details)[0])
        return None if plan.rest else plan.direct


def _all(fields: list[_Field]) -> _Column:
    """The function that reads all these fields of objects."""
    names = tuple(field.name for field in fields)

    def read(sources: list[Any]) -> list[Any]:
        if not sources:
            return []
        columns = [field.read(sources) for field in fields]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    return read


def _values(exact: type | None, complete: _Column, required: bool, values: list[Any]) -> list[Any]:
    """Values of the class `exact` are complete already. Raises _NotPlain."""
    kinds = set(map(type, values))
    if kinds <= {exact}:
        return values
    if NoneType not in kinds:
        return complete(values)
    if required:
        raise _NotPlain
    known = [value for value in values if value is not None]
    completed = iter(complete(known) if known else ())
    return [None if value is None else next(completed) for value in values]


def _each(complete: _Reader, values: list[Any]) -> list[Any]:
    completed = list(map(complete, values))
    if NoneType in set(map(type, completed)):
        raise _NotPlain
    return completed


def _uuids(values: list[Any]) -> list[Any]:
    if set(map(type, values)) != {UUID}:
        return list(map(str, values))
    texts: list[Any] = msgspec.to_builtins(values)
    return texts


def _integers(values: list[Any]) -> list[Any]:
    if set(map(type, values)) == {int} and min(values) >= -(2**31) and max(values) < 2**31:
        return values
    return _each(GraphQLInt.coerce_output_value, values)


_COLUMNS: dict[str, _Column] = {"UUID": _uuids, "DateTime": texts_of, "Int": _integers}


def _once_each(complete: _Column) -> _Column:
    """The same function, but an object to which many others refer is completed once."""

    def of(sources: list[Any]) -> list[Any]:
        places = list(map(id, sources))
        known = dict(zip(places, sources, strict=True))
        if len(known) == len(sources):
            return complete(sources)
        completed = dict(zip(known, complete(list(known.values())), strict=True))
        return [completed[place] for place in places]

    return of


def _lists(complete: _Column, values: list[Any]) -> list[Any]:
    if not set(map(type, values)) <= {list, tuple}:
        raise _NotPlain
    completed = iter(complete(list(chain.from_iterable(values))))
    return [list(islice(completed, len(value))) for value in values]
