"""Stops the main thread of a process, as a debugger would, and no other; run as a program, until that process has ended. SIGSTOP would stop all of
its threads, and be noticed by the supervisor long before the silence of its event loop is."""

from __future__ import annotations

import ctypes
import os
import sys

_SEIZE, _INTERRUPT = 0x4206, 0x4207  # from linux/ptrace.h
_WALL = 0x40000000


def main(pid: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    for request in (_SEIZE, _INTERRUPT):
        if libc.ptrace(request, pid, None, None):
            print(os.strerror(ctypes.get_errno()), flush=True)
            return 1
    _, status = os.waitpid(pid, _WALL)
    print("stopped", flush=True)
    while not (os.WIFEXITED(status) or os.WIFSIGNALED(status)):  # the supervisor hears of its end once we have
        _, status = os.waitpid(pid, _WALL)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
