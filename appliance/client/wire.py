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
_optional: dict[Any, frozenset[str]] = {}
"""The names of the fields of messages that require none of them, so that even `{}` would be one."""


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
        decoder = _decoders.get(kind) or _decoder(kind)
        message: T = decoder.decode(content)
        if kind in _optional and _optional[kind].isdisjoint(msgspec.json.decode(content, type=dict[str, msgspec.Raw])):
            raise _bad(f"it has no field `{min(_optional[kind])}`")  # the server sends every field
        return message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(str(error)) from error


def prepare(*kinds: type[Any]) -> None:
    """Make the decoders of these messages now, for this process and those that are forked from it."""
    for kind in kinds:
        _decoder(kind)


def json(content: bytes) -> bytes:
    """The content, if it is empty or a JSON object or list. Raises BadAnswer if it is anything else."""
    if content and content.lstrip()[:1] not in (b"{", b"["):
        raise _bad("it is neither an object nor a list")
    try:
        if content:
            msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(str(error)) from error
    return content


def raw(content: bytes) -> bytes:
    """The content, whatever it is."""
    return content


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        if not any(field.required for field in fields):
            _optional[kind] = frozenset(field.encode_name for field in fields)
    return _decoders.setdefault(kind, msgspec.json.Decoder(kind))


def _bad(reason: str) -> BadAnswer:
    return BadAnswer(
        f"The answer doesn't come from an appliance of this version ({reason}); check APPLIANCE_URL and the versions of "
        "client and server.",
        reason=reason,
    )


def items(page: Page, kind: type[T]) -> list[T]:
    """The items of a page as messages."""
    try:
        return msgspec.convert(page.items, list[kind])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise BadAnswer(
            f"A list from the server contains something unknown ({error}); use a client of the server's version."
        ) from error
