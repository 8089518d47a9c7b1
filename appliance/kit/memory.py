"""How a process with many threads asks the system for memory."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # from glibc's malloc.h
_ARENAS = 2


def share_arenas() -> None:
    """Have all threads, and children forked later, allocate from two arenas. By itself glibc gives eight for each core, and none of them
    gives back what another could use: a server of thirty threads grew by a tenth. Without glibc nothing happens."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    except (AttributeError, OSError):  # another C library
        return
