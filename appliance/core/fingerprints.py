"""A short digest of the content of a value: equal contents have equal fingerprints, in every process and on every machine.

Different contents never share one; equal contents of a custom class may differ, which only costs a cache hit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

_TEXTUAL = (bool, int, complex, Decimal, Fraction, UUID, range, date, datetime, time, timedelta)


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
    if kind in _TEXTUAL:
        return kind.__name__, [repr(value).encode()]
    if kind is list or kind is tuple:
        return kind.__name__, map(_digest, value)
    if kind is dict:
        return "dict", sorted(_digest(key) + _digest(one) for key, one in value.items())
    if kind is set or kind is frozenset:
        return kind.__name__, sorted(map(_digest, value))
    if isinstance(value, PurePath):
        return _name(kind), [str(value).encode("utf-8", "surrogatepass")]
    return _parts_of_object(value, kind)


def _parts_of_object(value: Any, kind: type) -> tuple[str, Iterable[bytes]]:
    if isinstance(value, Enum):
        return _name(kind), [_digest(value.name), _digest(value.value)]
    library = kind.__module__.partition(".")[0]
    reader = _LIBRARIES.get(library)
    if reader is not None:
        parts = reader(value)
        if parts is not None:
            return _name(kind), map(_digest, parts)
    names = _field_names(value, kind)
    if names is not None:
        return _name(kind), (_digest((name, getattr(value, name))) for name in names)
    import cloudpickle  # type: ignore[import-untyped]

    return _name(kind), [cloudpickle.dumps(value)]


def _field_names(value: Any, kind: type) -> list[str] | None:
    """The field names of a dataclass, a pydantic model or a msgspec struct, including attributes that are not fields."""
    if is_dataclass(kind):
        names = [field.name for field in fields(value)]
    elif isinstance(getattr(kind, "model_fields", None), dict):
        names = [*kind.model_fields, "__pydantic_extra__", "__pydantic_private__"]  # type: ignore[attr-defined]
    elif isinstance(getattr(kind, "__struct_fields__", None), tuple):
        names = list(kind.__struct_fields__)  # type: ignore[attr-defined]
    else:
        return None
    return sorted({*names, *getattr(value, "__dict__", ())})


def _numpy(value: Any) -> list[Any] | None:
    if not hasattr(value, "dtype") or not hasattr(value, "tobytes"):
        return None
    content = value.ravel().tolist() if value.dtype.hasobject else value.tobytes()
    return [str(value.dtype.descr), list(value.shape), content]


def _pandas(value: Any) -> list[Any] | None:
    kind = type(value).__name__
    if kind == "DataFrame":
        columns = [value.iloc[:, place] for place in range(value.shape[1])]
        return [value.columns, value.index, *[column.array for column in columns]]
    if kind == "Series":
        return [value.name, value.index, value.array]
    if kind.endswith("Index"):
        return [list(value.names), str(value.dtype), value.to_numpy()]
    if hasattr(value, "dtype") and hasattr(value, "to_numpy"):
        return [str(value.dtype), value.to_numpy()]
    return None


_LIBRARIES: dict[str, Callable[[Any], list[Any] | None]] = {"numpy": _numpy, "pandas": _pandas}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
