"""A short digest of the content of a value: equal contents have equal fingerprints, in every process and on every machine.

Different contents never share one; equal contents of a custom class may differ, which only costs a cache hit.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from appliance.core import table_fingerprints

_TEXTUAL = (bool, complex, Decimal, Fraction, UUID, range, date, timedelta)
_BUILT_IN = (str, bytes, bytearray, int, float, complex, list, tuple, dict, set, frozenset, deque, BaseException)
"""What a class may inherit content from that none of its fields shows."""
_LONGEST = 10_000
"""Bits of integers that Python writes in decimal without being asked to."""


def fingerprint(value: Any) -> str | None:
    """32 hexadecimal digits, or None for a value without comparable content: one that can't be pickled, or that contains itself."""
    try:
        return _digest(value).hex()
    except Exception:  # noqa: BLE001 - code of the value's own class may raise anything; who asks says what follows
        return None


def _digest(value: Any) -> bytes:
    tag, parts = _parts(value)
    digest = hashlib.blake2b(tag.encode(), digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def _parts(value: Any) -> tuple[str, Iterable[Any]]:
    """The kind of a value, and its content in pieces of bytes. Never evaluates a value's truth or equality."""
    kind = type(value)
    if value is None:
        return "none", ()
    if kind is str:
        return "str", [value.encode("utf-8", "surrogatepass")]
    if kind is bytes or kind is bytearray:
        return kind.__name__, [value]
    if kind is float:
        return "float", [value.hex().encode()]
    if kind is int:
        return "int", [(repr(value) if value.bit_length() < _LONGEST else hex(value)).encode()]
    if kind in _TEXTUAL:
        return kind.__name__, [repr(value).encode()]
    if kind is datetime or kind is time:
        return kind.__name__, _time(value)
    return _parts_of_collection(value, kind) or _parts_of_object(value, kind)


def _time(value: datetime | time) -> Iterable[bytes]:
    zone: tzinfo | None = value.tzinfo
    if zone is None or type(zone) is timezone or (type(zone) is ZoneInfo and zone.key is not None):
        return [repr(value).encode()]
    return [repr(value.replace(tzinfo=None)).encode(), _digest(zone)]  # the repr of any other may say little


def _parts_of_collection(value: Any, kind: type) -> tuple[str, Iterable[Any]] | None:
    if kind is list or kind is tuple:
        return kind.__name__, map(_digest, value)
    if kind is dict or kind is Counter or kind is defaultdict:
        pairs = sorted(_digest(key) + _digest(one) for key, one in value.items())
        return kind.__name__, pairs if kind is not defaultdict else [*pairs, _digest(value.default_factory)]
    if kind is set or kind is frozenset:
        return kind.__name__, sorted(map(_digest, value))
    if kind is deque:
        return "deque", map(_digest, (value.maxlen, *value))
    if isinstance(value, PurePath):
        return _name(kind), [str(value).encode("utf-8", "surrogatepass")]
    return None


def _parts_of_object(value: Any, kind: type) -> tuple[str, Iterable[bytes]]:
    if isinstance(value, Enum):
        return _name(kind), [_digest(value.name), _digest(value.value)]
    parts = table_fingerprints.parts(value)
    if parts is not None:
        return _name(kind), map(_digest, parts)
    names = None if isinstance(value, _BUILT_IN) else _field_names(value, kind)
    if names is not None:
        return _name(kind), (_digest((name, getattr(value, name))) for name in names)
    import cloudpickle  # type: ignore[import-untyped]

    return _name(kind), [cloudpickle.dumps(value)]


def _field_names(value: Any, kind: type) -> list[str] | None:
    """The field names of a dataclass, a pydantic model, a msgspec struct or an attrs class, including attributes that are not fields."""
    if is_dataclass(kind):
        names = [field.name for field in fields(value)]
    elif isinstance(getattr(kind, "model_fields", None), dict):
        names = [*kind.model_fields, "__pydantic_extra__", "__pydantic_private__"]  # type: ignore[attr-defined]
    elif isinstance(getattr(kind, "__struct_fields__", None), tuple):
        names = list(kind.__struct_fields__)  # type: ignore[attr-defined]
    elif isinstance(getattr(kind, "__attrs_attrs__", None), tuple):
        names = [field.name for field in kind.__attrs_attrs__]  # type: ignore[attr-defined]
    else:
        return None
    slots = {name for name in _slots(kind) if hasattr(value, name)}
    return sorted({*names, *slots, *getattr(value, "__dict__", ())} - {"__dict__", "__weakref__"})


def _slots(kind: type) -> Iterable[str]:
    for cls in kind.__mro__:
        names = cls.__dict__.get("__slots__", ())
        yield from [names] if isinstance(names, str) else names


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
