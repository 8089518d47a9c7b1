"""When crashes are a loop: whatever runs next will probably crash, too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from appliance.server.domain.repair import MOST_RETURNS

LENGTH = 3
"""So many crashes in a row are one."""
_CRASHED = "Crashed"


def is_crash(name: str) -> bool:
    """Whether a state of this name is a crash."""
    return name == _CRASHED


def reason(of_flow: Sequence[str], of_run: Sequence[str], returns: int) -> str:
    """What makes the newest crash a loop, in a sentence; empty if nothing does. `of_flow` and `of_run` are the names of the last ends of the flow's
    runs and of the run's attempts, the newest first, `returns` how often the run was given back before it began. It is said once in a row."""
    if returns >= MOST_RETURNS:
        return f"The run was given back {MOST_RETURNS} times before it began."
    if _in_a_row(of_run) == LENGTH:
        return f"The run has crashed {LENGTH} times in a row."
    return f"The last {LENGTH} runs of the flow have crashed." if _in_a_row(of_flow) == LENGTH else ""


def _in_a_row(names: Sequence[str]) -> int:
    return len(list(takewhile(is_crash, names)))
