"""A task's own copy of what it is given, so that what a task does to a list stays with this attempt of this task.

Built-in containers of up to 64 KB are copied, with the containers in them. Larger ones and all other objects are shared.
"""

from __future__ import annotations

import sys
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from datetime import date, datetime, timedelta
from typing import Any

MOST_BYTES = 64 * 1024
"""The size of the containers themselves. Text and numbers in them count only as references: they never change."""

SCALARS: frozenset[type] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, date, datetime, timedelta, range}
)
"""Common classes of values that can't change, and hold nothing that can."""

_LISTS = frozenset({list, deque, UserList})
_DICTS = frozenset({dict, OrderedDict, defaultdict, Counter, UserDict})
_WHOLE = frozenset({set, bytearray})


class _TooLarge(Exception):
    """There is more to copy than MOST_BYTES."""


def own(value: Any) -> Any:
    """A copy of a container if it is small, otherwise the value itself."""
    if not is_container(value):
        return value
    try:
        return _Copy().of(value)
    except (_TooLarge, RecursionError, RuntimeError):  # RuntimeError: another thread is changing it
        return value


def is_container(value: Any) -> bool:
    """Is this of a class that is copied?"""
    kind = type(value)
    if kind in SCALARS:
        return False
    return kind in _LISTS or kind in _DICTS or kind in _WHOLE or kind is ChainMap or issubclass(kind, tuple)


class _Copy:
    """One copy, in which what was one object stays one object."""

    __slots__ = ("copies", "left")

    def __init__(self) -> None:
        self.left = MOST_BYTES
        self.copies: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        if not is_container(value):
            return value
        if id(value) in self.copies:
            return self.copies[id(value)]
        self.left -= sys.getsizeof(value)
        if self.left < 0:
            raise _TooLarge
        kind = type(value)
        if issubclass(kind, tuple):
            return self._tuple(value)
        if kind is ChainMap:
            return ChainMap(*map(self.of, value.maps))
        if kind is UserDict or kind is UserList:
            new = self.copies[id(value)] = kind()
            new.data = self.of(value.data)
            return new
        new = self.copies[id(value)] = value.copy()
        if kind in _LISTS:
            self._items(new, enumerate(value))
        elif kind in _DICTS:
            self._items(new, value.items())
        return new

    def _items(self, new: Any, items: Any) -> None:
        """Replace the containers in a shallow copy by copies of their own."""
        if SCALARS.issuperset(map(type, new.values() if isinstance(new, dict) else new)):
            return
        for key, item in items:
            if type(item) not in SCALARS:
                new[key] = self.of(item)

    def _tuple(self, value: tuple[Any, ...]) -> Any:
        items = tuple(map(self.of, value))
        if all(a is b for a, b in zip(items, value, strict=True)):
            return value
        kind: Any = type(value)
        if kind is tuple:
            return items
        return (
            kind._make(items) if hasattr(kind, "_make") else value
        )  # a tuple of another class may have rules of its own
