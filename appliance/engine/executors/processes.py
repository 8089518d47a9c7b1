"""Runs the code of tasks in worker processes, which can be killed. States, handlers, retries and results stay in the flow's process."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Never

from appliance.core import secrets
from appliance.core.states import Cancelled, Crashed, Failed, State
from appliance.engine import failures
from appliance.engine.calls import Invocation
from appliance.engine.deadlines import timed_out
from appliance.engine.executors import main_module, pickling, remote_logs, worker
from appliance.engine.executors.channel import Channel, Closed, Content
from appliance.engine.executors.executor import not_open
from appliance.engine.executors.threads import ThreadExecutor
from appliance.kit import clock, hidden_memory
from appliance.kit.errors import ApplianceError

_GRACE = 1.0
"""Seconds after its timeout in which a task may still clean up and end, before its process is killed."""
_LOADING = 60.0
"""Seconds that the imports of a task with a timeout may take. Its timeout begins after them."""
_LAST_WORD = 5.0
"""Seconds in which a dead worker's exit code must be reported, or an idle worker must exit."""


class ProcessExecutor(ThreadExecutor):
    """Runs at most `max_workers` tasks at once, each in its own process; by default, one per processor.

    A task's code and inputs are sent to a worker process with cloudpickle; its result and log lines come back. Workers are forks of
    one clean process and run one task after another. A task that exceeds its timeout is killed with all processes that it started. If
    a worker dies, only its task fails. A worker in which a task has changed the directory, umask, locale, standard streams or
    signal handlers is replaced. Nothing outlives the flow's process. Requires Linux.
    """

    def __init__(self, max_workers: int | None = None, **unknown: Never) -> None:
        super().__init__(max_workers, **unknown)
        self._pool: _Pool | None = None

    def start(self) -> None:
        """Start the pool. Raises ApplianceError on systems other than Linux."""
        if not hasattr(os, "pipe2") or not hasattr(socket, "SOCK_SEQPACKET"):
            raise ApplianceError("ProcessExecutor needs Linux; use ThreadExecutor or DaskExecutor here.")
        super().start()
        pickling.choose_what_travels_whole()
        self._pool = _Pool()

    def invoke(self, invocation: Invocation) -> State:
        """Run the task's code in a worker and return its state. Called in the executor's threads."""
        try:
            payload = pickling.pack(invocation)
        except pickling.NotPicklable as error:
            return Failed(str(error), error)
        if self._pool is None:
            raise not_open(self)
        return self._pool.call(payload, invocation.timeout)

    def shutdown(self, cancel: bool = False) -> None:
        pool = self._pool
        if pool is None:
            return
        if cancel:
            pool.stop()
        try:
            super().shutdown(cancel)
        finally:
            self._pool = None
            pool.close()

    def _default_workers(self) -> int:
        return len(os.sched_getaffinity(0))


class _Pool:
    """The workers of one run: as many as there are concurrent calls, each started when first needed."""

    def __init__(self) -> None:
        self._free: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._stopping = False
        self._lock = threading.Lock()
        self._nursery = _Nursery()

    def call(self, payload: bytes, timeout: float | None) -> State:
        """Run the call in an idle worker."""
        one = self._take()
        if one is None:
            state: State = Crashed(f"No worker process could be started for the task. {_MEMORY}")
        else:
            reusable = False
            try:
                state, reusable = one.call(payload, timeout)
            except Exception as error:  # noqa: BLE001 - the user's log handlers; treated as an error in the task's code
                state = failures.failed_state(error)
            finally:
                self._give_back(one, reusable)
        return Cancelled("The task was stopped with its run.") if self._stopping else state

    def stop(self) -> None:
        """Kill all workers and the processes that they have started."""
        with self._lock:
            self._stopping = True
            for one in self._workers:
                one.kill()

    def close(self) -> None:
        """Let idle workers exit, then stop everything else."""
        for one in self._free:
            one.release()
        for one in self._free:
            one.dismiss()
        self._nursery.close()

    def _take(self) -> _Worker | None:
        with self._lock:
            while self._free:
                idle = self._free.pop()
                if idle.alive():
                    return idle
                self._drop(idle)
            if self._stopping:
                return None
            try:
                new = self._nursery.spawn()
            except OSError:  # out of processes or file descriptors
                return None
            self._workers.add(new)
            return new

    def _give_back(self, one: _Worker, reusable: bool) -> None:
        with self._lock:
            if reusable and not self._stopping:
                self._free.append(one)
            else:
                one.kill()
                self._drop(one)

    def _drop(self, one: _Worker) -> None:
        self._workers.discard(one)
        one.close()


