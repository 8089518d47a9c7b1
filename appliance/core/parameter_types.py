"""Which values fit a parameter: checks of defaults and of given values, and the JSON schemas by which the server checks the same.

pydantic does the work. It and what else only some values need is imported where it is used.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from types import GenericAlias, NoneType, UnionType
from typing import Any, Protocol

from appliance.core import copies, iterators, scalars
from appliance.core.edge import Edge
from appliance.core.errors import (
    MissingParameterError,
    OneShotError,
    ParameterError,
    ParameterTypeError,
    UnknownParameterError,
)
from appliance.core.parameter import DateTimeParameter, Parameter
from appliance.core.task import Task
from appliance.protocol import parameter_values

_PLAIN: frozenset[Any] = frozenset({bool, int, float, str, list, dict, NoneType})

Problem = tuple[type[ParameterError], str]


class Consumers(Protocol):
    """What the checks need to know about a flow."""

    name: str

    def parameters(self) -> list[Parameter]:
        """The parameters in the order they were added."""

    def edges_from(self, task: Task) -> list[Edge[Task]]:
        """Where the result of a task goes."""


def resolve(flow: Consumers, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all parameters of a run: the defaults, overridden by `arguments`, all checked. Raises ParameterError with one
    sentence for each thing that is wrong."""
    parameters = {parameter.name: parameter for parameter in flow.parameters()}
    problems: list[Problem] = [_unknown(flow, name, parameters) for name in arguments if name not in parameters]
    problems += [
        (MissingParameterError, f"Flow {flow.name!r} needs a value for parameter {name!r}; pass {{{name!r}: ...}}.")
        for name, parameter in parameters.items()
        if parameter.required and name not in arguments
    ]
    values: dict[str, Any] = {}
    lists = iterators.Lists()  # for an iterator that several parameters got
    for name, parameter in parameters.items():
        try:
            if name in arguments:
                values[name] = convert(flow, parameter, arguments[name], lists=lists)
            elif parameter.has_default:
                values[name] = default(flow, parameter)
        except ParameterTypeError as error:
            problems.append((ParameterTypeError, str(error)))
    if problems:
        raise problems[0][0]("\n".join(sentence for _, sentence in problems))
    return {name: copies.own(value) for name, value in values.items()}  # so that the next run gets them as written


def check_defaults(flow: Consumers) -> None:
    """Raise ParameterTypeError with one sentence for each thing that is wrong with the defaults."""
    problems = []
    for parameter in flow.parameters():
        try:
            default(flow, parameter)
        except ParameterTypeError as error:
            problems.append(str(error))
    if problems:
        raise ParameterTypeError("\n".join(problems))


def _unknown(flow: Consumers, name: Any, parameters: Mapping[str, Parameter]) -> Problem:
    if not isinstance(name, str):
        return UnknownParameterError, f"Parameter names must be strings; {name!r} is of type {type(name).__name__}."
    from difflib import get_close_matches  # only a mistake needs it

    close = get_close_matches(name, parameters, 1)
    if close:
        rest = f"did you mean {close[0]!r}?"
    else:
        rest = f"its parameters are {', '.join(map(repr, parameters))}." if parameters else "it takes none."
    return UnknownParameterError, f"Flow {flow.name!r} has no parameter {name!r}; {rest}"


def default(flow: Consumers, parameter: Parameter) -> Any:
    """The default as the type of the parameter, like a value given in its place. Raises ParameterTypeError."""
    if parameter.default is None:
        return None
    return convert(flow, parameter, parameter.default, "Default of parameter")


def convert(
    flow: Consumers, parameter: Parameter, value: Any, subject: str = "Parameter", lists: iterators.Lists | None = None
) -> Any:
    """`value` as the type of the parameter; JSON forms of richer types (dates, models) are converted. Without a known type
    every value fits. Raises ParameterTypeError, whose sentences begin with `subject`."""
    try:
        value = (lists or iterators.Lists()).of(value)
    except OneShotError as error:
        raise ParameterTypeError(f"{subject} {parameter.name!r}: {error}") from None
    if parameter_values.has_nul(value):
        raise ParameterTypeError(parameter_values.nul_problem(f"{subject} {parameter.name!r}"))
    if value is None and parameter.default is None and not parameter.required:
        return value
    hint = type_hint(flow, parameter)
    if hint is None or hint is Any or _is_member(value, hint):
        return value
    from pydantic import ValidationError

    adapter = _validator(hint)
    if adapter is None:
        return value
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError as error:
        wrong = error
    value = scalars.plain(value)
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        pass
    try:
        return _from_json(adapter, value)
    except ValidationError as error:
        if isinstance(value, Mapping | list | str):  # that is how a value looks that came as JSON
            wrong = error
    except (TypeError, ValueError, RecursionError):  # no JSON, so it was not meant to be
        pass
    from appliance.core.parameter_problems import sentences

    raise ParameterTypeError("\n".join(sentences(parameter.name, value, wrong, subject))) from None


