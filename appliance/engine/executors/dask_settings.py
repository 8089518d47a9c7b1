"""The settings of Dask that runs need, set while at least one run of this process uses Dask and restored after the last one."""

from __future__ import annotations

import threading
from typing import Any

_SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
    "distributed.admin.large-graph-warning-threshold": "1TB",
}
_lock = threading.Lock()
_users = 0
_applied: Any = None


def apply() -> None:
    """Set them for one more run."""
    global _users, _applied
    import dask

    with _lock:
        _users += 1
        if _users == 1:
            _applied = dask.config.set(_SETTINGS)


def release() -> None:
    """One run has ended."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _applied.__exit__(None, None, None)
