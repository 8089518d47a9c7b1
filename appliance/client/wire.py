"""Converts between JSON and the messages of appliance.protocol."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from appliance.client.errors import BadAnswer, ClientError
from appliance.core import scalars
from appliance.kit.json_numbers import not_finite
from appliance.protocol.message import Page

T = TypeVar("T")

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(message: Any) -> bytes:
    """A message as JSON bytes. Raises ClientError for NaN and infinity, which JSON would hold as null."""
    name = not_finite(msgspec.to_builtins(message, builtin_types=(UUID, datetime), enc_hook=_hook))
    if name is not None:
        raise ClientError(f"JSON can't hold the number {name}; pass null or a text such as {name!r} instead.")
    return _encoder.encode(message)


def _hook(value: Any) -> Any:
    if scalars.is_numpy_scalar(value):
        return value.item()
    raise TypeError(f"JSON can't hold a value of type {type(value).__name__}; convert it to text, a number or a list.")


_encoder = msgspec.json.Encoder(enc_hook=_hook)


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
