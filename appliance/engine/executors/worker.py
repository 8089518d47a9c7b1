"""The processes of a ProcessExecutor: a nursery that has everything imported and forks workers on request, and the workers.

The nursery has no threads, so its forks are clean. It exits when the flow's process closes the connection or dies, and then kills its
workers and all processes that they have started.
"""

from __future__ import annotations

import gc
import json
import locale
import logging
import os
import random
import select
import signal
import socket
import struct
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]  # noqa: F401 - so that workers don't have to

from appliance.engine import process_exit
from appliance.engine.executors import main_module, pickling, remote_logs
from appliance.engine.executors.channel import Channel, Closed
from appliance.kit import hidden_memory, lifecycle

ORDER = struct.Struct("!cQ")
SPAWN, KILL = b"s", b"k"
SETUP, CALL, BEGUN, LOG, STATE, RESULT, LAST_RESULT = b"u", b"c", b"b", b"l", b"s", b"r", b"x"


def nurse(fd: int, *, hidden: bool = False) -> None:
    """Fork and reap workers for the process at the other end of the socket `fd`, hidden from others if that one is."""
    if hidden:
        hidden_memory.hide()
    control = socket.socket(fileno=fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    gc.freeze()
    _Nursery(control, reader, writer).run()


class _Nursery:
    def __init__(self, control: socket.socket, reader: int, writer: int) -> None:
        self.control, self.reader, self.writer = control, reader, writer
        self.pids: dict[int, int] = {}
        self.reports: dict[int, int] = {}  # by pid: where to write the exit code

    def run(self) -> None:
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.reader, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self.reader in ready:
                os.read(self.reader, 4096)
                self._reap()
            if self.control.fileno() in ready and not self._obey():
                for pid in self.reports:
                    _kill_group(pid)
                    os.waitpid(pid, 0)
                return

    def _obey(self) -> bool:
        """Execute one order. Returns False when there will be no more."""
        try:
            content, fds, _, _ = socket.recv_fds(self.control, ORDER.size, 2)
        except ConnectionError:
            return False
        if not content:
            return False
        kind, number = ORDER.unpack(content)
        if kind == KILL:
            if number in self.pids:
                _kill_group(self.pids[number])
            return True
        channel, report = fds
        for fd in fds:
            os.set_inheritable(fd, False)  # programs that outlive their task must not hold the connection open
        nursery = os.getpid()
        with suppress(OSError):  # can't fork: the other end sees its channel close
            pid = os.fork()
            if pid == 0:
                self._become_worker(channel, report, nursery)
            self.pids[number], self.reports[pid] = pid, report
            report = -1
        os.close(channel)
        if report >= 0:
            os.close(report)
        return True

    def _reap(self) -> None:
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            pid = dead.si_pid
            _kill_group(pid)  # before reaping, while its pid can't have been reused
            _, status = os.waitpid(pid, 0)
            report = self.reports.pop(pid)
            with suppress(OSError):
                os.write(report, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(report)
            self.pids = {number: one for number, one in self.pids.items() if one != pid}

    def _become_worker(self, channel: int, report: int, nursery: int) -> None:
        """In the child: drop everything that belongs to the nursery, work, and never return."""
        code = 1
        try:
            os.setsid()
            lifecycle.die_with(nursery)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            lifecycle.on_signal(signal.SIGINT, _ignore)  # not SIG_IGN, which programs started by a task would inherit
            self.control.close()
            for fd in (self.reader, self.writer, report, *self.reports.values()):
                os.close(fd)
            random.seed()
            gc.unfreeze()
            work(Channel(socket.socket(fileno=channel)))
            code = 0
            process_exit.end_user_code(lambda: True, _cut)
        except BaseException:  # noqa: BLE001 - the last line of defence: a worker must never continue as a nursery
            traceback.print_exc()
        finally:
            _flush()
            os._exit(code)


def _cut(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    process_exit.leave(0)


def work(channel: Channel) -> None:
    """Run one call after another until there are no more, or until a task has left the process in a changed state."""
    try:
        _, content = channel.receive()
        main = _set_up(channel, json.loads(content))
        before = _order()
        while _work_once(channel, main, before):
            pass
    except Closed:
        return


def _work_once(channel: Channel, main: ModuleType | None, before: tuple[Any, ...]) -> bool:
    """Run the next call. Returns False if no other may follow it."""
    pid = os.getpid()
    _, payload = channel.receive()
    (state, result), overran = pickling.run(payload, lambda: channel.send(BEGUN, b""), main)
    if os.getpid() != pid:  # a process that the task forked and that returned from the call
        os._exit(0)
    _flush()
    orderly = not overran and _order() == before
    if not orderly:
        process_exit.flush_files()  # the flow's process kills this one when it has the result
    channel.send(STATE, state)
    channel.send(RESULT if orderly else LAST_RESULT, result)
    return orderly


def _set_up(channel: Channel, setup: dict[str, Any]) -> ModuleType | None:
    """Match the state of the flow's process when it requested this worker. Returns the module for the code of a script."""
    os.environ.clear()
    os.environ.update(setup["env"])
    time.tzset()
    sys.path[:] = setup["path"]
    sys.argv[:] = setup["argv"]
    if setup["directory"] is not None:
        os.chdir(setup["directory"])
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)

    def send(fields: remote_logs.Fields) -> None:
        channel.send(LOG, json.dumps(fields).encode())

    logging.root.handlers[:] = []
    remote_logs.forward(setup["levels"], remote_logs.Forwarder(send))
    remote_logs.forward_artifacts(send)
    return main_module.become(setup["main"])


def _order() -> tuple[Any, ...]:
    """The process state that a task may change for later tasks. Environment and modules are ignored."""
    os.umask(umask := os.umask(0o77))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM)]
    return umask, directory(), locale.setlocale(locale.LC_ALL), handlers, [_identity(fd) for fd in range(3)]


def directory() -> str | None:
    """The working directory of this process, if it still exists."""
    try:
        return str(Path.cwd())
    except OSError:
        return None


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _kill_group(pid: int) -> None:
    """Kill a worker and all processes that it has started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it doesn't have its own process group yet
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _ignore(_number: int, _frame: object) -> None:
    """Ignore Ctrl-C at a terminal: the flow's process decides what happens."""


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed or replaced by a task
            stream.flush()
