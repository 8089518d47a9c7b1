"""Where due times are closer together than runs of the flow typically take, and what the overlap policy then does. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

_THEN = {
    "queue": "waits for it",
    "skip": "is skipped if that is still active",
    "cancel": "stops it",
    "allow": "overlaps with it",
}


def overlaps(times: Sequence[datetime], typical: float | None, policy: str) -> dict[datetime, str]:
    """The due times at which the run before is typically still active, each with a sentence. `typical` is in seconds; None: unknown."""
    if typical is None or policy not in _THEN:
        return {}
    sentence = f"The run before typically takes {_length(typical)}: this one {_THEN[policy]}."
    return {at: sentence for before, at in pairwise(times) if (at - before).total_seconds() < typical}


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest} s" if minutes and rest else f"{minutes} min" if minutes else f"{rest} s"
