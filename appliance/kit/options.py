"""Checks of options: a value of the wrong kind is refused with a sentence that names the option."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, TypeVar

T = TypeVar("T")


def require(name: str, value: T, kind: type | tuple[type, ...], what: str) -> T:
    """`value` if it is None or of this kind; `what` continues "must be ...". Raises TypeError."""
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} must be {what}.")
    return value


def flag(name: str, value: bool | None) -> bool | None:
    """An option that is on, off, or None where a default applies."""
    return require(name, value, bool, "True or False")


def text(name: str, value: str | None) -> str | None:
    """An option that is a text."""
    return require(name, value, str, "a string")


def whole_number(name: str, value: int | None, least: int) -> int | None:
    """An option that is a whole number, numpy's included, `least` or more. Raises TypeError or ValueError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}.")
    return int(value)


def mapping(name: str, value: Mapping[str, Any] | None) -> dict[str, Any]:
    """An option that is a dict, copied; None is an empty one."""
    require(name, value, Mapping, "a dict")
    return dict(value or {})


def listed(name: str, items: Iterable[T] | None, single: type) -> Iterable[T]:
    """An option that is a list; None is an empty one. A `single` item is refused, even if it can be iterated over."""
    if items is None:
        return ()
    if isinstance(items, (single, str, bytes, Mapping)):
        raise TypeError(f"{name} must be a list; write [...] around what you have.")
    return require(name, items, Iterable, "a list")


def strings(name: str, value: Iterable[str] | None) -> frozenset[str]:
    """An option that is a list of strings, in any order; None is an empty one. A single string is refused: it is many letters."""
    if isinstance(value, str):
        raise TypeError(f"{name} must be a list of strings; write [{value!r}].")
    require(name, value, Iterable, "a list of strings")
    items = list(value or ())
    if not all(isinstance(item, str) for item in items):
        raise TypeError(f"{name} must be a list of strings.")
    return frozenset(items)
