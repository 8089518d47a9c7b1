"""Tasks that a flow adds automatically: constants, and collections of results."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from appliance.core import copies
from appliance.core.annotations import Annotation
from appliance.core.building import active_flow
from appliance.core.errors import FlowBuildError
from appliance.core.iterators import listed_where_possible
from appliance.core.task import Task


class Constant(Task):
    """Returns a fixed value; used only where the value must be part of the graph."""

    auto_generated = True

    def __init__(self, value: Any, name: str | None = None) -> None:
        super().__init__(name=name or type(self).__name__)
        self.value = listed_where_possible(value)

    def run(self) -> Any:
        return copies.own(self.value)


class _Sequence(Task):
    """Collects its arguments, in the order of their numbered keys."""

    auto_generated = True

    def run(self, **items: Any) -> Any:
        return [items[f"item_{index}"] for index in range(len(items))]


class List(_Sequence):
    """The results as a list."""


class Tuple(_Sequence):
    """The results as a tuple."""

    def run(self, **items: Any) -> Any:
        return tuple(super().run(**items))


class Set(_Sequence):
    """The results as a set."""

    def run(self, **items: Any) -> Any:
        return set(super().run(**items))


class FrozenSet(_Sequence):
    """The results as a frozenset."""

    def run(self, **items: Any) -> Any:
        return frozenset(super().run(**items))


class Dict(Task):
    """The results under the keys of a dict."""

    auto_generated = True

    def run(self, keys: list[Any], values: list[Any]) -> Any:
        return dict(zip(keys, values, strict=True))


_KINDS = frozenset({dict, list, tuple, set, frozenset})


def holds_task(value: Any) -> bool:
    """Is there a task in this value, at any depth of plain collections?"""
    if isinstance(value, Task | Annotation):
        return True
    if type(value) not in _KINDS:
        return isinstance(value, tuple(_KINDS)) and _refuse_tasks_in(value)
    seen, stack = {id(value)}, [value]  # no recursion: constants may be deep, and may hold themselves
    while stack:
        collection = stack.pop()
        items = (*collection, *collection.values()) if type(collection) is dict else collection
        for item in items:
            if isinstance(item, Task | Annotation):
                return True
            if type(item) in _KINDS and id(item) not in seen:
                seen.add(id(item))
                stack.append(item)
            elif isinstance(item, tuple) and type(item) is not tuple:
                _refuse_tasks_in(item)
    return False


def tasks_in(value: Any) -> list[Task]:
    """The tasks in a value: itself, or those at any depth of plain collections."""
    if isinstance(value, Task):
        return [value]
    if isinstance(value, Annotation):
        return tasks_in(value.value)
    if not holds_task(value):
        return []
    return [task for item in (value.values() if isinstance(value, dict) else value) for task in tasks_in(item)]


def _refuse_tasks_in(value: Any) -> bool:
    """Named tuples and other custom collections can't be rebuilt by a task."""
    items = (*value, *value.values()) if isinstance(value, dict) else value
    if any(isinstance(item, Task) for item in items):
        raise FlowBuildError(
            f"A {type(value).__name__} can't collect tasks; use a plain list, tuple, set or dict, "
            "or build it in a task of its own."
        )
    return False


def as_task(value: Any) -> Task:
    """`value` as a task; a collection that holds tasks becomes a collection task, bound to the active flow.

    Raises FlowBuildError for collections whose order is not the same in every process.
    """
    if isinstance(value, Task):
        return value
    if not holds_task(value):
        return Constant(value)
    try:
        if isinstance(value, dict):
            return Dict().bind(keys=list(value), values=list(value.values()))
        if isinstance(value, set | frozenset):
            return (Set() if isinstance(value, set) else FrozenSet()).bind(**_numbered(_in_order(value)))
        return (List() if isinstance(value, list) else Tuple()).bind(**_numbered(value))
    except RecursionError as error:
        raise FlowBuildError(
            "A collection of tasks is nested too deeply; build parts of it in tasks of their own."
        ) from error


def _in_order(items: Iterable[Any]) -> list[Any]:
    """Sets have no order: tasks come in the order of the flow, or else by name, before plain values."""
    flow = active_flow.get()
    order = {task: number for number, task in enumerate(flow.slugs)} if flow is not None else {}

    def rank(item: Any) -> tuple[int, int, str]:
        if isinstance(item, Task):
            return 0, order.get(item, len(order)), item.slug or item.name
        return 1, 0, f"{type(item).__qualname__} {item!r}"

    sequence = sorted(items, key=rank)
    for before, after in pairwise(sequence):
        if rank(before) == rank(after):
            raise FlowBuildError(
                f"A set of tasks has no stable order when two of them are both named {rank(after)[2]!r}; "
                "add them to the flow first, or use a list."
            )
    return sequence


def _numbered(items: Any) -> dict[str, Any]:
    return {f"item_{index}": item for index, item in enumerate(items)}
