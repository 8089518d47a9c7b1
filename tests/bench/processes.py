"""What a tree of processes uses, read from /proc: memory that is its own or its share of it, CPU time, files, threads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """The process and all that descend from it, in no order that matters."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def pss_mb(pid: int) -> float:
    """Proportional memory: pages that several processes share count in parts. 0 for one that has ended."""
    return _kilobytes(pid, "smaps_rollup", "Pss:") / 1024


def rss_mb(pid: int) -> float:
    return _kilobytes(pid, "status", "VmRSS:") / 1024


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time so far, with that of children that have ended."""
    return sum(sum(map(int, fields[11:15])) for pid in pids if (fields := _stat(pid))) / _TICKS


def files(pid: int) -> int:
    """Open file descriptors."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def threads(pid: int) -> int:
    return int(fields[17]) if (fields := _stat(pid)) else 0


def title(pid: int) -> str:
    """The command without the interpreter, as far as it tells one from another."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "ended"
    return " ".join(Path(word).name for word in words if word and not word.startswith("-"))[:60]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, or nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _kilobytes(pid: int, file: str, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
