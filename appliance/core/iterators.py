"""What can be read only once is no value for several tasks, runs or attempts: iterators become lists, or are refused."""

from __future__ import annotations

import copy
import dataclasses
import io
import itertools
import operator
from collections import deque
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

from appliance.core.copies import SCALARS
from appliance.core.errors import OneShotError

_LISTED = frozenset({"builtins", "itertools", "collections", "_collections", "array", "pydantic_core._pydantic_core"})
"""The modules whose iterators have no purpose but their items: generators, `map`, `zip`, `itertools.chain`, `iter([])`,
and what pydantic makes of values for `Iterable`..."""
_GROUP: type = type(next(itertools.groupby("a"))[1])
_REFUSED = (itertools.count, itertools.cycle, itertools.repeat, _GROUP)
"""Those without an end, and a group of `groupby`, which is lost as soon as the next one is read."""
_MAPPINGS = (dict, MappingProxyType)
_COLLECTIONS = (list, tuple, deque, set, frozenset, *_MAPPINGS)
_MOST, _ENDS, _DEPTH = 100, 3, 3
"""How many items of a collection are looked at, how many at each end of a longer one, and how deep: what people write into
a `return`."""


def listed(value: Any) -> Any:
    """The value, with a list in place of an iterator that it is or that is in it. Raises OneShotError."""
    kind = type(value)
    if kind in SCALARS or not (is_one_shot(kind) or _has_items(kind)):
        return value
    return Lists().of(value)


def listed_where_possible(value: Any) -> Any:
    """The same for a value that the author wrote into the flow: what can't be listed, such as an open file, is shared as it is."""
    return Lists(refuse=False).of(value)


def is_one_shot(kind: type) -> bool:
    """Can a value of this class be read only once? Text and bytes in memory have a way back."""
    one_shot = hasattr(kind, "__next__") or hasattr(kind, "__anext__")
    return one_shot and not issubclass(kind, io.BytesIO | io.StringIO)


class Lists:
    """The lists that iterators have become. One that is met again, in whatever value, is the same list again."""

    def __init__(self, refuse: bool = True) -> None:
        self._refuse = refuse
        self._known: dict[int, tuple[Any, Any]] = {}  # with the iterator, so that no other one gets its id

    def of(self, value: Any, depth: int = _DEPTH) -> Any:
        """The value with lists. Raises OneShotError for what can't be listed, unless that is to stay as it is."""
        kind = type(value)
        if kind in SCALARS:
            return value
        if is_one_shot(kind):
            return self._list(value, depth)
        one_shot = _one_shot_in(value, depth) if _has_items(kind) else None
        return value if one_shot is None else self._with_lists(value, depth, one_shot)

    def _list(self, value: Any, depth: int) -> Any:
        if id(value) in self._known:
            return self._known[id(value)][1]
        kind = type(value)
        if kind.__module__ not in _LISTED or kind in _REFUSED or not hasattr(kind, "__next__"):
            return self._as_it_is(value, kind)
        items: list[Any] = (
            list(value) if kind is not itertools.groupby else [(key, list(group)) for key, group in value]
        )
        self._known[id(value)] = value, items
        if _one_shot_in(items, depth - 1) is not None:
            items[:] = [self.of(item, depth - 1) for item in items]
        return items

    def _with_lists(self, values: Any, depth: int, one_shot: type) -> Any:
        """A copy of the collection with lists in it; there can't be any in sets and in keys."""
        kind = type(values)
        if issubclass(kind, tuple):
            make = tuple if kind is tuple else getattr(kind, "_make", None)
            if make is not None:
                return make([self.of(item, depth - 1) for item in values])
        elif issubclass(kind, list | deque):
            return self._changed(values, enumerate(values), depth)
        elif issubclass(kind, dict) and _one_shot_in(tuple(values), depth) is None:
            return self._changed(values, values.items(), depth)
        elif not issubclass(kind, _COLLECTIONS):
            return self._changed(values, _fields(values), depth, object.__setattr__)
        return self._as_it_is(values, one_shot)

    def _changed(
        self,
        values: Any,
        items: Iterable[tuple[Any, Any]],
        depth: int,
        put: Callable[[Any, Any, Any], None] = operator.setitem,
    ) -> Any:
        new = copy.copy(values)  # also of a subclass, with what it holds besides its items
        for key, item in items:
            if (listed := self.of(item, depth - 1)) is not item:
                put(new, key, listed)
        return new

    def _as_it_is(self, value: Any, one_shot: type) -> Any:
        if self._refuse:
            raise _refusal(one_shot)
        return value


def _refusal(kind: type) -> OneShotError:
    return OneShotError(
        f"A value of type {kind.__name__} can be read only once, so it can't be shared by tasks; "
        "use a list of its items instead, or the path of its file."
    )


def _has_items(kind: type) -> bool:
    """Is this a collection, or a data class, whose fields are looked at like the items of a collection?"""
    return issubclass(kind, _COLLECTIONS) or hasattr(kind, "__dataclass_fields__")


def _fields(value: Any) -> list[tuple[str, Any]]:
    return [
        (field.name, getattr(value, field.name)) for field in dataclasses.fields(value) if hasattr(value, field.name)
    ]


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
    nested = set(filter(_has_items, kinds))
    inner = (_one_shot_in(item, depth - 1) for item in items if type(item) in nested) if nested else ()
    return next(filter(None, inner), None)


def _looked_at(values: Any) -> Iterable[Any]:
    if isinstance(values, _MAPPINGS):
        return [*_part(values), *_part(values.values())]
    if not isinstance(values, _COLLECTIONS):
        return [item for _, item in _fields(values)]
    return _part(values)


def _part(items: Any) -> Iterable[Any]:
    """All items, or of a long collection a few at each end."""
    if len(items) <= _MOST:
        return items  # type: ignore[no-any-return]
    first = list(itertools.islice(items, _ENDS))
    return first if isinstance(items, set | frozenset) else [*first, *itertools.islice(reversed(items), _ENDS)]
