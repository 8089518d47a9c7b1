"""What an attempt has used: CPU time and peak memory, which its process measures at its end and writes where its agent finds them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from appliance.agents.run_files import USAGE_FILE

LONGEST = 1_000
"""Bytes of the file."""
_CGROUP = Path("/sys/fs/cgroup")
_STATUS = Path("/proc/self/status")


class Usage(NamedTuple):
    """CPU seconds of all processes of an attempt, and their peak memory in bytes. None: that is not known."""

    cpu_seconds: float | None
    peak_memory: int | None


UNKNOWN = Usage(None, None)


class Ended(NamedTuple):
    """How a process ended, and what it and those that it had waited for have used. `status`: its exit code, negative for a signal."""

    status: int
    used: Usage


class _Document(msgspec.Struct):
    cpu_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e12)] | None = None
    peak_memory: Annotated[int, msgspec.Meta(ge=0, lt=2**62)] | None = None


def parse(content: bytes) -> Usage | None:
    """What a process has written of itself; None if it can't be that."""
    try:
        document = msgspec.json.decode(content, type=_Document)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return Usage(document.cpu_seconds, document.peak_memory)


def write(directory: Path, *, in_container: bool) -> None:
    """Leave what this process has used so far, with those that it has waited for, or with all of its container. Never fails."""
    with suppress(Exception):
        used = (in_container and of_cgroup(_CGROUP)) or _of_this_process()
        (directory / USAGE_FILE).write_bytes(msgspec.json.encode(used._asdict()))


def of_cgroup(folder: Path) -> Usage | None:
    """What all processes of a cgroup of version 2 have used; None if it is not one, or is that of the whole machine."""
    try:
        peak = int((folder / "memory.peak").read_text(encoding="ascii"))
        micros = field((folder / "cpu.stat").read_text(encoding="ascii").splitlines(), "usage_usec")
    except (OSError, ValueError):
        return None
    return Usage(micros / 1e6, peak)


def of_stats(stats: Mapping[str, Any]) -> Usage | None:
    """What a container has used, in the words of Docker's engine; None if it doesn't run any more. The memory is that of now where the kernel keeps no
    peak for the engine, without the part of the page cache that it would give up first."""
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    idle = (memory.get("stats") or {}).get("inactive_file", 0)
    return Usage(stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, memory.get("max_usage", memory["usage"] - idle))


def field(lines: Iterable[str], name: str) -> int:
    """The number beside a name, in a file of the kernel. Raises ValueError if it is not there."""
    for line in lines:
        words = line.split()
        if words and words[0].rstrip(":") == name:
            return int(words[1])
    raise ValueError(f"There is no {name}.")


def reaped(pid: int) -> Ended:
    """Let go of a child that has ended. Its peak is at least that of the program that started it, if it was started by another program."""
    _, status, used = os.wait4(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), Usage(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024))


def _of_this_process() -> Usage:
    import resource  # not above: beside a flow, a file of this name may be somebody's own

    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    # not ru_maxrss: it starts with that of the program that this one has replaced
    peak = field(_STATUS.read_text(encoding="ascii", errors="replace").splitlines(), "VmHWM")
    return Usage(seconds, max(peak, others.ru_maxrss) * 1024)