def schema(flow: Consumers, parameter: Parameter) -> dict[str, Any]:
    """The JSON schema of the parameter's values; {} allows anything."""
    hint = type_hint(flow, parameter)
    if hint is None or hint is Any:
        return {}
    if not parameter.required and parameter.default is None:
        hint = typing.Optional[hint]  # noqa: UP045 - a value, not an annotation; `|` does not work for all of them
    adapter = _adapter(hint)
    if adapter is None:
        return {}
    from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

    from appliance.protocol.parameter_schemas import JsonSchema

    try:
        document: dict[str, Any] = adapter.json_schema(schema_generator=JsonSchema)
    except (PydanticUserError, PydanticInvalidForJsonSchema):  # a type without a JSON form: anything goes
        return {}
    return document


def json_default(flow: Consumers, parameter: Parameter) -> Any:
    """The default in its JSON form. Raises ParameterTypeError when it has none."""
    return _json_form(default(flow, parameter), f"The default of parameter {parameter.name!r}")


def json_values(flow: Consumers, values: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule's values in their JSON form. Raises ParameterTypeError for one that has none or doesn't fit."""
    for parameter in flow.parameters():
        if parameter.name in values:
            convert(flow, parameter, values[parameter.name])
    return {name: _json_form(value, f"The schedule's value of parameter {name!r}") for name, value in values.items()}


def _json_form(value: Any, subject: str) -> Any:
    if value is None or type(value) in (bool, int, str):
        return value
    import json

    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        plain = to_jsonable_python(scalars.plain(value))
        json.dumps(plain, allow_nan=False)  # NaN would be registered as null
        return plain
    except (PydanticSerializationError, ValueError) as error:  # ValueError: also a value that holds itself
        raise ParameterTypeError(f"{subject} can't be written as JSON; use a plain value.") from error


def type_hint(flow: Consumers, parameter: Parameter) -> Any:
    """The explicit type, else that of the argument the parameter feeds, else that of its default; None if there is no hint."""
    if isinstance(parameter, DateTimeParameter):
        from appliance.protocol.parameter_schemas import AwareTime

        return AwareTime
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
    kind = type(parameter.default)
    return kind if kind in _PLAIN and parameter.default is not None else None


def _is_member(value: Any, hint: Any) -> bool:
    """Whether a value obviously fits as it is, so that most flows do without pydantic."""
    if isinstance(hint, type):
        return type(value) is hint and (hint in _PLAIN or issubclass(hint, Enum))
    if isinstance(hint, UnionType) or typing.get_origin(hint) is typing.Union:
        return any(_is_member(value, option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Literal:
        return any(type(value) is type(option) and value == option for option in typing.get_args(hint))
    return False


def _validator(hint: Any) -> Any:
    """What checks values of this type; None for a type that pydantic doesn't support."""
    adapter = _adapter(hint)
    if adapter is None:
        return None
    from appliance.core import parameter_iterables

    return parameter_iterables.validator(adapter)


def _adapter(hint: Any) -> Any:
    """pydantic's adapter for this type; None for a type that it doesn't support. Raises ParameterTypeError for a TypedDict that must
    be written in another way."""
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    from appliance.core import typed_dicts

    try:
        return TypeAdapter(typed_dicts.readable(hint))
    except PydanticUserError as error:
        if error.code != "typed-dict-version":
            return None
        raise ParameterTypeError(
            f"Type {hint} contains a TypedDict that can't be checked before Python 3.12; make it a "
            "typing_extensions.TypedDict instead."
        ) from None
    except (NameError, TypeError):  # a hint within it that can't be evaluated
        return None


def _from_json(adapter: Any, value: Any) -> Any:
    """The value read as JSON. Raises ValidationError, or another error if it has no JSON form."""
    import json

    from pydantic import ValidationError

    try:
        return adapter.validate_json(json.dumps(value, default=_sequence), strict=True)
    except ValidationError:  # 2.0 is the integer 2 only where nothing else fits
        return adapter.validate_json(json.dumps(_whole_numbers(value), default=_sequence), strict=True)


def _sequence(value: Any) -> list[Any]:
    """What JSON holds for a range, or another sequence that it doesn't know."""
    if not isinstance(value, Sequence) or isinstance(value, bytes | bytearray):
        raise TypeError
    return list(value)


def _whole_numbers(value: Any) -> Any:
    """The value with 2.0 replaced by 2, which is the same number in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is list:
        return [_whole_numbers(one) for one in value]
    if type(value) is dict:
        return {key: _whole_numbers(one) for key, one in value.items()}
    return value
