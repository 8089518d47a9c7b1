"""Decodes JSON bodies strictly into the protocol's messages. Errors name the invalid field. No message gets past here
with a value that a column can't hold."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from appliance.server.api import body_hints
from appliance.server.domain.bounds import Check, check_of
from appliance.server.errors import Invalid

T = TypeVar("T")
_AT = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
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
        raise Invalid(_sentence(str(error), kind)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("The request body is not valid JSON.") from error
    except RecursionError as error:
        raise Invalid("The request body is nested too deeply.") from error


def _sentence(text: str, kind: type) -> str:
    match = _AT.match(text)
    reason, path = (match["reason"], match["path"]) if match else (text, None)
    end = body_hints.hint(kind, path or "", reason) or "."
    reason = reason[:1].lower() + reason[1:300] + end
    return f"The field {path[:100]} is not valid: {reason}" if path else f"The request is not valid: {reason}"
