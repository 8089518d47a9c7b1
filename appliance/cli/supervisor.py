"""Keeps the appliance's processes running: forks each, restarts with back-off those that die, and stops them in order.

Forking after the imports lets the three processes share memory. The supervisor itself has no threads or connections, so
that a fork is always clean.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from appliance.cli.separation import Separation
from appliance.cli.token_pipe import FORK, TokenPipe
from appliance.config import Settings
from appliance.kit import clock, crash, env, hidden_memory, lifecycle, site_key

if TYPE_CHECKING:
    from litestar import Litestar

log = logging.getLogger("appliance.supervisor")
STOP_ORDER = ("agent", "services", "server")
STOP_SECONDS = {"agent": 15, "services": 10, "server": 15}
STEADY = 30.0  # seconds after which a process counts as healthy and its back-off is reset
LONGEST_DELAY = 5.0
STANDSTILL = 2.0  # seconds that a process may be stopped (SIGSTOP): it may hold a lock that others wait for
ENDING_SECONDS = 5.0
LISTEN_SECONDS = 30.0
_PR_SET_NAME = 15  # from linux/prctl.h
_SERVER = (
    "anyio._backends._asyncio", "encodings.idna", "uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto", "uvloop", "appliance.cli.patient_server",
)  # fmt: skip
_OTHERS = (
    "appliance.agents.embedded", "appliance.server.services.process", "apscheduler.triggers.interval", "appliance.client.direct",
)  # fmt: skip
"""What the processes need, with the modules that libraries would import later, which would copy much of the shared memory."""


@dataclass
class Child:
    """One supervised process."""

    name: str
    work: Callable[[], int | None]
    enter: Callable[[], None] = lambda: None
    """Gives up root, if this process had it."""
    process: ForkProcess | None = None
    started: float = 0.0
    delay: float = 0.5
    restart_at: float | None = None
    stopped_since: float | None = None

    def start(self) -> None:
        self.process = FORK.Process(target=_child, args=(self.name, self.work, os.getpid(), self.enter), name=self.name)
        self.process.start()
        crash.point("fork.parent")
        self.started, self.restart_at, self.stopped_since = clock.monotonic(), None, None

    def schedule_restart(self) -> None:
        """Record the exit and when to try again."""
        assert self.process is not None
        self.process.join(ENDING_SECONDS)  # its end of the pipe closes a moment before the process has ended
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        lived = clock.monotonic() - self.started
        self.delay = 0.5 if lived > STEADY else min(self.delay * 2, LONGEST_DELAY)
        self.restart_at = clock.monotonic() + self.delay
        log.error("%s ended with %s; restarting it in %.0f s", self.name, _ending(self.process.exitcode), self.delay)
        self.process = None

    def end_standstill(self) -> None:
        """Kill the process once it has been stopped for too long; it is then started again."""
        if self.process is None or not _is_stopped(self.process.pid):
            self.stopped_since = None
        elif self.stopped_since is None:
            self.stopped_since = clock.monotonic()
        elif clock.monotonic() - self.stopped_since >= STANDSTILL:
            log.error("%s has been stopped for %.0f s; killing it", self.name, STANDSTILL)
            self.process.kill()

    def next_look(self) -> float | None:
        """When there may be something to do besides waiting for its end."""
        return self.restart_at if self.stopped_since is None else self.stopped_since + STANDSTILL


@dataclass
class AgentChild(Child):
    """The embedded agent, which gets its token over a pipe of its own at each start."""

    tokens: TokenPipe | None = None

    def start(self) -> None:
        assert self.tokens is not None
        self.tokens.renew()
        super().start()
        self.tokens.started()


def supervise(
    settings: Settings,
    app: Litestar | None,
    *,
    agent: bool,
    agent_token: str,
    agent_umask: int,
    agent_key: str = "",
    separation: Separation | None = None,
) -> int:
    """Run the processes, with what `preload` returned, until SIGTERM or SIGINT. Returns 0 if all of them stopped in time. The agent, and
    with it the code of flows, gets `agent_umask`."""
    stopping = _Signals()
    users = separation or Separation()
    children = [
        Child("server", lambda: _server(settings, app), users.enter_server),
        Child("services", lambda: _services(settings), users.enter_server),
    ]
    tokens = TokenPipe(agent_token, agent_key, lambda: _token_once_claimed(settings), users.enter_server)
    if agent:
        children.append(
            AgentChild(
                "agent",
                lambda: _agent(settings, tokens, agent_umask, separated=users.agent is not None),
                users.enter_agent,
                tokens=tokens,
            )
        )
    server, *others = children
    server.start()
    with _resting_collector():  # while the server starts, which is what everybody waits for
        _load(_OTHERS)
    for child in others:
        if not stopping.received:
            child.start()
    while not stopping.received:
        _watch(children, stopping)
    code = _stop(children)
    tokens.close()
    return code


class _Signals:
    """Turns SIGTERM and SIGINT, and the news that a child was stopped, into a readable pipe, so that one call waits for processes and
    signals alike."""

    def __init__(self) -> None:
        self.received = False
        self.reader, self._writer = multiprocessing.Pipe(duplex=False)
        self._sent = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            lifecycle.on_signal(number, self._handle)  # a child that is told to stop at once would pass it on to nobody

    def clear(self) -> None:
        """Make the pipe unreadable until the next signal."""
        self._sent = False
        self.reader.recv()

    def _handle(self, number: int, _frame: object) -> None:
        self.received = self.received or number != signal.SIGCHLD
        if not self._sent:
            self._sent = True
            self._writer.send(None)


def _watch(children: list[Child], stopping: _Signals) -> None:
    due = [at for child in children if (at := child.next_look()) is not None]
    timeout = max(0.0, min(due) - clock.monotonic()) if due else None
    sentinels = {child.process.sentinel: child for child in children if child.process is not None}
    for ready in wait([stopping.reader, *sentinels], timeout):
        if not isinstance(ready, int):
            stopping.clear()
        elif not stopping.received:
            sentinels[ready].schedule_restart()
    for child in children:
        child.end_standstill()
        if child.restart_at is not None and child.restart_at <= clock.monotonic() and not stopping.received:
            child.start()


def _stop(children: list[Child]) -> int:
    log.info("stopping")
    clean = True
    for name in STOP_ORDER:
        for child in children:
            if child.name == name and child.process is not None:
                clean &= _stop_one(child.process, STOP_SECONDS[name])
    return 0 if clean else 1


def _stop_one(process: ForkProcess, seconds: float) -> bool:
    process.terminate()
    process.join(seconds)
    if process.exitcode is None:
        log.error("%s did not stop within %.0f s; killing it", process.name, seconds)
        process.kill()
        process.join()
        return False
    return True


def _child(name: str, work: Callable[[], int | None], supervisor: int, enter: Callable[[], None]) -> None:
    if name == "agent":
        site_key.hold(os.environ)
    enter()  # first, because the kernel forgets at a change of the user with whom a process wants to die
    hidden_memory.hide()
    lifecycle.die_with(supervisor)  # immediately: the next start must find the port and the data directory free
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, f"appl-{name}".encode(), 0, 0, 0)
    if name != "agent":
        _drop_secrets()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides the order
    sys.exit(work() or 0)


def _drop_secrets() -> None:
    """Only runs read the secrets of flows, and only agents open bundles; the environment of server and services shows neither."""
    hidden = (f"{env.SECRET}_", env.BUNDLE_KEY)
    for name in [name for name in os.environ if name.startswith(hidden)]:
        del os.environ[name]


def preload(settings: Settings) -> Litestar | None:
    """Load what the server needs, and create the app of a single worker. If the server's own process created it, a third of the shared
    memory would be touched and therefore copied."""
    with _resting_collector():
        from appliance.server import asgi

        _load(_SERVER)
        if settings.workers == 1:
            return asgi.create(settings)
        _load(["appliance.cli.workers"])
        return None


def _load(modules: Iterable[str]) -> None:
    for name in modules:
        import_module(name)


@contextmanager
def _resting_collector() -> Iterator[None]:
    """Without the garbage collector, which would look through all that stays again and again, for a tenth of the time; afterwards, it would
    touch every page."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _server(settings: Settings, app: Litestar | None) -> None:
    from appliance.cli.server import serve

    serve(settings, app)


