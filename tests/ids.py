"""Names of parametrized tests that are the same in every process, as test workers require."""

from __future__ import annotations

import re


def stable_id(value: object) -> str:
    """The value's text without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
