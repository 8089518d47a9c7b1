"""A helper of the flow's package."""

from __future__ import annotations


def dozens(pieces: int) -> str:
    return f"{pieces // 12} dozen"
