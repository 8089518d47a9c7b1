"""Decodes JSON bodies strictly into the protocol's messages. Errors name the invalid field."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from appliance.server.errors import Invalid

T = TypeVar("T")
_AT = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_DECODERS: dict[type, msgspec.json.Decoder[object]] = {}


def decode(body: bytes, kind: type[T]) -> T:
    """The message in the body. Raises Invalid. Types are not coerced: the string "1" is not a number."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(body or b"{}")  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise Invalid(_sentence(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("The request body is not valid JSON.") from error
    except RecursionError as error:
        raise Invalid("The request body is nested too deeply.") from error


def _sentence(text: str) -> str:
    match = _AT.match(text)
    reason, path = (match["reason"], match["path"]) if match else (text, None)
    reason = reason[:1].lower() + reason[1:300]
    return f"The field {path[:100]} is not valid: {reason}." if path else f"The request is not valid: {reason}."
