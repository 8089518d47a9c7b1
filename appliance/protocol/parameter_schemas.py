"""JSON schemas that accept exactly what pydantic accepts, so that server and run agree. Imports pydantic."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AnyUrl, BeforeValidator, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import SchemaError, SchemaValidator, core_schema

_OFFSET = r"([Zz]|[+-][0-9]{2}:[0-9]{2})$"
FORMATS: Mapping[str, Any] = {
    "date": date,
    "date-time": datetime,
    "time": time,
    "duration": timedelta,
    "uuid": UUID,
    "decimal": Decimal,
    "uri": AnyUrl,
    "ipv4": IPv4Address,
    "ipv6": IPv6Address,
}
"""The type that a string of each schema format must parse as."""


def _with_offset(value: Any) -> Any:
    if isinstance(value, str) and re.search(_OFFSET, value):
        return _of_format("date-time").validate_json(json.dumps(value), strict=True)
    if isinstance(value, str) or (isinstance(value, datetime) and value.tzinfo is None):
        raise ValueError("must have an offset from UTC, like 2026-01-31T06:30:00+00:00")
    return value


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


AwareTime = Annotated[
    datetime,
    AfterValidator(_in_utc),
    BeforeValidator(_with_offset),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _OFFSET}),
]
"""A time with a UTC offset, converted to UTC."""


def linear_matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text contains a match, found in time that grows with the text alone. Raises ValueError for a pattern for which there is
    no such search: one with look-around or back-references."""
    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as error:
        raise ValueError("The pattern is not a regular expression, or has look-around or back-references.") from error
    return validator.isinstance_python


class JsonSchema(GenerateJsonSchema):
    """pydantic's generator, corrected where its schema is stricter or looser than its validation."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        json_schema = super().decimal_schema(schema)
        for option in json_schema.get("anyOf", ()):
            if option.get("type") == "string":
                option["format"] = "decimal"
        return json_schema

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        return _allow_repeats(super().set_schema(schema))

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        return _allow_repeats(super().frozenset_schema(schema))

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        json_schema = super().dict_schema(schema)
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        if keys.get("type") == "integer":
            json_schema["propertyNames"] = {"pattern": "^[+-]?[0-9]+$"}
        elif keys.get("type") == "string" and ("format" in keys or "enum" in keys):
            json_schema["propertyNames"] = keys
        return json_schema


def _allow_repeats(json_schema: JsonSchemaValue) -> JsonSchemaValue:
    json_schema.pop("uniqueItems", None)  # pydantic makes a set from a list with repeats, too
    return json_schema


def has_format(name: str, text: Any) -> bool:
    """Whether a string has this JSON schema format. Unknown formats accept anything, and values that are not strings always pass."""
    if not isinstance(text, str) or name not in FORMATS:
        return True
    try:
        _of_format(name).validate_json(json.dumps(text), strict=True)
    except ValidationError:
        return False
    return True


@cache
def _of_format(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(FORMATS[name])