class _Nursery:
    """The process that forks the workers. It is restarted if a task has killed it."""

    def __init__(self) -> None:
        self._count = 0
        self._start()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from appliance.engine.executors.worker import nurse; nurse({theirs.fileno()}, hidden={hidden_memory.is_hidden()})"
        )
        hidden = secrets.variables(
            os.environ
        )  # workers get them over a socket, so that /proc/PID/environ doesn't show them
        options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing does
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *options, "-c", code],
                env={name: value for name, value in os.environ.items() if name not in hidden},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def spawn(self) -> _Worker:
        """A new worker, set up to match the current state of this process. Raises OSError."""
        self._count += 1
        ours, theirs = socket.socketpair()
        report, writer = os.pipe()
        order = worker.ORDER.pack(worker.SPAWN, self._count)
        try:
            try:
                socket.send_fds(self._control, [order], [theirs.fileno(), writer])
            except ConnectionError:
                self.close()
                self._start()
                socket.send_fds(self._control, [order], [theirs.fileno(), writer])
        finally:
            theirs.close()
            os.close(writer)
        return _Worker(self, self._count, ours, report)

    def kill(self, number: int) -> None:
        with suppress(OSError):  # it no longer exists, and neither do its workers
            self._control.send(worker.ORDER.pack(worker.KILL, number))

    def close(self) -> None:
        """Let the nursery exit. It kills all remaining workers."""
        self._control.close()
        try:
            self._process.wait(_LAST_WORD)
        except subprocess.TimeoutExpired:  # a task has suspended it, or the machine is overloaded
            self._process.kill()
            self._process.wait()


class _Worker:
    """One worker process, as seen from the flow's process."""

    def __init__(self, nursery: _Nursery, number: int, end: socket.socket, report: int) -> None:
        self._nursery, self._number, self._report = nursery, number, report
        self._channel = Channel(end)
        self._new = True

    def call(self, payload: bytes, timeout: float | None) -> tuple[State, bool]:
        """The state of the call, and whether the worker can be used again."""
        try:
            if self._new:
                self._channel.send(worker.SETUP, _setup())
                self._new = False
            return self._call(payload, timeout)
        except Closed:
            return Crashed(self._obituary()), False
        except TimeoutError:
            self.kill()
            message = f"The task ran longer than its timeout of {timeout:g} s and its process was killed."
            return timed_out(message), False

    def _call(self, payload: bytes, timeout: float | None) -> tuple[State, bool]:
        self._channel.send(worker.CALL, payload)
        deadline = None if timeout is None else clock.monotonic() + timeout + _LOADING
        state: Content = b""
        while True:
            kind, content = self._channel.receive(deadline)
            if kind == worker.BEGUN and timeout is not None:
                deadline = clock.monotonic() + timeout + _GRACE
            elif kind == worker.LOG:
                remote_logs.replay(json.loads(content))
            elif kind == worker.STATE:
                state, deadline = content, None
            elif kind in (worker.RESULT, worker.LAST_RESULT):
                return pickling.unpack_state((state, content)), kind == worker.RESULT

    def alive(self) -> bool:
        return not self._has_exited(0)

    def kill(self) -> None:
        self._nursery.kill(self._number)

    def release(self) -> None:
        """Let it exit."""
        self._channel.close()

    def dismiss(self) -> None:
        """Wait for its exit."""
        self._has_exited(_LAST_WORD)
        os.close(self._report)

    def close(self) -> None:
        self._channel.close()
        os.close(self._report)

    def _has_exited(self, seconds: float) -> bool:
        """Does the worker exit within this time?"""
        poll = select.poll()  # select() supports only the first 1,024 files
        poll.register(self._report, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _obituary(self) -> str:
        code = ""
        if self._has_exited(_LAST_WORD):
            code = os.read(self._report, 16).decode()
        if not code:
            return "The worker process of the task was lost because the process that starts the workers ended or failed to start."
        if int(code) >= 0:
            return f"The worker process of the task ended with exit code {code} before the task did."
        number = -int(code)
        name = signal.Signals(number).name if number in list(signal.Signals) else str(number)
        hint = f" {_MEMORY}" if name == "SIGKILL" else ""
        return f"The worker process of the task was killed by signal {name} (exit code {_SIGNALLED + number}).{hint}"


_SIGNALLED = 128
"""A shell's exit code for a process that a signal has killed is this plus its number: 137 for SIGKILL."""
_MEMORY = "The machine, or its container, may have run out of memory (OOM)."


def _setup() -> bytes:
    setup = {
        "env": dict(os.environ),
        "path": sys.path,
        "argv": sys.argv,
        "directory": worker.directory(),
        "levels": remote_logs.levels(),
        "main": main_module.describe(),
    }
    return json.dumps(setup).encode()
