"""Exponential back-off with full jitter, for everything that tries again."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(first: float, cap: float, factor: float = 2.0) -> Iterator[float]:
    """Seconds to wait before each further try, without end: random in [half, whole] of first, first*factor, ... up to cap.

    Jitter keeps many clients of a restarted server from calling it in step.
    """
    whole = first
    while True:
        yield random.uniform(whole / 2, whole)  # noqa: S311 - spreads load, guards nothing
        whole = min(whole * factor, cap)
