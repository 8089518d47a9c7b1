"""Limits of what this process and each that it starts may use, set before user code runs."""

from __future__ import annotations

import errno
from collections.abc import Mapping

_KINDS: Mapping[str, str] = {
    "memory": "RLIMIT_AS",
    "cpu_seconds": "RLIMIT_CPU",
    "open_files": "RLIMIT_NOFILE",
    "processes": "RLIMIT_NPROC",
    "file_size": "RLIMIT_FSIZE",
}
_AFTER_SIGNAL = 5
"""Seconds of CPU time from SIGXCPU to SIGKILL, for a process that catches the first."""
_BY_NUMBER = {errno.ENOMEM: "memory", errno.EMFILE: "open_files", errno.EFBIG: "file_size", errno.EAGAIN: "processes"}

_set: dict[str, int] = {}


def excess(limits: Mapping[str, int]) -> str:
    """Which of these is more than this process and its children may have, in a sentence; empty if none is."""
    if not limits:
        return ""
    bounds = most()
    for name, amount in limits.items():
        if amount > bounds.get(name, amount):
            return (
                f"The run asks for the limit {name}={amount}, and processes of this agent may have at most {bounds[name]}. Lower it in the flow's run config, or "
                "raise the hard limit with which the agent is started."
            )
    return ""


def most() -> dict[str, int]:
    """The most that each limit of this process and its children may be; one that is not bounded is left out."""
    import resource  # not above: beside a flow, a file of this name may be somebody's own

    hard = {name: resource.getrlimit(getattr(resource, kind))[1] for name, kind in _KINDS.items()}
    return {name: amount for name, amount in hard.items() if amount != resource.RLIM_INFINITY}


def apply(limits: Mapping[str, int]) -> None:
    """Set them for this process and all that it starts, for good. Raises ValueError or OSError."""
    if not limits:
        return
    import resource

    for name, amount in limits.items():
        kind = getattr(resource, _KINDS[name])
        _, most = resource.getrlimit(kind)
        hard = amount + _AFTER_SIGNAL if name == "cpu_seconds" else amount
        if most != resource.RLIM_INFINITY:
            hard = min(hard, most)
        resource.setrlimit(kind, (amount, hard))
        _set[name] = amount


def explanation(error: BaseException) -> str:
    """Which of the limits that were set an error comes from, in a sentence; empty if it comes from none."""
    if isinstance(error, MemoryError):
        name = "memory"
    elif isinstance(error, RuntimeError) and "start new thread" in str(error):
        name = "processes" if "processes" in _set else "memory"
    else:
        name = _BY_NUMBER.get(getattr(error, "errno", None) or 0, "")
    return f"The run has the limit {name}={_set[name]}." if name in _set else ""
