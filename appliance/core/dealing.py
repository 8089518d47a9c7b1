"""The elements of a collection in their order, as `for` gives them, for mapped children and unpacked tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from itertools import islice
from typing import Any, cast


def in_order(values: Any) -> list[Any]:
    """All elements by position: what an index means to a table or a series doesn't matter. Raises TypeError for what has no order."""
    if not isinstance(values, Sized) or not hasattr(values, "__getitem__") or has_keys(values):
        raise TypeError
    count, collection = len(values), cast(Any, values)
    if not hasattr(type(values), "__iter__"):
        return [collection[index] for index in range(count)]
    items = list(islice(collection, count))
    if len(items) != count:
        raise TypeError
    return items


def has_keys(values: Any) -> bool:
    """Is this a mapping or a table, which could be dealt out by rows or by columns? A series has keys, too, but also an order."""
    if isinstance(values, Mapping):
        return True
    return is_frame(values) or (hasattr(type(values), "keys") and not is_series(values))


class Position(int):
    """An index that counts from 0, also where an index is a label."""


def item(values: Any, key: Any) -> Any:
    """`values[key]`, as the collection understands the key unless it is a position."""
    return in_order(values)[key] if type(key) is Position and is_series(values) else values[key]


def is_series(value: Any) -> bool:
    """Is its index a label rather than a position?"""
    return any(base.__name__ == "Series" for base in type(value).__mro__)


def is_frame(value: Any) -> bool:
    return any(base.__name__ == "DataFrame" for base in type(value).__mro__)


def advice(values: Any) -> str:
    """What to return instead of a value that can't be dealt out."""
    return 'return its rows, such as frame.to_dict("records")' if is_frame(values) else "return a list"
