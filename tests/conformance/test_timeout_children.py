"""What a task has started dies with it when it exceeds its timeout, however deep; what others have started, or started before, lives."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.core import states
from appliance.core.flow import Flow
from appliance.core.task_decorator import task
from appliance.core.triggers import all_finished
from appliance.engine import descendants
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor
from tests.conformance.executor_cases import Trace
from tests.conformance.test_executor_processes import gone

TIMEOUT = 1.0
LONG = 60
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which process started which")


class Shell:
    """Starts `sleep` in several ways. Each command writes the ids of the processes that it starts."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def command(self, text: str) -> str:
        return text.replace("SLEEP", f"sleep {LONG}").replace("PID", f"echo $! >> {self.trace.path}")

    def pids(self) -> list[int]:
        return [int(line) for line in self.trace.lines()]


def foreground(shell: Shell) -> None:
    subprocess.run(shell.command("SLEEP & PID; wait"), shell=True, check=False)


def background(shell: Shell) -> None:
    subprocess.run(shell.command("SLEEP & PID; SLEEP & PID; SLEEP"), shell=True, check=False)


def in_c(shell: Shell) -> None:
    os.system(shell.command("SLEEP & PID; wait"))


def orphan(shell: Shell) -> None:
    subprocess.run(shell.command("SLEEP & PID"), shell=True, check=False)
    threading.Event().wait(LONG)


def deep(shell: Shell) -> None:
    code = f"import subprocess; subprocess.run({shell.command('SLEEP & PID; wait')!r}, shell=True)"
    subprocess.run(["sh", "-c", '"$0" -c "$1"; true', sys.executable, code], check=False)


def own_session(shell: Shell) -> None:
    with subprocess.Popen(shell.command("SLEEP & PID; wait"), shell=True, start_new_session=True) as process:
        process.wait()


def own_thread(shell: Shell) -> None:
    thread = threading.Thread(target=foreground, args=(shell,), daemon=True)
    thread.start()
    thread.join()


def forked(shell: Shell) -> None:
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(LONG,))
    process.start()
    shell.trace.add(str(process.pid))
    process.join()


def swallowing(shell: Shell) -> None:
    try:
        background(shell)
    except BaseException:
        return


async def in_a_loop(shell: Shell) -> None:
    process = await asyncio.create_subprocess_shell(shell.command("SLEEP & PID; SLEEP & PID; wait"))
    await process.wait()


WAYS = (foreground, background, in_c, orphan, deep, own_session, own_thread, forked, swallowing, in_a_loop)


@pytest.fixture
def shell(trace: Trace) -> Iterator[Shell]:
    shell = Shell(trace)
    yield shell
    for pid in shell.pids():
        subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)


@pytest.mark.parametrize("make", [LocalExecutor, lambda: ProcessExecutor(1)], ids=["local", "processes"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_a_timed_out_task_started_dies_with_it(
    way: Callable[[Shell], None], make: Callable[[], Executor], shell: Shell
) -> None:
    with Flow("f") as flow:
        late = task(way, timeout=TIMEOUT)(shell)
    state = flow.run(executor=make(), progress=False).result[late]
    assert isinstance(state, states.TimedOut)
    assert shell.pids()
    assert [pid for pid in shell.pids() if not gone(pid)] == []
    assert not [child for child in _zombies() if child in shell.pids()]


def returns_a_coroutine(shell: Shell) -> Any:
    return in_a_loop(shell)


IN_THREADS = (foreground, background, in_c, own_session, in_a_loop, returns_a_coroutine)


@pytest.mark.parametrize("way", IN_THREADS, ids=lambda way: way.__name__)
def test_what_a_timed_out_task_in_a_thread_started_dies_and_so_its_code_can_end(
    way: Callable[[Shell], None], shell: Shell
) -> None:
    with Flow("f") as flow:
        late = task(way, timeout=TIMEOUT)(shell)
        after = task(lambda _late: 1, trigger=all_finished)(late)
    state = flow.run(executor=ThreadExecutor(1), progress=False)
    assert isinstance(state.result[late], states.TimedOut)
    assert state.result[after].result == 1
    assert shell.pids() and all(gone(pid) for pid in shell.pids())


def test_what_an_earlier_task_in_the_same_thread_started_lives_on(shell: Shell) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        processes.append(subprocess.Popen(["sleep", str(LONG)]))

    with Flow("f") as flow:
        late = task(in_a_loop, timeout=TIMEOUT)(shell, upstream_tasks=[task(start)()])
    try:
        state = flow.run(executor=ThreadExecutor(1), progress=False)
        assert isinstance(state.result[late], states.TimedOut)
        assert [process.poll() for process in processes] == [None]
        assert shell.pids() and all(gone(pid) for pid in shell.pids())
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_what_was_started_before_or_elsewhere_lives_on(shell: Shell) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        processes.append(subprocess.Popen(["sleep", str(LONG)]))

    begin, started, finish = threading.Event(), threading.Event(), threading.Event()

    def elsewhere() -> None:
        begin.wait(LONG)
        start()
        started.set()
        finish.wait(LONG)

    def hangs() -> None:
        begin.set()
        started.wait(LONG)
        foreground(shell)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    start()
    with Flow("f") as flow:
        first = task(start)()
        late = task(hangs, timeout=TIMEOUT)(upstream_tasks=[first])
    try:
        state = flow.run(progress=False)
        assert isinstance(state.result[late], states.TimedOut)
        assert len(processes) == 3
        assert [process.poll() for process in processes] == [None] * 3
        assert shell.pids() and all(gone(pid) for pid in shell.pids())
    finally:
        finish.set()
        thread.join()
        for process in processes:
            process.kill()
            process.wait()


def test_what_a_task_started_that_ends_in_time_lives_on(shell: Shell) -> None:
    with Flow("f") as flow:
        task(lambda: subprocess.run(shell.command("SLEEP & PID"), shell=True, check=True) and None, timeout=LONG)()
    assert isinstance(flow.run(progress=False), states.Success)
    (pid,) = shell.pids()
    os.kill(pid, 0)  # raises ProcessLookupError if it has ended


def test_a_person_who_interrupts_a_task_with_a_timeout_ends_what_it_started(shell: Shell) -> None:
    def hangs() -> None:
        timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), 2))
        timer.start()
        background(shell)

    with Flow("f") as flow:
        task(hangs, timeout=LONG)()
    assert isinstance(flow.run(progress=False), states.Cancelled)
    assert shell.pids() and all(gone(pid) for pid in shell.pids())


def test_elsewhere_than_on_linux_nothing_is_touched(monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.setattr(descendants.sys, "platform", "darwin")
    with Flow("f") as flow:
        late = task(background, timeout=TIMEOUT)(shell)
    assert isinstance(flow.run(progress=False).result[late], states.TimedOut)
    assert shell.pids() and not any(gone(pid, 0.1) for pid in shell.pids())


def _zombies() -> list[int]:
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] == "Z" and int(fields[1]) == os.getpid():
                found.append(int(path.name))
    return found
