"""A process that cleans up elsewhere if the process of the task is killed, and so can't do it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_GUARD = "import sys\nif not sys.stdin.read(1): exec(sys.argv.pop(1))"


@contextmanager
def guarded(code: str, *arguments: str) -> Iterator[None]:
    """If this process dies in the block, another one executes the Python code, which finds the arguments in `sys.argv[1:]`."""
    null = subprocess.DEVNULL
    guard = subprocess.Popen(
        [sys.executable, "-c", _GUARD, code, *arguments],
        stdin=subprocess.PIPE,
        stdout=null,
        stderr=null,
        process_group=0,
    )
    try:
        yield
    finally:
        assert guard.stdin is not None
        with suppress(OSError):  # it is gone, too
            guard.stdin.write(b"d")
            guard.stdin.close()
        guard.wait()
