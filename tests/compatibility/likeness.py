"""Reduces a value to comparable parts, so that an unpickled object can be compared with a fresh one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from datetime import date, timedelta, tzinfo
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

_PLAIN = (str, bytes, int, float, complex, bool, type(None), date, timedelta, tzinfo)


def likeness(value: Any, _above: tuple[int, ...] = ()) -> Any:
    """Its class and its attributes, recursively; of a function its name and its closure."""
    if isinstance(value, _PLAIN):
        return value
    if id(value) in _above:
        return "above", len(_above) - _above.index(id(value))
    inside = functools.partial(likeness, _above=(*_above, id(value)))
    if isinstance(value, type | ModuleType):
        return value.__name__.rpartition(".")[2]
    if isinstance(value, FunctionType):
        return "function", value.__qualname__, [inside(cell.cell_contents) for cell in value.__closure__ or ()]
    if isinstance(value, Mapping):
        return "mapping", [(inside(key), inside(one)) for key, one in value.items()]
    if isinstance(value, set | frozenset):
        return "set", sorted(map(repr, map(inside, value)))
    if isinstance(value, list | tuple):
        return type(value).__name__, [inside(one) for one in value]
    if isinstance(value, CodeType | CellType | inspect.Signature):
        return type(value).__name__
    return type(value).__name__, *_attributes(value, inside)


def attribute_names(value: Any) -> set[str]:
    """The names of all attributes of the instance, whether in slots or in a dictionary."""
    slots = {name for kind in type(value).__mro__ for name in _slots(kind) if hasattr(value, name)}
    return slots | set(getattr(value, "__dict__", ()))


def _attributes(value: Any, inside: Any) -> list[Any]:
    """All but those that are what the class has as a default: objects of earlier releases may lack them."""
    attributes = [
        (name, like)
        for name in sorted(attribute_names(value))
        if (like := inside(getattr(value, name))) != inside(getattr(type(value), name, ...))
    ]
    return [("args", inside(value.args)), *attributes] if isinstance(value, BaseException) else attributes


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(name for name in slots if not name.startswith("__"))
