"""Converts the inputs of mutations to the protocol's messages, and checks the same limits as REST."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

import msgspec

from appliance.server.domain import message_faults
from appliance.server.errors import Invalid

M = TypeVar("M")


def message(kind: type[M], /, **fields: Any) -> M:
    """The message with these fields. A field that is None keeps its default. Raises Invalid."""
    values = {name: value.value if isinstance(value, Enum) else value for name, value in fields.items()}
    try:
        return msgspec.convert({name: value for name, value in values.items() if value is not None}, kind)
    except msgspec.ValidationError as error:
        raise Invalid(message_faults.sentence(str(error), kind, camel_case=True)) from error
