"""JSON has no NaN and no infinity, and encoders write null in their place; so whoever encodes looks for them first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_TEXTUAL = frozenset({bool, int, str, bytes, type(None)})


def not_finite(value: Any) -> str | None:
    """The first number in a value of lists and dicts that JSON can't hold, as text: "nan", "inf" or "-inf"."""
    if type(value) in _TEXTUAL:
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else repr(float(value))
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return None
    return next((name for one in value if (name := not_finite(one)) is not None), None)
