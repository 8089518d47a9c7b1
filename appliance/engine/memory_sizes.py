"""About how many bytes a value keeps in memory, so that what a process remembers can be bounded."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, cast

_MOST_ITEMS = 1_000
"""Items of one collection that are measured. They stand for the others."""
_MOST_OBJECTS = 50_000
_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType)


def estimate(value: Any) -> int:
    """Arrays and tables by their own measure, everything else by what it holds, each object once."""
    total, seen = 0.0, set[int]()
    stack: list[tuple[Any, float]] = [(value, 1.0)]
    while stack and len(seen) < _MOST_OBJECTS:
        one, weight = stack.pop()
        if id(one) in seen or isinstance(one, _CODE):
            continue
        seen.add(id(one))
        total += weight * _own_size(one)
        items = _items(one)
        step = len(items) // _MOST_ITEMS + 1
        stack.extend((item, weight * step) for item in items[::step])
    return int(total)


def _own_size(one: Any) -> int:
    try:
        usage = getattr(type(one), "memory_usage", None)
        if usage is not None:  # a table of pandas
            size = usage(one, deep=True)
            return int(size.sum() if hasattr(size, "sum") else size)
        nbytes = getattr(one, "nbytes", None) if hasattr(type(one), "nbytes") else None
        return sys.getsizeof(one) if nbytes is None else int(nbytes)
    except Exception:  # noqa: BLE001 - code of the value's own class; its parts are measured all the same
        return object.__sizeof__(one)


def _items(one: Any) -> Sequence[Any]:
    kind = type(one)
    if issubclass(kind, list | tuple):
        return cast(Sequence[Any], one)
    if issubclass(kind, dict):
        return [*dict.keys(one), *dict.values(one)]
    if issubclass(kind, set | frozenset | deque):
        return list(one)
    if hasattr(kind, "nbytes") and getattr(getattr(one, "dtype", None), "hasobject", False):
        return cast(list[Any], one.ravel().tolist())
    if hasattr(kind, "memory_usage") or hasattr(kind, "nbytes"):
        return ()
    try:
        return [getattr(one, name) for name in ("__dict__", *_slots(kind)) if hasattr(one, name)]
    except Exception:  # noqa: BLE001 - nothing to look into, or the class doesn't let us
        return ()


def _slots(kind: type) -> list[str]:
    names: list[str] = []
    for cls in kind.__mro__:
        own = cls.__dict__.get("__slots__", ())
        names += [own] if isinstance(own, str) else own
    return [name for name in names if name not in ("__dict__", "__weakref__")]
