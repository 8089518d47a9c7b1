"""The supervisor's children: restarted soon however often they die, and killed when they stand still; none outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from appliance.cli import supervisor
from appliance.kit import clock

PROGRAM = """
import os, signal, sys
from appliance.cli import supervisor

def work():
    signal.pause()

children = [supervisor.Child(name, work) for name in ("server", "services", "agent")]
for child in children:
    child.start()
os.write(1, b"!")
signal.pause()
"""

STOPPED_AT_ITS_FORK = """
import os, signal
from appliance.cli import supervisor

signals = supervisor._Signals()
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
child = supervisor.Child("agent", signal.pause)
child.start()
child.process.join(10)
print(child.process.exitcode, signals.received)
child.process.kill()
"""


@pytest.fixture
def child() -> supervisor.Child:
    return supervisor.Child("server", lambda: 3)


def test_the_pause_before_a_restart_stays_short(child: supervisor.Child, caplog: pytest.LogCaptureFixture) -> None:
    pauses = []
    for _ in range(7):
        child.start()
        assert child.process is not None
        os.waitid(os.P_PIDFD, os.pidfd_open(child.process.pid or 0), os.WEXITED | os.WNOWAIT)
        before = clock.monotonic()
        child.schedule_restart()
        assert child.restart_at is not None
        pauses.append(child.restart_at - before)
    assert max(pauses) < supervisor.LONGEST_DELAY + 1 <= 6
    assert [record.getMessage().split(";")[0] for record in caplog.records] == ["server ended with exit code 3"] * 7


def test_an_end_that_is_noticed_early_has_its_exit_code(caplog: pytest.LogCaptureFixture) -> None:
    """A process closes its files before it has ended."""
    reader, writer = os.pipe()

    def close_files_first() -> int:
        os.closerange(3, reader)
        os.closerange(reader + 1, 65_536)
        os.read(reader, 1)
        return 4

    child = supervisor.Child("server", close_files_first)
    child.start()
    assert child.process is not None
    supervisor.wait([child.process.sentinel])
    os.write(writer, b"!")
    child.schedule_restart()
    assert "ended with exit code 4" in caplog.text
    os.close(reader)
    os.close(writer)


@pytest.mark.slow
@pytest.mark.parametrize("crash", ["fork.parent:1:kill", "fork.parent:2:kill", "fork.parent:3:kill", ""])
def test_no_child_outlives_a_supervisor_that_is_killed(crash: str) -> None:
    """Its output ends when the last of them has died."""
    environment = {**os.environ, **({"APPLIANCE_CRASH": crash} if crash else {})}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        if not crash:
            assert process.stdout.read(1) == b"!"
            process.kill()
        assert process.stdout.read() == b""
        assert process.wait() == -signal.SIGKILL


def test_a_child_that_is_told_to_stop_at_its_fork_stops() -> None:
    command = [sys.executable, "-c", STOPPED_AT_ITS_FORK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == [str(-signal.SIGTERM), "False"], done.stderr


def test_a_stopped_child_is_killed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    handlers: list[tuple[int, object]] = [
        (number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    ]
    monkeypatch.setattr(supervisor, "STANDSTILL", 0.05)
    signals = supervisor._Signals()
    try:
        child = supervisor.Child("services", _pause)
        child.start()
        assert child.process is not None and child.process.pid is not None
        os.kill(child.process.pid, signal.SIGSTOP)
        watch(child, signals, lambda: child.process is None)
        assert "services ended with SIGKILL" in caplog.text
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)  # type: ignore[arg-type]


def watch(child: supervisor.Child, signals: supervisor._Signals, done: Callable[[], bool]) -> None:
    while not done():
        supervisor._watch([child], signals)


def _pause() -> None:
    signal.pause()
