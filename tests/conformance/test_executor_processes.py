"""What only worker processes can do: be killed, be left in disorder, and outlive nobody."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

from appliance.core import states
from appliance.core.context import context
from appliance.core.flow import Flow
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.engine.executors import ProcessExecutor
from appliance.engine.tracked.logs import reported
from appliance.kit import clock
from appliance.packaging.local import flows_of, import_file
from tests.conformance.executor_cases import Trace


@task
def pid() -> int:
    return os.getpid()


def run(flow: Flow, workers: int = 1) -> State:
    state = flow.run(executor=ProcessExecutor(max_workers=workers))
    assert state is not None
    return state


def outcome(made: Task, *args: Any) -> State:
    with Flow("f") as flow:
        tested = made(*args)
    found: State = run(flow).result[tested]
    return found


def gone(process: int, seconds: float = 10) -> bool:
    """Does the process end within that time?"""
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        try:
            state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        tick.wait(0.02)
    return False


def test_tasks_run_side_by_side_in_workers_that_are_used_again(trace: Trace) -> None:
    @task
    def meet(name: str, other: str) -> int:
        trace.add(name)
        trace.wait_for(other)
        return os.getpid()

    with Flow("f") as flow:
        a, b = meet("a", "b"), meet("b", "a")
        later = [pid(upstream_tasks=[a, b]) for _ in range(4)]
    state = run(flow, workers=2)
    workers = {state.result[a].result, state.result[b].result}
    assert len(workers) == 2
    assert os.getpid() not in workers
    assert {state.result[one].result for one in later} <= workers


def test_code_that_blocks_everything_is_killed_with_what_it_started(trace: Trace) -> None:
    @task(timeout=0.3)
    def hangs() -> None:
        import ctypes

        child = subprocess.Popen(["sleep", "60"])
        trace.add(f"{os.getpid()} {child.pid}")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        ctypes.PyDLL(None).sleep(60)  # never gives the interpreter back

    began = clock.monotonic()
    state = outcome(hangs)
    assert isinstance(state, states.TimedOut)
    assert "its process was killed" in str(state.message)
    assert clock.monotonic() - began < 5.3
    assert all(gone(int(one)) for one in trace.lines()[0].split())


def test_a_timeout_takes_the_children_along_when_the_code_could_be_stopped(trace: Trace) -> None:
    @task(timeout=0.3)
    def waits() -> None:
        child = subprocess.Popen(["sleep", "60"])
        trace.add(str(child.pid))
        threading.Event().wait(60)

    assert isinstance(outcome(waits), states.TimedOut)
    assert gone(int(trace.lines()[0]))


def test_ctrl_c_kills_what_a_task_started(trace: Trace) -> None:
    @task
    def waits() -> None:
        child = subprocess.Popen(["sleep", "60"])
        trace.add(f"{os.getpid()} {child.pid}")
        trace.add("ready")
        child.wait()

    def interrupt() -> None:
        trace.wait_for("ready")
        os.kill(os.getpid(), signal.SIGINT)

    with Flow("f") as flow:
        waits()
    helper = threading.Thread(target=interrupt)
    helper.start()
    began = clock.monotonic()
    assert isinstance(run(flow), states.Cancelled)
    assert clock.monotonic() - began < 20
    helper.join()
    assert all(gone(int(one)) for one in trace.lines()[0].split())


DISORDER = {
    "directory": "os.chdir('/')",
    "umask": "os.umask(0o77)",
    "streams": "[os.close(fd) for fd in range(3)]",
    "handlers": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
}


@pytest.mark.parametrize("what", DISORDER)
def test_a_worker_left_in_disorder_is_replaced(what: str) -> None:
    code = DISORDER[what]

    @task
    def tampers() -> int:
        import os
        import signal

        exec(code, {"os": os, "signal": signal})
        return os.getpid()

    with Flow("f") as flow:
        first = tampers()
        second = pid(upstream_tasks=[first])
        third = pid(upstream_tasks=[second])
    state = run(flow)
    assert isinstance(state, states.Success)
    assert state.result[first].result != state.result[second].result
    assert state.result[second].result == state.result[third].result


def test_a_task_that_forks_returns_once(trace: Trace) -> None:
    @task
    def forks() -> int:
        return os.fork()

    with Flow("f") as flow:
        child = forks()
        after = pid(upstream_tasks=[child])
    state = run(flow)
    assert isinstance(state, states.Success)
    assert state.result[child].result > 0
    assert state.result[after].result > 0


def test_a_task_that_kills_its_parent_loses_the_workers_only(trace: Trace) -> None:
    @task(max_retries=1, retry_delay=0)
    def kills() -> str:
        if "killed" not in trace.lines():
            trace.add("killed")
            os.kill(os.getppid(), signal.SIGKILL)
            threading.Event().wait(20)
        return "done"

    assert outcome(kills).result == "done"


def test_a_hundred_killed_children_are_retried() -> None:
    deaths: list[tuple[int, str]] = []

    def note(run: Task, _old: State, new: State) -> None:
        if isinstance(new, states.Retrying):
            deaths.append((new.run_count or 0, str(new.message)))

    @task(max_retries=1, retry_delay=timedelta(0), state_handlers=[note])
    def dies_once(index: int) -> int:
        if context.get("task_run_count") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    with Flow("f") as flow:
        children = dies_once.map(list(range(100)))
    state = run(flow, workers=2)
    assert state.result[children].result == list(range(100))
    assert len(deaths) == 100
    assert {message for _, message in deaths} == {deaths[0][1]}
    assert "killed by signal SIGKILL (exit code 137)" in deaths[0][1] and "(OOM)" in deaths[0][1]


def test_killed_with_its_parent(tmp_path: Path, trace: Trace) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, subprocess, sys\n"
        "from appliance import Flow, ProcessExecutor, task\n"
        "@task\n"
        "def waits():\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        "    print(os.getpid(), child.pid, flush=True)\n"
        "    child.wait()\n"
        "with Flow('f') as flow:\n"
        "    waits()\n"
        "flow.run(executor=ProcessExecutor(1))\n",
        encoding="utf-8",
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = parent.stdout.readline().split()  # what a task prints goes where the flow's own output goes
    assert len(workers) == 2
    parent.kill()
    parent.communicate()
    assert all(gone(int(one)) for one in workers)


def test_nothing_is_left_after_a_run() -> None:
    with Flow("f") as flow:
        one = pid()
    executor = ProcessExecutor(1)
    state = flow.run(executor=executor)
    assert state is not None
    assert gone(state.result[one].result, seconds=2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("appliance-task")]
    cloudpickle.dumps(executor)  # a flow with its executor can be saved after a run too


def test_a_worker_is_as_the_flows_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside.py").write_text("WORD = 'found'\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("APPLIANCE_TEST_WORD", "set")

    @task
    def looks() -> tuple[str, str, str]:
        import beside  # type: ignore[import-not-found]

        return beside.WORD, str(Path.cwd()), os.environ["APPLIANCE_TEST_WORD"]

    assert outcome(looks).result == ("found", str(tmp_path), "set")


def test_flows_from_flow_files(tmp_path: Path) -> None:
    path = tmp_path / "my_flow.py"
    path.write_text(
        "from appliance import Flow, task\n"
        "class Odd(Exception): pass\n"
        "def helper(x): return x + 1\n"
        "@task\n"
        "def adds(x): return helper(x)\n"
        "@task(max_retries=1, retry_delay=0, retry_on=Odd)\n"
        "def raises():\n"
        "    from appliance import context\n"
        "    if context.task_run_count == 1: raise Odd()\n"
        "    return 'again'\n"
        "with Flow('f') as flow:\n"
        "    a, r = adds(1), raises()\n",
        encoding="utf-8",
    )
    module = import_file(path)
    state = run(flows_of(module)[0])
    assert state.result[module.a].result == 2
    assert state.result[module.r].result == "again"


def test_a_module_that_runs_its_flow_when_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "unguarded.py").write_text(
        "from appliance import Flow, ProcessExecutor, task\n"
        "@task\n"
        "def one(): return 1\n"
        "with Flow('f') as flow: o = one()\n"
        "state = flow.run(executor=ProcessExecutor(1))\n",
        encoding="utf-8",
    )
    code = "import unguarded; print(unguarded.state.result[unguarded.o].result)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr


class Connected(Task):
    """Has an option that only the flow's process needs, and that can't be pickled."""

    def __init__(self) -> None:
        lock = threading.Lock()
        super().__init__(trigger=lambda _upstream: lock.locked() is False)

    def run(self) -> int:
        return 3


def test_options_of_a_task_stay_with_the_flow() -> None:
    assert outcome(Connected()).result == 3


def test_records_of_all_loggers_come_back(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def speaks() -> None:
        logging.getLogger("my.library").warning("from a library: %r", {"a": 1})

    caplog.set_level(logging.INFO)
    outcome(speaks)
    record = next(r for r in caplog.records if r.name == "my.library")
    assert record.getMessage() == "from a library: {'a': 1}"
    assert record.task_slug == "speaks-1"  # type: ignore[attr-defined]


def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ProcessExecutor(max_workers=0)


def test_log_lines_of_workers_are_reported_of_tracked_runs() -> None:
    told: list[tuple[str, str, int]] = []

    class Collecting:
        def log(self, _at: Any, _level: int, _name: str, message: str, slug: str, map_index: int) -> None:
            told.append((message, slug, map_index))

    @task(log_stdout=True)
    def prints(x: int) -> None:
        print("got", x)

    with Flow("f") as flow:
        prints.map([7])
    with reported(Collecting()):  # type: ignore[arg-type]
        run(flow)
    assert ("got 7", "prints-1", 0) in told
