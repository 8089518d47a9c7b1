"""A test run that is killed leaves no process behind, whatever its fixtures have started."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests import process_guard

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the watchdog needs Linux")

CHILDREN = """
import subprocess, sys

DAEMON = "import os, signal; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); print('up', flush=True); signal.pause()"


def test_it(say):
    subprocess.Popen(["sleep", "1000"])
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE)
    daemon.stdout.readline()
    say()
"""

APPLIANCE = """
from tests.e2e.appliance_process import running


def test_it(say, tmp_path):
    with running(tmp_path / "data") as appliance:
        appliance.register("flows.py")
        run = appliance.create_run("waits", path=str(tmp_path / "never"), seconds=1000)
        appliance.wait_for(run, "RUNNING")
        say()
"""

POSTGRES = """
from tests.integration.conftest import postgres_server


def test_it(say, postgres_server):
    say()
"""

SAY = """
import os, signal, pytest


@pytest.fixture
def say():
    def up():
        with open({fifo!r}, "w") as fifo:
            fifo.write(os.environ["TEST_RUN_MARKER"])
        signal.pause()

    return up
"""


def kill_test_run(code: str, directory: Path, *options: str) -> tuple[list[int], str]:
    """Pidfds of the processes that a test run had when it was killed, and its marker."""
    fifo, log = directory / "fifo", directory / "log"
    os.mkfifo(fifo)
    (directory / "test_it.py").write_text(SAY.replace("{fifo!r}", repr(str(fifo))) + code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", *options]
    with log.open("wb") as output:
        runner = subprocess.Popen(
            [*command, f"--rootdir={directory}", f"--basetemp={directory / 'tmp'}", str(directory / "test_it.py")],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    marker = marker_from(fifo, runner.pid)
    assert marker, log.read_text()
    descriptors = [os.pidfd_open(pid) for pid in process_guard.marked_processes(marker)]
    runner.kill()
    runner.wait()
    return descriptors, marker


def marker_from(fifo: Path, runner: int) -> str:
    """What the test wrote once it was up; nothing when the test run ended before."""
    reader, end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), os.pidfd_open(runner)
    try:
        ready, _, _ = select.select([reader, end], [], [], 90)
        return os.read(reader, 100).decode() if reader in ready else ""
    finally:
        os.close(reader)
        os.close(end)


def assert_nothing_is_left(descriptors: list[int], marker: str) -> None:
    assert process_guard.wait_for_end(descriptors, 30_000)
    for descriptor in descriptors:
        os.close(descriptor)
    assert list(process_guard.marked_processes(marker)) == []


def test_children_and_daemons_end(tmp_path: Path) -> None:
    descriptors, marker = kill_test_run(CHILDREN, tmp_path)
    assert len(descriptors) == 2
    assert_nothing_is_left(descriptors, marker)


@pytest.mark.slow
def test_the_workers_of_a_parallel_run_end_with_what_they_started(tmp_path: Path) -> None:
    descriptors, marker = kill_test_run(CHILDREN, tmp_path, "-n", "1")
    assert len(descriptors) == 3
    assert_nothing_is_left(descriptors, marker)


@pytest.mark.slow
def test_an_appliance_ends_with_its_runs(tmp_path: Path) -> None:
    descriptors, marker = kill_test_run(APPLIANCE, tmp_path)
    assert len(descriptors) >= 5, "supervisor, server, services, agent and a run"
    assert_nothing_is_left(descriptors, marker)


@pytest.mark.slow
def test_a_postgres_server_ends(tmp_path: Path) -> None:
    descriptors, marker = kill_test_run(POSTGRES, tmp_path)
    assert descriptors
    assert_nothing_is_left(descriptors, marker)
