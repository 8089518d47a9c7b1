"""Converts between JSON and the messages of appliance.protocol."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from appliance.client.errors import BadAnswer
from appliance.protocol.message import Page

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(message: Any) -> bytes:
    """A message as JSON bytes."""
    return _encoder.encode(message)


def decode(content: bytes, kind: type[T]) -> T:
    """The message in an answer. Raises BadAnswer if the answer is anything else."""
    try:
        decoder = _decoders.get(kind) or _decoders.setdefault(kind, msgspec.json.Decoder(kind))
        message: T = decoder.decode(content)
        return message
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(
            f"The answer doesn't come from an appliance of this version ({error}); check APPLIANCE_URL and the versions of client and server."
        ) from error


def items(page: Page, kind: type[T]) -> list[T]:
    """The items of a page as messages."""
    try:
        return msgspec.convert(page.items, list[kind])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise BadAnswer(
            f"A list from the server contains something unknown ({error}); use a client of the server's version."
        ) from error
