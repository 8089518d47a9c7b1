"""Tasks that a flow adds by itself: constants, collections of results, items of results, and operators."""

from __future__ import annotations

from typing import Any

from appliance.core.annotations import Annotation
from appliance.core.operators import FUNCTIONS
from appliance.core.task import Task


class Constant(Task):
    """Returns a fixed value; used only where the value can't be kept out of the graph."""

    auto_generated = True

    def __init__(self, value: Any, name: str | None = None) -> None:
        super().__init__(name=name or type(self).__name__)
        self.value = value

    def run(self) -> Any:
        return self.value


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


class Dict(Task):
    """The results under the keys of a dict."""

    auto_generated = True

    def run(self, keys: list[Any], values: list[Any]) -> Any:
        return dict(zip(keys, values, strict=True))


class GetItem(Task):
    """One item of a result: `task[key]`."""

    auto_generated = True

    def run(self, result: Any, key: Any) -> Any:
        return result[key]


class Operation(Task):
    """A binary operator between two results."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.function = FUNCTIONS[name]

    def run(self, a: Any, b: Any) -> Any:
        return self.function(a, b)


class Not(Task):
    """The negation of a result."""

    def run(self, value: Any) -> Any:
        return not value


def holds_task(value: Any) -> bool:
    """Is there a task in this value, at any depth of plain collections?"""
    if isinstance(value, Task | Annotation):
        return True
    kind = type(value)
    if kind is dict:
        return any(holds_task(item) for pair in value.items() for item in pair)
    return kind in (list, tuple, set) and any(holds_task(item) for item in value)


def as_task(value: Any) -> Task:
    """`value` as a task; a collection that holds tasks becomes a collection task, bound to the active flow."""
    if isinstance(value, Task):
        return value
    if not holds_task(value):
        return Constant(value)
    if isinstance(value, dict):
        return Dict().bind(keys=list(value), values=list(value.values()))
    if isinstance(value, set):  # sets of tasks have no order of their own; slugs and names give a stable one
        value = sorted(value, key=lambda item: (item.slug or item.name) if isinstance(item, Task) else repr(item))
        return Set().bind(**_numbered(value))
    return (List() if isinstance(value, list) else Tuple()).bind(**_numbered(value))


def _numbered(items: Any) -> dict[str, Any]:
    return {f"item_{index}": item for index, item in enumerate(items)}
