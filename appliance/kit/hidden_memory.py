"""What other processes of the same user see of this one. Loads almost nothing, because a command does it before anything else."""

from __future__ import annotations

import ctypes
import sys

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4  # from linux/prctl.h


def hide() -> None:
    """From now on, other processes of this user can't look into this one's memory, environment, or files through /proc, and it leaves no
    core file."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_hidden() -> bool:
    """Whether this process is hidden in this way."""
    return sys.platform.startswith("linux") and bool(ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 1)
