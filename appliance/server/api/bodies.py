"""Reading JSON bodies strictly, straight into the protocol's messages, with one sentence that names the field at fault."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from appliance.server.errors import Invalid

T = TypeVar("T")
_AT = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_DECODERS: dict[type, msgspec.json.Decoder[object]] = {}


def decode(body: bytes, kind: type[T]) -> T:
    """The message in the body; raises Invalid. Types are not bent: the text "1" is no number."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(body or b"{}")  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise Invalid(_sentence(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("The request's body is not valid JSON.") from error
    except RecursionError as error:
        raise Invalid("The request's body is nested too deeply.") from error


def _sentence(text: str) -> str:
    found = _AT.match(text)
    reason, path = (found["reason"], found["path"]) if found else (text, None)
    reason = reason[:1].lower() + reason[1:300]
    return f"The field {path[:100]} can't be used: {reason}." if path else f"The request can't be used: {reason}."
