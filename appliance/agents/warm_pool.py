"""The agent's side of the zygote: requests ready processes from it, and learns how they ended."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance.agents.usage import UNKNOWN, Ended, Usage
from appliance.agents.zygote import HIDDEN, LARGEST

READY_SECONDS = 20.0
ANSWER_SECONDS = 5.0
_COLD_PREFIXES = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")  # read by the interpreter or the loader before any fork

_logger = logging.getLogger("appliance.warm_pool")


class PoolUnusable(Exception):
    """The zygote can't start this process; start it cold."""


class WarmPool:
    """One zygote, started with the pool. Thread-safe."""

    def __init__(
        self,
        *,
        hidden: bool = False,
        python: str = sys.executable,
        environ: Mapping[str, str] | None = None,
        held: Sequence[int] = (),
    ) -> None:
        """`environ` are the variables of the zygote, by default ours, and `held` file descriptors that it and its processes keep open."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = ours
        self._changed = threading.Condition()
        self._started: dict[int, tuple[int, int]] = {}  # request -> pid, pidfd
        self._ended: dict[int, Ended] = {}  # by pid
        self._next_id = 0
        self._ready = self._dead = False
        self._running: set[int] = set()
        self._environ = dict(os.environ if environ is None else environ)
        with theirs:
            self._process = subprocess.Popen(
                [
                    python,
                    "-P",
                    "-m",
                    "appliance.agents.zygote",
                    str(theirs.fileno()),
                    *([HIDDEN] if hidden else []),
                ],
                pass_fds=[theirs.fileno(), *held],
                env={
                    name: value for name, value in self._environ.items() if not name.startswith("APPLIANCE_")
                },  # keep secrets from runs
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, name="appliance-warm-pool", daemon=True).start()

    def start(self, environ: Mapping[str, str], directory: Path, output: Path) -> tuple[int, int]:
        """Start a run process. Returns its pid and a pidfd. Raises PoolUnusable."""
        if any(
            name.startswith(_COLD_PREFIXES) and environ.get(name) != self._environ.get(name)
            for name in {*environ, *self._environ}
        ):
            raise PoolUnusable("it sets environment variables that are read before the interpreter starts")
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready or self._dead, READY_SECONDS) or self._dead:
                raise PoolUnusable("the zygote is not running")
            self._next_id += 1
            number = self._next_id
            request = {"id": number, "env": dict(environ), "cwd": str(directory), "output": str(output)}
            try:
                self._channel.send(json.dumps(request).encode())
            except OSError as error:
                raise PoolUnusable(str(error)) from error
            is_answered = self._changed.wait_for(lambda: number in self._started or self._dead, ANSWER_SECONDS)
            if number in self._started:
                return self._started.pop(number)
            if not is_answered:
                self._process.kill()  # otherwise it may still fork the process that now starts cold
            raise PoolUnusable("the zygote did not answer")

    def wait_until_ready(self) -> None:
        """Wait until it can start processes, or it is clear that it can't."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._dead, READY_SECONDS)

    @property
    def is_dead(self) -> bool:
        """Whether it can't start processes any more."""
        return self._dead

    @property
    def is_idle(self) -> bool:
        """Whether none of its processes is still running."""
        return not self._running

    def ended(self, pid: int, timeout: float) -> Ended | None:
        """How a process has ended; None if the zygote did not report it."""
        with self._changed:
            self._changed.wait_for(lambda: pid in self._ended or self._dead, timeout)
            return self._ended.pop(pid, None)

    def close(self) -> None:
        """Stop the zygote. Its children continue."""
        try:
            self._channel.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            _logger.debug("The zygote had already exited: %s", error)
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:  # still importing
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        try:
            while True:
                content, fds, _, _ = socket.recv_fds(self._channel, LARGEST, 1)
                if not content:
                    return
                message = json.loads(content)
                with self._changed:
                    if "exited" in message:
                        used = message.get("used", UNKNOWN)  # one of an earlier release, in an environment, doesn't say
                        self._ended[message["exited"]] = Ended(message["status"], Usage(*used))
                        self._running.discard(message["exited"])
                    elif "ready" in message:
                        self._ready = True
                    else:
                        self._started[message["id"]] = (message["pid"], fds[0])
                        self._running.add(message["pid"])
                    self._changed.notify_all()
        except OSError as error:
            _logger.warning("Lost the connection to the zygote; runs start cold: %s", error)
        finally:
            with self._changed:
                self._dead = True
                self._changed.notify_all()
