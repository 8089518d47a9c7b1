"""What the attempts of runs have used, CPU time and memory, as their agents have measured it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

import msgspec

from appliance.protocol.containers import bytes_in, memory_in
from appliance.protocol.run_limits import amounts

MOST_KEPT = 100
"""Attempts of a run of which it is kept; a run's sum goes on with all of them."""
_MOST_SECONDS, _MOST_BYTES = 1e12, 2**62


class AttemptUsage(msgspec.Struct, omit_defaults=True):
    """What one attempt has used: CPU seconds of all its processes, and its peak memory in bytes. None: that is not known."""

    attempt: int
    cpu_seconds: float | None = None
    peak_memory: int | None = None


class RunUsage(msgspec.Struct, frozen=True):
    """What a run has used, with what is kept of its attempts: the sum of their CPU seconds, and the highest of their peaks."""

    attempts: list[AttemptUsage]
    cpu_seconds: float | None
    peak_memory: int | None


def measured(attempt: int, cpu_seconds: float | None, peak_memory: int | None) -> AttemptUsage | None:
    """What an agent has reported; None if it has measured nothing. A value that can't be is left out."""
    seconds = cpu_seconds if cpu_seconds is not None and 0 <= cpu_seconds <= _MOST_SECONDS else None
    peak = peak_memory if peak_memory is not None and 0 <= peak_memory <= _MOST_BYTES else None
    return None if seconds is None and peak is None else AttemptUsage(attempt, seconds, peak)


def added(run: RunUsage, used: AttemptUsage) -> RunUsage | None:
    """The same with one more attempt; None if it is known already, or is older than all that are kept."""
    oldest = min((one.attempt for one in run.attempts), default=0)
    if any(one.attempt == used.attempt for one in run.attempts) or (
        len(run.attempts) >= MOST_KEPT and used.attempt < oldest
    ):
        return None
    attempts = sorted([*run.attempts, used], key=lambda one: one.attempt)[-MOST_KEPT:]
    seconds = [one for one in (run.cpu_seconds, used.cpu_seconds) if one is not None]
    peaks = [one for one in (run.peak_memory, used.peak_memory) if one is not None]
    return RunUsage(attempts, math.fsum(seconds) if seconds else None, max(peaks, default=None))


def memory_limit(run_config: Mapping[str, Any]) -> int | None:
    """The most memory that a run config lets a run have, in bytes; None if it says nothing of it. The agent may have a limit of its own."""
    container, pod = run_config.get("memory"), run_config.get("memory_limit")
    try:
        if container is not None:
            return memory_in(container)
        return bytes_in(pod) if pod is not None else amounts(run_config.get("limits") or {}).get("memory")
    except (ValueError, TypeError, AttributeError):  # from a release that checked less
        return None


class UsedRun(Protocol):
    """What matters of a run here."""

    @property
    def cpu_seconds(self) -> float | None: ...

    @property
    def peak_memory(self) -> int | None: ...

    @property
    def run_config(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class TypicalUsage:
    """What the last runs of a flow have used: the median and the maximum. `memory_limit` is that of the newest of them."""

    runs: int
    median_cpu_seconds: float | None
    highest_cpu_seconds: float | None
    median_peak_memory: int | None
    highest_peak_memory: int | None
    memory_limit: int | None


def typical(runs: Sequence[UsedRun]) -> TypicalUsage | None:
    """What these runs have used, of which the newest is the first; None if it is known of none of them."""
    known = [run for run in runs if run.cpu_seconds is not None or run.peak_memory is not None]
    if not known:
        return None
    seconds = [run.cpu_seconds for run in known if run.cpu_seconds is not None]
    peaks = [run.peak_memory for run in known if run.peak_memory is not None]
    return TypicalUsage(
        runs=len(known),
        median_cpu_seconds=median(seconds) if seconds else None,
        highest_cpu_seconds=max(seconds, default=None),
        median_peak_memory=round(median(peaks)) if peaks else None,
        highest_peak_memory=max(peaks, default=None),
        memory_limit=memory_limit(known[0].run_config),
    )
