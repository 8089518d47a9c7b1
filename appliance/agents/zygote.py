"""A process that has imported everything and forks ready runs on request: `python -m appliance.agents.zygote FD`.

It has no threads and no event loop, so that a fork of it is clean. It exits when its agent closes the socket; its children don't.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from appliance.agents.usage import reaped
from appliance.kit import hidden_memory

LARGEST = 1 << 20
OUTPUT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
HIDDEN = "hidden"
"""An argument: the requests that pass through here are not for the runs that are forked from here."""


def main() -> int:
    """Serve requests until the agent exits."""
    if HIDDEN in sys.argv:
        hidden_memory.hide()
    channel = socket.socket(fileno=int(sys.argv[1]))
    _preload()
    if threading.active_count() != 1 or len(list(Path("/proc/self/task").iterdir())) != 1:
        return 1  # a fork would copy locks that are never released; the agent starts runs cold instead
    gc.freeze()
    channel.send(b'{"ready":true}')
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(reader, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if reader in ready:
            os.read(reader, 4096)
            _report_exits(channel)
        if channel.fileno() in ready:
            content = channel.recv(LARGEST)
            if not content:
                return 0
            _fork(channel, json.loads(content), (reader, writer))


def _preload() -> None:
    """Import and prepare everything that a run needs except the flow's own modules."""
    import encodings.ascii  # when a run notes its end
    import encodings.idna  # noqa: F401 - by the first connection

    import appliance.agents.execute
    import appliance.core.task_decorator
    import appliance.engine.executors
    import appliance.packaging.local
    import appliance.schedules  # noqa: F401 - by many flows
    from appliance.client import run_protocol

    run_protocol.prepare()


def _fork(channel: socket.socket, request: dict[str, Any], pipe: tuple[int, int]) -> None:
    pid = os.fork()
    if pid == 0:
        _become_run(channel, request, pipe)
    handle = os.pidfd_open(pid)  # before anything can reap it, so that it is certainly this process
    socket.send_fds(channel, [json.dumps({"id": request["id"], "pid": pid}).encode()], [handle])
    os.close(handle)


def _become_run(channel: socket.socket, request: dict[str, Any], pipe: tuple[int, int]) -> None:
    """In the child: drop everything that belongs to the zygote, run, and exit."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        channel.close()
        for fd in pipe:
            os.close(fd)
        os.setsid()
        _redirect(request["output"])
        os.environ.clear()
        os.environ.update(request["env"])
        time.tzset()
        os.chdir(request["cwd"])
        random.seed()
        from appliance.agents import execute
        from appliance.engine.process_exit import leave

        code = execute.main()
    except BaseException:  # noqa: BLE001 - the last resort: a child must never serve as a zygote
        traceback.print_exc()
        os._exit(1)
    leave(code)


def _redirect(output: str) -> None:
    fd = os.open(output, OUTPUT_FLAGS, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _report_exits(channel: socket.socket) -> None:
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        pid = ended.si_pid
        if (ended.si_code, ended.si_status) != (os.CLD_EXITED, 0):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # what it left behind, while its number is still its own
        status, used = reaped(pid)
        channel.send(json.dumps({"exited": pid, "status": status, "used": used}).encode())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BrokenPipeError, ConnectionResetError):  # the agent has exited
        sys.exit(0)
