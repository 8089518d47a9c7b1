"""Equality and truth of values that may be arrays or tables, whose `==` gives another table and whose truth is an error."""

from __future__ import annotations

from enum import Enum
from typing import Any

_PLAIN = frozenset({bool, int, float, complex, str, bytes, type(None)})
_COLLECTIONS = (list, tuple, dict)
_LONGEST = 100


def is_equal(value: Any, expected: Any) -> bool:
    """Are they equal as wholes? Asked of the values themselves only if they are neither arrays nor tables and hold none."""
    if value is expected:
        return True
    if value is None or expected is None:
        return False
    if is_table(value) or is_table(expected):
        return _same_content(value, expected)
    try:
        answer = value == expected
    except Exception:  # code of the value's own class: compared by content where that can be, raised again where not
        is_decided = type(value) is type(expected) and _content(value) is not None
        if is_decided or isinstance(value, _COLLECTIONS):  # of tables, for example
            return _same_content(value, expected)
        raise
    try:
        return bool(answer)
    except Exception:  # noqa: BLE001 - code of the value's own class: what is neither true nor false decides nothing
        return _same_content(value, expected)


def truth(value: Any) -> bool:
    """The truth of a value. Raises TypeError for an array or a table, which is neither true nor false."""
    if type(value) not in _PLAIN and is_table(value):
        raise TypeError(
            f"A value of type {type(value).__name__} is neither true nor false; decide in a task, for example with `return len(value) > 0`."
        )
    return bool(value)


def is_table(value: Any) -> bool:
    """Has it dimensions? The scalars of numpy have none."""
    return hasattr(type(value), "shape") and value.shape != ()


def _same_content(value: Any, expected: Any) -> bool:
    if type(value) is not type(expected):
        return False
    content = _content(value)
    return content is not None and content == _content(expected)


def _content(value: Any) -> str | None:
    # Most flows compare no tables, and importing the SDK stays cheap.
    from appliance.core.fingerprints import fingerprint

    return fingerprint(value)


def summary(value: Any) -> str:
    """A plain value as it is written, anything else by its type, since it may be long."""
    is_short = type(value) in _PLAIN or isinstance(value, Enum)
    return repr(str(value)[:_LONGEST]) if is_short else f"of type {type(value).__name__}"
