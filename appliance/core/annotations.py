"""Marks on task arguments that say how a mapped task takes them: dealt out, whole, or with one level of nesting removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Annotation:
    """An argument together with how it is to be taken."""

    value: Any


class mapped(Annotation):
    """Deal the elements of `value` out to mapped children."""


class unmapped(Annotation):
    """Give the whole of `value` to each mapped child."""


class flatten(Annotation):
    """Remove one level of nesting from `value` before it is dealt out."""


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
