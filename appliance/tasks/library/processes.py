"""Runs a program in a process group that ends as a whole: with the program, with its task, or with the process of the run, however that ends."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from appliance.core.task import Task
from appliance.kit import clock
from appliance.tasks.library.errors import CommandFailed
from appliance.tasks.library.interruption import interruptible
from appliance.tasks.library.lines import Lines

OnLine = Callable[[str, str], None]
"""Called with `stdout` or `stderr` and a line."""
_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
_DRAIN = 1.0
"""Seconds in which output must end after the group, in case a process that left it holds the pipe."""
_LOOK = 0.1
_GUARD = ("/bin/sh", "-c", 'trap "" HUP INT TERM; read _; kill -KILL 0')
"""Leads the group. It waits for the end of its input, which comes when the process of the run ends, and kills the group."""


def run_command(
    task: Task, arguments: Sequence[str], on_line: OnLine, env: Mapping[str, str], cwd: str | Path | None = None
) -> int:
    """Run a program as part of the task, and return its exit code. What it leaves in its process group is killed."""
    group = ProcessGroup()
    try:
        try:
            process = group.start(arguments, {**os.environ, **env}, cwd)
        except OSError as error:
            where = "" if cwd is None else f" in {str(cwd)!r}"
            raise CommandFailed(f"{arguments[0]!r} can't be started{where}: {error.strerror}.", 127) from None
        with interruptible(task, group.stop):
            _read(process, group, on_line)
            return process.wait()
    finally:
        group.kill()


class ProcessGroup:
    """A process group with one program of interest."""

    def __init__(self) -> None:
        null = subprocess.DEVNULL
        self._guard = subprocess.Popen(_GUARD, stdin=subprocess.PIPE, stdout=null, stderr=null, process_group=0)
        self._program: subprocess.Popen[bytes] | None = None

    def start(
        self, arguments: Sequence[str], env: Mapping[str, str], cwd: str | Path | None
    ) -> subprocess.Popen[bytes]:
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        self._program = subprocess.Popen(
            arguments, env=env, cwd=cwd, stdin=null, stdout=pipe, stderr=pipe, process_group=self._guard.pid
        )
        return self._program

    def stop(self) -> None:
        """Ask the group to end, and kill it if the program doesn't within a grace period."""
        self._signal(signal.SIGTERM)
        if self._program is not None:
            with suppress(subprocess.TimeoutExpired):
                self._program.wait(_GRACE)
        self._signal(signal.SIGKILL)

    def end(self) -> None:
        """The program has ended: kill the others."""
        self._signal(signal.SIGKILL)

    def kill(self) -> None:
        """End all of it. The guard keeps the number of the group from being used for another one until now."""
        self._signal(signal.SIGKILL)
        for process in (self._guard, self._program):
            if process is not None:
                process.wait()
                for pipe in (process.stdin, process.stdout, process.stderr):
                    if pipe is not None:
                        pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses to signal zombies
            if self._guard.returncode is None:
                os.killpg(self._guard.pid, number)


def _read(process: subprocess.Popen[bytes], group: ProcessGroup, on_line: OnLine) -> None:
    """Pass on lines until both streams have ended."""
    deadline: float | None = None
    with selectors.DefaultSelector() as selector:
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ, Lines(partial(on_line, name)))
        while selector.get_map():
            for key, _ in selector.select(_LOOK):
                if content := os.read(key.fd, 65_536):
                    key.data.feed(content)
                else:
                    key.data.end()
                    selector.unregister(key.fileobj)
            if deadline is None and process.poll() is not None:
                group.end()
                deadline = clock.monotonic() + _DRAIN
            if deadline is not None and clock.monotonic() > deadline:
                break
