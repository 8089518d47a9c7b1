"""Has pydantic return values of type `Iterable` as values that can be read again, and take any set as a `Set`. Imports pydantic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import SchemaValidator, core_schema

from appliance.core import scalars


def validator(adapter: TypeAdapter[Any]) -> TypeAdapter[Any] | SchemaValidator:
    """What validates like the adapter, at every depth of its schema."""
    schema = _rewritten(adapter.core_schema)
    if schema is adapter.core_schema:
        return adapter
    return SchemaValidator(schema, _use_prebuilt=False)  # prebuilt are the models' own validators, which make iterators


def _rewritten(schema: Any) -> Any:
    """The schema with another one for each generator and frozenset in it; the same object if there is none."""
    if isinstance(schema, dict):
        if schema.get("type") == "union" and any(map(_is_frozenset, schema["choices"])):
            schema = {**schema, "choices": sorted(schema["choices"], key=_is_frozenset)}  # a set stays one where it may
        items = {key: _rewritten(item) for key, item in schema.items()}
        if schema.get("type") == "generator":
            return _readable(items)
        if schema.get("type") == "frozenset":  # pydantic's reading of `Set[int]`, too
            return _in_python(_as_frozenset, items)
        return items if any(items[key] is not schema[key] for key in items) else schema
    if type(schema) in (list, tuple):
        parts = [_rewritten(item) for item in schema]
        return type(schema)(parts) if any(a is not b for a, b in zip(parts, schema, strict=True)) else schema
    return schema


def _readable(generator: dict[str, Any]) -> core_schema.CoreSchema:
    options = {key: value for key, value in generator.items() if key in ("items_schema", "min_length", "max_length")}
    return _in_python(_validate, core_schema.list_schema(**options))


def _in_python(function: core_schema.NoInfoWrapValidatorFunction, items: Any) -> core_schema.CoreSchema:
    """What validates JSON by `items`, and Python's values by the function around it."""
    python = core_schema.no_info_wrap_validator_function(function, items)
    return core_schema.json_or_python_schema(json_schema=items, python_schema=python)


def _is_frozenset(choice: Any) -> bool:
    """Is this choice of a union a frozenset? Choices with a label are pairs."""
    schema = choice[0] if isinstance(choice, tuple) else choice
    return bool(schema["type"] == "frozenset")


def _as_frozenset(value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
    return validate(frozenset(value) if isinstance(value, Set) else value)


def _validate(value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
    """The value itself if its items fit as they are, otherwise a list. Text and mappings are no lists of items, as in JSON."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        return validate(value)
    given = scalars.plain(list(value))
    items = validate(given)
    unchanged = len(items) == len(given) and all(a is b for a, b in zip(items, given, strict=True))
    return value if unchanged and not isinstance(value, Iterator | list) else items
