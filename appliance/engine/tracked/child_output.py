"""Tells apart what programs write that several tasks have started: while they run at the same time, each has files of its own."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from appliance.engine.output.streams import BOTH, Emit
from appliance.engine.tracked.output_files import OutputFile, Skip

_MOST_LEFT = 50
"""How many tasks that have ended are remembered, because a program of theirs may still be writing."""
_STREAMS = {"stdout": 4, "stderr": 5}  # with the positions in the signature of Popen


class ChildOutput:
    """The files of tasks. One thread at a time may call `of`, and one everything else."""

    def __init__(self, directory: Path, skip: Skip) -> None:
        self._directory, self._skip = directory, skip
        self._files: dict[Any, list[OutputFile]] = {}
        self._left: deque[list[OutputFile]] = deque()
        self._count = 0

    def of(self, key: Any, emit: Emit) -> dict[str, int]:
        """The descriptors for programs of a task, whose lines go to `emit`."""
        files = self._files.get(key)
        if files is None:
            self._count += 1
            files = self._files[key] = [self._open(name, emit) for name in BOTH]
        return {name: file.fd for name, file in zip(BOTH, files, strict=True)}

    def _open(self, name: str, emit: Emit) -> OutputFile:
        path = self._directory / f"{name}-{self._count}"
        file = OutputFile(name, path, emit, self._skip)
        path.unlink()
        return file

    def is_quiet(self) -> bool:
        """Has no task files of its own?"""
        return not self._files and not self._left

    def read(self) -> None:
        """Emit the lines that are complete by now."""
        for files in (*self._files.values(), *self._left):
            for file in files:
                file.read()

    def end(self, key: Any) -> None:
        """Emit the last lines of a task that has ended."""
        files = self._files.pop(key, None)
        if files is not None:
            for file in files:
                file.read()
                file.lines.close()
            self._left.append(files)
            if len(self._left) > _MOST_LEFT:
                self._close(self._left.popleft())

    def close(self) -> None:
        for key in list(self._files):
            self.end(key)
        while self._left:
            self._close(self._left.popleft())

    def _close(self, files: list[OutputFile]) -> None:
        for file in files:
            file.read()
            file.lines.close()
            file.close()


@contextmanager
def programs_write_to(descriptors: Callable[[], dict[str, int]]) -> Iterator[None]:
    """Inside the block, programs that would inherit the streams of this process get other descriptors, if there are any."""
    start = subprocess.Popen.__init__

    @wraps(start)
    def start_with(self: Any, *args: Any, **options: Any) -> None:
        for name, fd in descriptors().items():
            if len(args) <= _STREAMS[name] and options.get(name) in (None, getattr(sys, name)):
                options[name] = fd
        start(self, *args, **options)

    subprocess.Popen.__init__ = start_with  # type: ignore[method-assign]
    try:
        yield
    finally:
        subprocess.Popen.__init__ = start  # type: ignore[method-assign]
