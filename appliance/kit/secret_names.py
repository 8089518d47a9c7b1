"""Which names secrets can have: those of environment variables, and hyphens, for which a variable has underscores."""

from __future__ import annotations

import re

LONGEST = 100
MOST_BYTES = 64 * 1024
"""The longest value that the server keeps, in bytes of UTF-8."""
_NAME = re.compile(r"[A-Za-z_-][A-Za-z0-9_-]*")


def is_name(name: str) -> bool:
    return len(name) <= LONGEST and _NAME.fullmatch(name) is not None


def name_problem(name: str) -> str:
    """What is wrong with a name that no secret can have."""
    return f"{name[:LONGEST]!r} is not a valid name of a secret; use letters, digits, underscores and hyphens, at most {LONGEST}, and no digit first."
