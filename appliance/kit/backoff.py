"""Exponential back-off with jitter, for everything that retries."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(first: float, cap: float, factor: float = 2.0) -> Iterator[float]:
    """An endless series of seconds to wait before each retry: random in [half, whole] of first, first*factor, ... up to cap.

    Jitter keeps the clients of a restarted server from calling it all at the same time.
    """
    whole = first
    while True:
        yield random.uniform(whole / 2, whole)  # noqa: S311 - spreads load; nothing secret depends on it
        whole = min(whole * factor, cap)
