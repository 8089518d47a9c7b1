"""What a request says: its verb, target and payload as one hash, without what differs when it is sent again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from appliance.kit import ids

_KEY, _SECRETS = "idempotency_key", ("password", "secret_value")


@dataclass(frozen=True)
class Payload:
    """`digest` is the hash of all but the key, which the message may carry, and a password or another secret: a fast hash of one could be
    guessed."""

    digest: str
    key: str | None
    secret: str | None = field(repr=False)


def payload_of(verb: str, arguments: Mapping[str, Any]) -> Payload:
    """The request of a call. Fields with default values are left out, so that a newer server, whose messages have more of them, still
    recognizes it."""
    apart: dict[str, str] = {}
    plain = {name: _plain(value, apart) for name, value in arguments.items() if value is not None}
    digest = ids.sha256(msgspec.json.encode([verb, plain], order="sorted"))
    return Payload(digest, apart.get(_KEY), next((apart[name] for name in _SECRETS if name in apart), None))


def _plain(value: Any, apart: dict[str, str]) -> Any:
    if isinstance(value, msgspec.Struct) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        fields: dict[str, Any] = {}
        for name, one, default in _fields(value):
            if name in (_KEY, *_SECRETS):
                if one is not None:
                    apart[name] = one
            elif one != default:
                fields[name] = _plain(one, apart)
        return fields
    if isinstance(value, Mapping):
        return {name: _plain(one, apart) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, apart) for one in value]
    return value


@cache
def _described(kind: Any) -> Sequence[Any]:
    """The fields of a class; msgspec evaluates its annotations each time."""
    return msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else dataclasses.fields(kind)


def _fields(value: Any) -> Iterator[tuple[str, Any, Any]]:
    """The name, value and default of each field of a message or a dataclass."""
    kind: Any = type(value)
    for one in _described(kind):
        factory = one.default_factory
        has_factory = factory is not msgspec.NODEFAULT and factory is not dataclasses.MISSING
        yield one.name, getattr(value, one.name), factory() if has_factory else one.default
