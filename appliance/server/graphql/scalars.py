"""The scalars in addition to GraphQL's own: times with an offset, 64-bit integers and JSON documents."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NewType, TypeAlias

import msgspec
import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.kit.json_numbers import not_finite
from appliance.server.domain.bounds import EARLIEST, INTEGERS, LATEST
from appliance.server.errors import Invalid

if TYPE_CHECKING:  # the schema needs types of their own, code needs none: nothing has to be converted
    BigInt: TypeAlias = int
    JSON: TypeAlias = object
else:
    BigInt = NewType("BigInt", int)
    JSON = NewType("JSON", object)


_ZONE = attrgetter("tzinfo")


def _parse_time(value: Any) -> datetime:
    if not isinstance(value, str):
        raise GraphQLError("A DateTime must be a string such as 2026-01-31T06:30:00Z.")
    try:
        time = clock.parse(value)
    except ValueError as error:
        raise GraphQLError("A DateTime needs a date, a time and an offset, as in 2026-01-31T06:30:00Z.") from error
    if not EARLIEST <= time < LATEST:
        raise GraphQLError("A DateTime must be between the years 2000 and 2100.")
    return time


def _parse_big(value: Any) -> int:
    if isinstance(value, str) and value.lstrip("-").isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in INTEGERS:
        raise GraphQLError("A BigInt must be a whole number of at most 64 bits.")
    return value


def _same(value: Any) -> Any:
    return value


def _parse_document(value: Any) -> Any:
    """A literal such as 1e999 is infinite, which a JSON document can't hold."""
    if not_finite(value) is not None:
        raise GraphQLError("A JSON document can't hold NaN or infinity; use a smaller number, null or a string.")
    return value


def json_object(value: Any, name: str) -> JsonDocument:
    """The value of a JSON input that must be an object. None means an empty one. Raises Invalid."""
    document = {} if value is None else value
    if not isinstance(document, dict):
        raise Invalid(f"The field {name} must be a JSON object of names and values.")
    return document


def _text_of(time: datetime) -> str:
    """As `clock.isoformat` has it, in a fifth of its time: a page has hundreds."""
    text: str = msgspec.to_builtins(time if time.tzinfo is UTC else time.astimezone(UTC))
    return text if time.microsecond else f"{text[:19]}.000000Z"


def texts_of(times: list[datetime]) -> list[str]:
    """The same of many times, in a fifth of that again."""
    if set(map(_ZONE, times)) != {UTC}:
        return list(map(_text_of, times))
    texts: list[str] = msgspec.to_builtins(times)
    return [text if len(text) > 20 else f"{text[:19]}.000000Z" for text in texts]


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A time in ISO 8601 with an offset. Results are in UTC with a trailing Z.",
        serialize=_text_of,
        parse_value=_parse_time,
    ),
    BigInt: strawberry.scalar(
        name="BigInt", description="A whole number of up to 64 bits.", serialize=int, parse_value=_parse_big
    ),
    JSON: strawberry.scalar(name="JSON", description="A JSON document.", serialize=_same, parse_value=_parse_document),
}
