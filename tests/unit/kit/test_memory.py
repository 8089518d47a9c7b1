"""Threads share the arenas of the C library's memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

THREADS = 8
PROGRAM = f"""
import ctypes, sys, threading
from appliance.kit import memory
if sys.argv[1] == "shared":
    memory.share_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
meet, found = threading.Barrier({THREADS}), []
def allocate():
    found.append(libc.malloc(1000))
    meet.wait()
threads = [threading.Thread(target=allocate) for _ in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len({{address >> 26 for address in found}}))
"""
"""Arenas of glibc, but the first, begin at multiples of 64 MiB."""


def _places(how: str) -> int:
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True, env=ours)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
def test_threads_share_arenas() -> None:
    assert _places("each its own") > 3
    assert _places("shared") <= 3