def _services(settings: Settings) -> int:
    from appliance.server.services import process as run

    return run.main(settings)


def _agent(settings: Settings, tokens: TokenPipe, umask: int, *, separated: bool) -> int:
    from appliance.agents import embedded

    os.umask(umask)
    _wait_for_server(settings)
    return embedded.main(settings.without_secrets(), *tokens.read(), separated=separated)


def _wait_for_server(settings: Settings) -> None:
    """Wait until the server listens, so that the agent's first call succeeds. The agent copes if it takes longer."""
    pause = threading.Event()  # never set; SIGTERM ends this process anyway
    deadline = clock.monotonic() + LISTEN_SECONDS
    while clock.monotonic() < deadline:
        try:
            socket.create_connection((urlsplit(settings.local_url).hostname or "", settings.port), 1.0).close()
            return
        except OSError:
            pause.wait(0.05)


def _token_once_claimed(settings: Settings) -> str:
    """Wait until someone has used the setup link, because an agent's token belongs to an administrator."""
    from appliance.cli.database import wait_until_claimed
    from appliance.server.actions import setup
    from appliance.server.db.session import open_database

    db = open_database(settings)
    wait_until_claimed(db)
    token = setup.issue_agent_token(db, settings.agent_name)
    db.dispose()
    return token


def _is_stopped(pid: int | None) -> bool:
    try:
        return pid is not None and os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # it has ended
        return False


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
