"""An interrupted test run leaves no process behind: a watchdog kills everything that the run started once the run is gone.

Every process of a test run inherits a marker in its environment, or carries it in its command line (see `marked_directory`).
The watchdog holds a pidfd of the runner. When the runner has ended, however it ended, the watchdog kills what carries the marker.
PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the process ends, and a run outlives its agent by design.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

VARIABLE = "TEST_RUN_MARKER"
PATIENCE_MS = 5_000


def watch() -> str:
    """Start the watchdog over this process and return the marker that its children inherit from now on."""
    marker = f"test-run-{uuid4().hex}"
    if hasattr(os, "pidfd_open"):  # Linux
        _start_watchdog(marker)
    os.environ[VARIABLE] = marker
    return marker


def _start_watchdog(marker: str) -> None:
    """It reads the marker from its standard input, so as not to carry it."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    command = [sys.executable, "-S", "-E", __file__, str(os.getpid())]
    read, write = os.pipe()
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (1, 2)]
    starter = os.posix_spawn(sys.executable, command, environment, file_actions=[(os.POSIX_SPAWN_DUP2, read, 0), *null])
    os.write(write, marker.encode())
    os.close(write)
    os.close(read)
    _, status = os.waitpid(starter, 0)  # it ends as soon as the watchdog is watching
    if status:
        raise RuntimeError("The watchdog over the processes of this test run did not start.")


def marked_directory(prefix: str) -> Path:
    """A new directory that everyone may enter, for processes that hide their environment but name their directory."""
    directory = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.environ.get(VARIABLE, '')}-", dir="/tmp"))
    directory.chmod(0o755)
    return directory


def marked_processes(marker: str) -> Iterator[int]:
    """The ids of the living processes that carry the marker."""
    needle = os.fsencode(marker)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _carries(entry, needle):
            yield int(entry.name)


def _carries(entry: Path, marker: bytes) -> bool:
    for name in ("environ", "cmdline"):
        with suppress(OSError):
            if marker in (entry / name).read_bytes():
                return True
    return False


def wait_for_end(descriptors: list[int], patience_ms: int | None = None) -> bool:
    """Wait until the process behind every pidfd has ended; False when one is still alive after `patience_ms`."""
    poll = select.poll()
    waiting = set(descriptors)
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    while waiting:
        ended = poll.poll(patience_ms)
        if not ended:
            return False
        for descriptor, _ in ended:
            poll.unregister(descriptor)
            waiting.discard(descriptor)
    return True


def kill_marked(marker: str) -> None:
    """Kill what carries the marker, again until a look finds nothing, since a process may start another in between."""
    while _kill_once(marker):
        pass


def _kill_once(marker: str) -> bool:
    with ExitStack() as stack:
        descriptors = []
        for pid in marked_processes(marker):
            with suppress(OSError):
                descriptor = os.pidfd_open(pid)
                stack.callback(os.close, descriptor)
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                descriptors.append(descriptor)
        return bool(descriptors) and wait_for_end(descriptors, PATIENCE_MS)


def main(runner: int, marker: str) -> None:
    """Become the watchdog: the first process ends once a second one, in a session of its own, can watch."""
    descriptor = os.pidfd_open(runner)
    if os.fork():
        os._exit(0)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wait_for_end([descriptor])
    kill_marked(marker)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.stdin.read())
