"""Notices at once when a process ends, by the pidfds of all of them in one poll, and kills those that don't heed a stop."""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from appliance.agents.attempts import Job
from appliance.kit import clock


@dataclass(eq=False)
class Watched:
    """A live process of ours; `process` when it is our child, `warm` when it is the zygote's, neither when it was adopted."""

    job: Job
    directory: Path
    handle: int  # pidfd
    process: Popen[bytes] | None = None
    warm: bool = False
    kill_at: float | None = field(default=None)

    def signal_all(self, number: signal.Signals) -> None:
        """To the process and everything that it started and that did not leave its group."""
        try:
            os.killpg(self.job.pid, number)
        except ProcessLookupError:
            return


class Watcher:
    """A thread that calls `ended(watched)` once for each process, and `gone()` when it is not live any more."""

    def __init__(self, ended: Callable[[Watched], None], gone: Callable[[], None]) -> None:
        self._ended, self._gone = ended, gone
        self._lock = threading.Lock()
        self._watched: dict[int, Watched] = {}
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="appliance-watcher", daemon=True)
        self._thread.start()

    def add(self, watched: Watched) -> None:
        with self._lock:
            self._watched[watched.handle] = watched
        self._wake()

    def live(self) -> list[Watched]:
        with self._lock:
            return list(self._watched.values())

    def stop(self, watched: Watched, grace: float) -> None:
        """SIGTERM now, SIGKILL after the grace. Asking again changes nothing."""
        if watched.kill_at is None:
            watched.kill_at = clock.monotonic() + grace
            watched.signal_all(signal.SIGTERM)
            self._wake()

    def close(self) -> None:
        """Stop watching; the processes go on."""
        self._closing = True
        self._wake()
        self._thread.join(5)

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"x")
        except BlockingIOError:
            return  # it has been woken often enough

    def _work(self) -> None:
        while not self._closing:
            poll = select.poll()
            poll.register(self._reader, select.POLLIN)
            for watched in self.live():
                poll.register(watched.handle, select.POLLIN)
            for fd, _ in poll.poll(self._kill_overdue()):
                if fd == self._reader:
                    os.read(fd, 4096)
                    continue
                with self._lock:
                    ended = self._watched[fd]
                self._tell(ended)
                with self._lock:
                    del self._watched[fd]
                os.close(fd)
                self._gone()

    def _tell(self, watched: Watched) -> None:
        try:
            self._ended(watched)
        except Exception:  # recorded: the thread must live on, or no later end would be noticed
            logging.getLogger("appliance.agent").exception(
                "The end of run %s could not be noted.", watched.job.flow_run_id
            )

    def _kill_overdue(self) -> float | None:
        """Kill what had its grace; milliseconds until the next one is over."""
        now = clock.monotonic()
        left = []
        for watched in self.live():
            if watched.kill_at is None:
                continue
            if watched.kill_at <= now:
                watched.signal_all(signal.SIGKILL)
                watched.kill_at = now + 5.0
            left.append(watched.kill_at - now)
        return max(1.0, min(left) * 1000) if left else None
