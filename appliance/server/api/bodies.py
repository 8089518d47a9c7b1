"""Decodes JSON bodies strictly into the protocol's messages. Errors name the invalid field. No message gets past here
with a value that a column can't hold."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from appliance.server.domain import message_faults
from appliance.server.domain.bounds import Check, check_of
from appliance.server.errors import Invalid

T = TypeVar("T")
_DECODERS: dict[type, tuple[msgspec.json.Decoder[object], Check | None]] = {}


def decode(body: bytes, kind: type[T]) -> T:
    """The message in the body. Raises Invalid. Types are not coerced: the string "1" is not a number."""
    known = _DECODERS.get(kind)
    if known is None:
        known = _DECODERS[kind] = msgspec.json.Decoder(kind), check_of(kind)
    decoder, check = known
    try:
        message = decoder.decode(body or b"{}")
        if check is not None:
            check(message, "body")
        return message  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise Invalid(message_faults.sentence(str(error), kind)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("The request body is not valid JSON.") from error
    except RecursionError as error:
        raise Invalid("The request body is nested too deeply.") from error
