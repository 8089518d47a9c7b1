"""What a flow may say of the resources that a run's process has: names and amounts, as the SDK, the server, and the agent each check them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.protocol.containers import bytes_in

LEAST: Mapping[str, int] = {
    "memory": 256 * 1024**2,
    "cpu_seconds": 1,
    "open_files": 64,
    "processes": 16,
    "file_size": 1024**2,
}
"""The limits that there are, each with the least that a run needs to start and to report: bytes, seconds, or numbers."""
_BYTES = ("memory", "file_size")
_MOST = 2**62


def limits_problem(limits: Mapping[str, Any]) -> str:
    """Why these can't be the limits of a run, in a sentence; empty if they can."""
    for name, amount in limits.items():
        if name not in LEAST:
            return f"limits can't have {str(name)[:60]!r}; the limits are {', '.join(LEAST)}."
        number = _number(name, amount)
        if number is None:
            form = 'bytes, as in "512Mi" or "2Gi"' if name in _BYTES else "a whole number"
            return f"The limit {name} can't be {str(amount)[:60]!r}; write {form}."
        if not LEAST[name] <= number <= _MOST:
            least = f"{LEAST[name] // 1024**2}Mi" if name in _BYTES else LEAST[name]
            return f"The limit {name} can't be {str(amount)[:60]}; a run needs {least} or more."
    return ""


def amounts(limits: Mapping[str, Any]) -> dict[str, int]:
    """Limits that were checked, as bytes, seconds, and numbers."""
    numbers = {name: _number(name, amount) for name, amount in limits.items()}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(name: str, amount: Any) -> int | None:
    if name in _BYTES and isinstance(amount, str):
        return bytes_in(amount)
    return amount if isinstance(amount, int) and not isinstance(amount, bool) else None
