"""Marks on task arguments that say how a mapped task takes them: dealt out, whole, or with one level of nesting removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Annotation:
    """An argument together with how it is to be taken."""

    value: Any


class mapped(Annotation):  # noqa: N801 - reads as a function at the call
    """Deal the elements of `value` out to mapped children."""


class unmapped(Annotation):  # noqa: N801
    """Give the whole of `value` to each mapped child."""


class flatten(Annotation):  # noqa: N801
    """Remove one level of nesting from `value` before it is dealt out."""


def unwrap(value: Any, is_mapped: bool) -> tuple[Any, bool, bool]:
    """(value, mapped, flattened) of an argument that may carry annotations, nested in any order."""
    flattened = False
    while isinstance(value, Annotation):
        if isinstance(value, mapped):
            is_mapped = True
        elif isinstance(value, unmapped):
            is_mapped = False
        else:
            is_mapped = flattened = True
        value = value.value
    return value, is_mapped, flattened
