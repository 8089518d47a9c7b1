"""Numpy's scalars count as what they stand for: an int64 is an integer wherever one is asked for."""

from __future__ import annotations

import sys
from collections import deque
from numbers import Integral, Real
from typing import Any, TypeGuard

_PLAIN = frozenset({bool, int, float, str, bytes, type(None)})
_COLLECTIONS = frozenset({list, tuple, set, frozenset})


def is_whole(value: Any) -> TypeGuard[int]:
    """Is this an integer, numpy's included? True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """Is this a real number, numpy's included? True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def plain(value: Any) -> Any:
    """A value in which numpy's integers, floats, booleans and strings, at any depth of plain collections, are Python's."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in _COLLECTIONS:
        return kind(map(plain, value))
    if kind is dict:
        return {plain(key): plain(item) for key, item in value.items()}
    if kind is deque:
        return deque(map(plain, value), value.maxlen)
    if isinstance(value, tuple) and hasattr(kind, "_make"):  # a named tuple
        return kind._make(map(plain, value))
    return value.item() if is_numpy_scalar(value) else value


def is_numpy_scalar(value: Any) -> bool:
    """Is this an integer, a float, a boolean or a string of numpy? Its times are not: Python has none of their precision."""
    if type(value).__module__ != "numpy":  # whoever has one has imported it
        return False
    return isinstance(value, sys.modules["numpy"].generic) and value.dtype.kind in "biufU"
