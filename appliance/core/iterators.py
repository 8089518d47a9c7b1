"""What can be read only once is no value for several tasks, runs or attempts: iterators become lists, or are refused."""

from __future__ import annotations

import io
import itertools
from typing import Any

from appliance.core.errors import OneShotError

_LISTED = frozenset({"builtins", "itertools", "collections", "_collections", "array"})
"""The modules whose iterators have no purpose but their items: generators, `map`, `zip`, `itertools.chain`, `iter([])`..."""
_ENDLESS = (itertools.count, itertools.cycle, itertools.repeat)
_SEVERAL = frozenset({list, tuple, dict})
_MOST, _DEPTH = 100, 3
"""How many items of a collection are looked at, and how deep: what people write into a `return`."""


def listed(value: Any, depth: int = _DEPTH) -> Any:
    """The value, with a list in place of an iterator that it is or that is in it. Raises OneShotError."""
    kind = type(value)
    if kind in _SEVERAL:
        return _with_lists(value, depth) if len(value) <= _MOST else value
    return _list(value) if is_one_shot(kind) else value


def listed_where_possible(value: Any) -> Any:
    """The same for a value that the author wrote into the flow: what can't be listed, such as an open file, is shared as it is."""
    try:
        return listed(value)
    except OneShotError:
        return value


def is_one_shot(kind: type) -> bool:
    """Can a value of this class be read only once? Text and bytes in memory have a way back."""
    one_shot = hasattr(kind, "__next__") or hasattr(kind, "__anext__")
    return one_shot and not issubclass(kind, io.BytesIO | io.StringIO)


def _list(value: Any) -> list[Any]:
    kind = type(value)
    if kind.__module__ not in _LISTED or kind in _ENDLESS or not hasattr(kind, "__next__"):
        raise OneShotError(
            f"A value of type {kind.__name__} can be read only once, so it can't be shared by tasks; "
            "use a list of its items instead, or the path of its file."
        )
    return list(value)


def _with_lists(values: Any, depth: int) -> Any:
    """The collection itself if there is no iterator in it."""
    items = values.values() if type(values) is dict else values
    kinds = set(map(type, items))
    if not depth or (not any(map(is_one_shot, kinds)) and kinds.isdisjoint(_SEVERAL)):
        return values
    new = [listed(item, depth - 1) for item in items]
    if all(a is b for a, b in zip(new, items, strict=True)):
        return values
    return dict(zip(values, new, strict=True)) if type(values) is dict else type(values)(new)
