"""What can be read only once is no value for several tasks, runs or attempts: iterators become lists, or are refused."""

from __future__ import annotations

import copy
import io
import itertools
from collections import deque
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from appliance.core.copies import SCALARS
from appliance.core.errors import OneShotError

_LISTED = frozenset({"builtins", "itertools", "collections", "_collections", "array"})
"""The modules whose iterators have no purpose but their items: generators, `map`, `zip`, `itertools.chain`, `iter([])`..."""
_GROUP: type = type(next(itertools.groupby("a"))[1])
_REFUSED = (itertools.count, itertools.cycle, itertools.repeat, _GROUP)
"""Those without an end, and a group of `groupby`, which is lost as soon as the next one is read."""
_MAPPINGS = (dict, MappingProxyType)
_COLLECTIONS = (list, tuple, deque, set, frozenset, *_MAPPINGS)
_MOST, _ENDS, _DEPTH = 100, 3, 3
"""How many items of a collection are looked at, how many at each end of a longer one, and how deep: what people write into
a `return`."""


def listed(value: Any, depth: int = _DEPTH) -> Any:
    """The value, with a list in place of an iterator that it is or that is in it. Raises OneShotError."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if is_one_shot(kind):
        return _list(value, depth)
    one_shot = _one_shot_in(value, depth) if issubclass(kind, _COLLECTIONS) else None
    return value if one_shot is None else _with_lists(value, depth, one_shot)


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


def _list(value: Any, depth: int) -> list[Any]:
    kind = type(value)
    if kind.__module__ not in _LISTED or kind in _REFUSED or not hasattr(kind, "__next__"):
        raise _refusal(kind)
    if kind is itertools.groupby:
        return [(key, list(group)) for key, group in value]
    items: list[Any] = listed(list(value), depth - 1)
    return items


def _refusal(kind: type) -> OneShotError:
    return OneShotError(
        f"A value of type {kind.__name__} can be read only once, so it can't be shared by tasks; "
        "use a list of its items instead, or the path of its file."
    )


def _one_shot_in(values: Any, depth: int) -> type | None:
    """The class of an iterator among the items that are looked at."""
    if depth <= 0:
        return None
    try:
        items = _looked_at(values)
        kinds = set(map(type, items)) - SCALARS
    except Exception:  # noqa: BLE001 - methods of a user's class; whoever reads the value will say what is wrong
        return None
    one_shot = next(filter(is_one_shot, kinds), None)
    if one_shot is not None:
        return one_shot
    nested = {kind for kind in kinds if issubclass(kind, _COLLECTIONS)}
    inner = (_one_shot_in(item, depth - 1) for item in items if type(item) in nested) if nested else ()
    return next(filter(None, inner), None)


def _looked_at(values: Any) -> Iterable[Any]:
    if isinstance(values, _MAPPINGS):
        return [*_part(values), *_part(values.values())]
    return _part(values)


def _part(items: Any) -> Iterable[Any]:
    """All items, or of a long collection a few at each end."""
    if len(items) <= _MOST:
        return items  # type: ignore[no-any-return]
    first = list(itertools.islice(items, _ENDS))
    return first if isinstance(items, set | frozenset) else [*first, *itertools.islice(reversed(items), _ENDS)]


def _with_lists(values: Any, depth: int, one_shot: type) -> Any:
    """A copy of the collection with lists in it. Raises OneShotError where there can't be any: in sets and in keys."""
    kind = type(values)
    if issubclass(kind, tuple):
        make = tuple if kind is tuple else getattr(kind, "_make", None)
        if make is not None:
            return make([listed(item, depth - 1) for item in values])
    elif issubclass(kind, list | deque):
        return _changed(values, enumerate(values), depth)
    elif issubclass(kind, dict) and _one_shot_in(tuple(values), depth) is None:
        return _changed(values, values.items(), depth)
    raise _refusal(one_shot)


def _changed(values: Any, items: Iterable[tuple[Any, Any]], depth: int) -> Any:
    new = copy.copy(values)  # also of a subclass, with what it holds besides its items
    for key, item in items:
        new[key] = listed(item, depth - 1)
    return new
