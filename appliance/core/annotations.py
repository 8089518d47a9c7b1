"""Annotations on task arguments that say how a mapped task receives them: element by element, whole, or flattened by one level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Annotation:
    """An argument and how a task receives it."""

    value: Any


class mapped(Annotation):
    """Give each mapped child one element of `value`."""


class unmapped(Annotation):
    """Give each mapped child the whole of `value`."""


class flatten(Annotation):
    """Flatten `value` by one level before its elements are distributed."""


def unwrap(value: Any, is_mapped: bool) -> tuple[Any, bool, bool]:
    """(value, mapped, flattened) of an argument that may carry annotations, nested in any order."""
    marks: list[type[Annotation]] = []
    while isinstance(value, Annotation):
        marks.append(type(value))
        value = value.value
    if unmapped in marks:
        is_mapped = False
    elif marks:
        is_mapped = True
    return value, is_mapped, flatten in marks
