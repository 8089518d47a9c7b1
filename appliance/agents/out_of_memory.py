"""Tells a run that was killed for lack of memory from one that somebody has killed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from appliance.agents.cgroups import Ending
from appliance.agents.usage import field

_COUNTERS = Path("/proc/vmstat")


def kills(counters: Path = _COUNTERS) -> int:
    """How many processes the kernel of this machine has killed so far for lack of memory; 0 if it doesn't say."""
    try:
        return field(counters.read_text(encoding="ascii").splitlines(), "oom_kill")
    except (OSError, ValueError):
        return 0


def reason(ending: Ending | None, limits: Mapping[str, int], kills_before: int | None = None) -> str:
    """Why a process was killed that its agent has not killed, in a sentence; empty if there is no sign of a lack of memory. `kills_before`: how many the
    kernel had killed when the process was first seen."""
    if ending is not None and ending.out_of_memory:
        if ending.own_limit and "memory" in limits:
            limit = f"{limits['memory'] / 1024**2:,.0f} MiB"
            return f"The run's processes were killed because together they used more memory than their limit of {limit} (OOM)."
        return (
            "The run's processes were killed because the machine, or its agent's part of it, was out of memory (OOM)."
        )
    if ending is None and kills_before is not None and kills() > kills_before:
        return (
            "The run's process was killed by SIGKILL. The machine was probably out of memory: the kernel has killed processes for that since the run "
            "started."
        )
    return ""
