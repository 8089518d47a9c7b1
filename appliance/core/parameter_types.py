"""Which values fit a parameter: JSON schemas for the server and checks before a run.

pydantic does the work and is imported only when a value is not of a plain type that can be checked without it.
"""

from __future__ import annotations

import json
import operator
import typing
from collections.abc import Mapping
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from appliance.core.errors import MissingParameterError, ParameterTypeError, UnknownParameterError
from appliance.core.parameter import Parameter

if TYPE_CHECKING:
    from appliance.core.flow import Flow

_PLAIN: frozenset[Any] = frozenset({bool, int, float, str, list, dict})


def resolve(flow: Flow, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all parameters of a run: the defaults, then what was given, each checked. Raises ParameterError."""
    parameters = {parameter.name: parameter for parameter in flow.parameters()}
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        known = f"its parameters are {_names(parameters)}" if parameters else "it takes none"
        raise UnknownParameterError(f"Flow {flow.name!r} has no parameter {_names(unknown)}; {known}.")
    missing = [name for name, parameter in parameters.items() if parameter.required and name not in given]
    if missing:
        raise MissingParameterError(
            f"Flow {flow.name!r} needs a value for parameter {_names(missing)}; pass parameters={{{missing[0]!r}: ...}}."
        )
    values = {name: parameter.default for name, parameter in parameters.items() if parameter.has_default}
    for name, value in given.items():
        values[name] = checked(flow, parameters[name], value)
    return values


def checked(flow: Flow, parameter: Parameter, value: Any) -> Any:
    """`value` as the type of the parameter; JSON forms of richer types (dates, models) are converted. Raises ParameterTypeError."""
    hint = type_hint(flow, parameter)
    if hint is None or hint is Any or (parameter.has_default and value is parameter.default):
        return value
    if hint in _PLAIN and type(value) is hint:
        return value
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticUserError

    try:
        adapter = TypeAdapter(hint)
    except PydanticUserError:  # a type that pydantic knows nothing about can't be checked
        return value
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError as error:
        try:
            return adapter.validate_json(json.dumps(value), strict=True)
        except (TypeError, ValueError):  # ValidationError is a ValueError
            reason = error.errors(include_url=False)[0]["msg"]
    text = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
    raise ParameterTypeError(
        f"Parameter {parameter.name!r} of flow {flow.name!r} can't be {text}: {reason[:1].lower()}{reason[1:]}."
    )


def schema(flow: Flow, parameter: Parameter) -> dict[str, Any]:
    """The JSON schema of the parameter's values; {} allows anything."""
    hint = type_hint(flow, parameter)
    if hint is None or hint is Any:
        return {}
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

    if parameter.has_default and parameter.default is None:
        hint = operator.or_(hint, None)
    try:
        return TypeAdapter(hint).json_schema()
    except (PydanticUserError, PydanticInvalidForJsonSchema):  # a type without a JSON form: anything goes
        return {}


def json_default(parameter: Parameter) -> Any:
    """The default in its JSON form. Raises ParameterTypeError when it has none."""
    value = parameter.default
    if value is None or type(value) in (bool, int, float, str):
        return value
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise ParameterTypeError(
            f"The default of parameter {parameter.name!r} can't be written as JSON; use a plain value."
        ) from error


def type_hint(flow: Flow, parameter: Parameter) -> Any:
    """The explicit type, else that of the argument the parameter feeds, else that of its default; None when nothing tells."""
    if parameter.type is not None:
        return parameter.type
    for edge in flow.edges_from(parameter):
        if edge.key is None or edge.flattened:
            continue
        try:
            hint = typing.get_type_hints(edge.downstream_task.run, include_extras=True).get(edge.key)
        except (NameError, TypeError, AttributeError):  # hints that can't be evaluated tell nothing
            continue
        if hint is not None and hint is not Any:
            return GenericAlias(list, (hint,)) if edge.mapped else hint
    default = type(parameter.default)
    return default if parameter.has_default and default in _PLAIN else None


def _names(names: typing.Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
