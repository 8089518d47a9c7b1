"""Notices at once when a process ends, with one poll over all pidfds, and kills those that ignore a stop."""

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

from appliance.agents import out_of_memory
from appliance.agents.attempts import AttemptRecord
from appliance.agents.usage import Ended, reaped
from appliance.agents.warm_pool import WarmPool
from appliance.kit import clock


@dataclass(eq=False)
class LiveProcess:
    """A live process of a run: our own child (`child` is set), one of a warm pool, or an adopted one (neither)."""

    record: AttemptRecord
    directory: Path
    handle: int  # pidfd
    child: Popen[bytes] | None = None
    pool: WarmPool | None = None
    kill_at: float | None = field(default=None)
    is_reaped: bool = False
    oom_kills: int = field(default_factory=out_of_memory.kills)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the process and to everything it started that is still in its process group, unless it has been reaped: its
        number may then be another's."""
        with self._lock:
            if self.is_reaped:
                return
            try:
                if self.child is None:
                    signal.pidfd_send_signal(self.handle, 0)  # others reap it
                os.killpg(self.record.pid, number)
            except (
                ProcessLookupError,
                PermissionError,
            ):  # PermissionError: it is of a time when the agent was another user
                return

    def release(self) -> None:
        """Once it has ended: let go of its handle, through which nobody signals it any more."""
        with self._lock:
            self.is_reaped = True
            os.close(self.handle)

    def reap(self) -> Ended:
        """Once our own child has ended: kill what it left behind if it failed, then let go of its number."""
        assert self.child is not None
        ended = os.waitid(os.P_PID, self.record.pid, os.WEXITED | os.WNOWAIT)
        if ended is None or (ended.si_code, ended.si_status) != (os.CLD_EXITED, 0):
            self.signal_all(signal.SIGKILL)
        with self._lock:
            self.is_reaped = True
        how = reaped(self.record.pid)
        self.child.returncode = how.status  # it must not look for the child any more
        return how


class Watcher:
    """A thread that calls `on_exit(process)` once for each process, then `gone()` when it is no longer live."""

    def __init__(self, on_exit: Callable[[LiveProcess], None], gone: Callable[[], None]) -> None:
        self._on_exit, self._gone = on_exit, gone
        self._lock = threading.Lock()
        self._processes: dict[int, LiveProcess] = {}
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="appliance-watcher", daemon=True)
        self._thread.start()

    def add(self, process: LiveProcess) -> None:
        with self._lock:
            self._processes[process.handle] = process
        self._wake()

    def live(self) -> list[LiveProcess]:
        with self._lock:
            return list(self._processes.values())

    def stop(self, process: LiveProcess, grace: float) -> None:
        """Send SIGTERM now, and SIGKILL after the grace period. Calling it again has no effect."""
        if process.kill_at is None:
            process.kill_at = clock.monotonic() + grace
            process.signal_all(signal.SIGTERM)
            self._wake()

    def close(self) -> None:
        """Stop watching. The processes continue."""
        self._closing = True
        self._wake()
        self._thread.join(5)

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"x")
        except BlockingIOError:
            return  # the pipe is full, so the thread wakes up anyway

    def _work(self) -> None:
        while not self._closing:
            poll = select.poll()
            poll.register(self._reader, select.POLLIN)
            for process in self.live():
                poll.register(process.handle, select.POLLIN)
            for fd, _ in poll.poll(self._kill_overdue()):
                if fd == self._reader:
                    os.read(fd, 4096)
                    continue
                with self._lock:
                    process = self._processes[fd]
                self._notify(process)
                with self._lock:
                    del self._processes[fd]
                process.release()
                self._gone()

    def _notify(self, process: LiveProcess) -> None:
        try:
            self._on_exit(process)
        except Exception:  # logged only: the thread must survive, or no later exit would be noticed
            logging.getLogger("appliance.agent").exception(
                "Could not record the exit of run %s.", process.record.flow_run_id
            )

    def _kill_overdue(self) -> float | None:
        """Kill processes whose grace period is over. Returns the milliseconds until the next one is."""
        now = clock.monotonic()
        left = []
        for process in self.live():
            if process.kill_at is None:
                continue
            if process.kill_at <= now:
                process.signal_all(signal.SIGKILL)
                process.kill_at = now + 5.0
            left.append(process.kill_at - now)
        return max(1.0, min(left) * 1000) if left else None
