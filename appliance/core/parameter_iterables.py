"""Has pydantic return values of type `Iterable` and `Generator` as values that can be read again, not as an iterator. Imports pydantic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
    """The schema with another one for each generator in it; the same object if there is none."""
    if isinstance(schema, dict):
        items = {key: _rewritten(item) for key, item in schema.items()}
        if schema.get("type") == "generator":
            return _readable(items)
        return items if any(items[key] is not schema[key] for key in items) else schema
    if type(schema) in (list, tuple):
        parts = [_rewritten(item) for item in schema]
        return type(schema)(parts) if any(a is not b for a, b in zip(parts, schema, strict=True)) else schema
    return schema


def _readable(generator: dict[str, Any]) -> core_schema.CoreSchema:
    options = {key: value for key, value in generator.items() if key in ("items_schema", "min_length", "max_length")}
    items = core_schema.list_schema(**options)
    return core_schema.json_or_python_schema(
        json_schema=items, python_schema=core_schema.no_info_wrap_validator_function(_validate, items)
    )


def _validate(value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
    """The value itself if its items fit as they are, otherwise a list. Text and mappings are no lists of items, as in JSON."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        return validate(value)
    given = scalars.plain(list(value))
    items = validate(given)
    unchanged = len(items) == len(given) and all(a is b for a, b in zip(items, given, strict=True))
    return value if unchanged and not isinstance(value, Iterator | list) else items
