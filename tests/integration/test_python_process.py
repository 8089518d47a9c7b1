"""A run's process is a Python process: its end, its signals and its files are those of `python flow.py`, within limits."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from tests.integration.live import LiveServer
from tests.integration.test_process_agent import Host

FLOWS = """
import atexit, gzip, multiprocessing, os, signal, subprocess, sys, tempfile, threading, time, zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from appliance import Flow, Parameter, ProcessExecutor, get_logger, task

kept = []

@task
def leave_open(folder):
    file = open(Path(folder, "open.txt"), "w")
    packed = gzip.open(Path(folder, "open.gz"), "wt")
    for one in (file, packed):
        one.write("some text")
    archive = zipfile.ZipFile(Path(folder, "open.zip"), "w")
    archive.writestr("a", "some text")
    kept.extend([file, packed, archive])

    def last():
        Path(folder, "atexit.txt").write_text("ran")

    def broken():
        raise ValueError("no")

    atexit.register(last)
    atexit.register(broken)

    def later():
        threading.main_thread().join()
        Path(folder, "thread.txt").write_text("ran")

    threading.Thread(target=later).start()
    ThreadPoolExecutor(1).submit(lambda: (threading.Event().wait(0.3), Path(folder, "pool.txt").write_text("ran")))
    multiprocessing.Process(target=lambda: Path(folder, "process.txt").write_text("ran")).start()
    kept.append(tempfile.TemporaryDirectory(dir=folder))

with Flow("leave_open") as leave_open_flow:
    leave_open(Parameter("folder"))

with Flow("leave_open in workers", executor=ProcessExecutor(1)) as leave_open_in_workers:
    leave_open(Parameter("folder"))

def endless():
    threading.Event().wait()

@task
def wait_beside_a_thread():
    threading.Thread(target=endless, name="endless").start()
    get_logger().info("waiting")
    threading.Event().wait(60)

with Flow("endless") as endless_flow:
    wait_beside_a_thread()

@task
def dispositions():
    blocked = "import signal; print([int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, ())], [int(s) for s in signal.valid_signals() if signal.getsignal(s) == signal.SIG_IGN])"
    fresh = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=True).stdout.strip()
    assert fresh == f"[] {[int(signal.SIGPIPE), int(signal.SIGXFSZ)]}", fresh

@task
def interrupted():
    for number in (signal.SIGINT, signal.SIGTERM):
        child = subprocess.Popen(["sleep", "30"])
        child.send_signal(number)
        assert child.wait(10) == -number, (number, child.returncode)

def forked(ready):
    ready.set()
    for _ in range(300):  # CPython handles a signal that comes just before a wait only when the wait ends
        threading.Event().wait(0.1)

@task
def forks():
    for number, expected, early in ((signal.SIGTERM, -signal.SIGTERM, True), (signal.SIGTERM, -signal.SIGTERM, False), (signal.SIGINT, 1, False)):
        ready = multiprocessing.Event()
        child = multiprocessing.get_context("fork").Process(target=forked, args=[ready])
        child.start()
        if not early:
            ready.wait(10)
        os.kill(child.pid, number)
        child.join(10)
        assert child.exitcode == expected, (number, child.exitcode)

@task
def files():
    listing = subprocess.run(["sh", "-c", "ls /proc/$$/fd; true"], capture_output=True, text=True, check=True, close_fds=False).stdout
    assert set(listing.split()) <= {"0", "1", "2"}, listing
    assert sys.stdin.read() == ""

def build(name, executor):
    with Flow(name, executor=executor) as flow:
        dispositions(), interrupted(), forks(), files()
    return flow

fresh = build("fresh", None)
fresh_in_workers = build("fresh in workers", ProcessExecutor(2))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    path = tmp_path_factory.mktemp("flows") / "flows.py"
    path.write_text(FLOWS)
    live = LiveServer(tmp_path_factory.mktemp("server") / "data").start()
    live.register(path)
    yield live
    live.kill()


@pytest.fixture(params=[True, False], ids=["warm", "cold"])
def host(request: pytest.FixtureRequest, server: LiveServer, tmp_path: Path) -> Iterator[Host]:
    host = Host(server, tmp_path / "agent", warm=request.param)
    host.start()
    yield host
    host.stop()


def messages(server: LiveServer, run: UUID) -> list[str]:
    return [line.message for line in flow_runs.logs(server.client, run)]


@pytest.mark.parametrize("flow", ["leave_open", "leave_open in workers"])
def test_what_the_flow_leaves_open_is_finished_before_the_run_ends(
    server: LiveServer, host: Host, tmp_path: Path, flow: str
) -> None:
    run = server.create(flow, folder=str(tmp_path))
    assert server.ended(run).state == "Success"
    names = ["open.txt", "atexit.txt", "thread.txt", "pool.txt", "process.txt"]
    assert [(tmp_path / name).read_text() for name in names] == ["some text", "ran", "ran", "ran", "ran"]
    with zipfile.ZipFile(tmp_path / "open.zip") as archive:
        assert archive.read("a") == b"some text"
    with gzip.open(tmp_path / "open.gz", "rt") as packed:
        assert packed.read() == "some text"
    assert [path for path in tmp_path.iterdir() if path.name.startswith("tmp")] == []


def test_a_thread_that_never_ends_is_named_and_left(server: LiveServer, host: Host) -> None:
    run = server.create("endless")
    server.until(run, lambda _view: "waiting" in messages(server, run))
    flow_runs.cancel(server.client, run)
    assert server.ended(run).state == "Cancelled"
    assert any("still running (endless)" in message for message in messages(server, run))


@pytest.mark.parametrize("flow", ["fresh", "fresh in workers"])
def test_what_a_task_starts_has_nothing_of_ours(server: LiveServer, host: Host, flow: str) -> None:
    run = server.create(flow)
    assert server.ended(run).state == "Success", messages(server, run)
