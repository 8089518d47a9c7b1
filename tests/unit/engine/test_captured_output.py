"""Captured output: sys.stdout remains a stdout in every respect, and threads of a task write for the task."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import faulthandler
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, TextIO

import cloudpickle  # type: ignore[import-untyped]
import pytest

from appliance import Flow, ThreadExecutor, context, get_logger, task
from appliance.core.states import State
from appliance.testing.logs import LogLines, log_lines
from tests.unit.engine.test_bad_input import HostileAttributes


@contextlib.contextmanager
def stdout_to(file: Path) -> Iterator[TextIO]:
    """A stdout like that of a program: text over a buffer over a file descriptor."""
    before = sys.stdout
    with io.TextIOWrapper(io.BufferedWriter(io.FileIO(file, "w")), encoding="utf-8") as stream:
        sys.stdout = stream
        try:
            yield stream
            assert sys.stdout is stream
        finally:
            sys.stdout = before


def run_captured(function: Callable[[], Any]) -> tuple[State, list[str], LogLines]:
    """Run the function as a task with log_stdout; its state and the lines that it printed."""
    with Flow("f") as flow:
        ran = task(function, name="prints", log_stdout=True)()
    with log_lines() as log:
        state = flow.run(progress=False)
    assert state is not None
    assert "\n".join(log.messages).count("Task 'prints' failed") == 0, log.messages
    return state.result[ran], [record.getMessage() for record in log.records if record.name.endswith(".stdout")], log


def write_bytes() -> None:
    sys.stdout.buffer.write(b"caf\xc3")
    sys.stdout.buffer.write(memoryview(b"\xa9\n"))


def wrap_the_buffer() -> None:
    out = sys.stdout
    sys.stdout = io.TextIOWrapper(out.buffer, encoding="utf-8", write_through=False)
    print("wrapped")
    sys.stdout.detach()
    sys.stdout = out


def write_through_a_codec() -> None:
    codecs.getwriter("utf-8")(sys.stdout.buffer).write("café\n")


def write_through_a_tee() -> None:
    class Tee:
        def __init__(self, out: TextIO) -> None:
            self.out = out

        def write(self, text: str) -> int:
            return self.out.write(text.upper())

        def flush(self) -> None:
            self.out.flush()

    with contextlib.redirect_stdout(Tee(sys.stdout)):
        print("tee")


def redirect_some() -> None:
    print("before")
    with contextlib.redirect_stdout(io.StringIO()) as text:
        print("inside")
    print("after", text.getvalue().strip())


def write_lines() -> None:
    sys.stdout.writelines(["one\n", "two\n"])


def refuse_bytes() -> None:
    with pytest.raises(TypeError, match="must be str, not bytes"):
        sys.stdout.write(b"no")  # type: ignore[arg-type]
    assert sys.stdout.write("four") == 4


def write_without_end() -> None:
    print("a", "b", end="")
    sys.stdout.flush()
    print("c", end="", flush=True)


def reconfigure() -> None:
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(encoding="latin-1", errors="replace", line_buffering=True)
    assert (sys.stdout.encoding, sys.stdout.errors) == ("latin-1", "replace")
    print("reconfigured")


def use_its_file() -> None:
    faulthandler.enable(sys.stdout)
    faulthandler.disable()
    subprocess.run([sys.executable, "-c", "print('from a child')"], stdout=sys.stdout, check=True)
    os.fstat(sys.stdout.fileno())
    assert not sys.stdout.isatty()
    assert sys.stdout.writable()
    assert not sys.stdout.closed
    assert isinstance(sys.stdout, io.TextIOWrapper)
    assert "é".encode(sys.stdout.encoding)
    print("child done")


def lead_the_descriptor_elsewhere() -> None:
    """As pytest, IPython, and wrappers of C libraries do."""
    fd = sys.stdout.fileno()
    before, (reading, writing) = os.dup(fd), os.pipe()
    os.dup2(writing, fd)
    print("through the pipe", flush=True)
    sys.stdout.buffer.write(b"bytes, too\n")
    sys.stdout.flush()
    os.dup2(before, fd)
    os.close(before)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "through the pipe\nbytes, too\n"
    print("back")


def log_to_stdout() -> None:
    """A log handler of the author's that writes to the stream that is captured."""
    logger, handler = logging.getLogger("appliance.run"), logging.StreamHandler(sys.stdout)
    logger.addHandler(handler)
    try:
        print("once")
    finally:
        logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("function", "lines"),
    [
        (write_bytes, ["café"]),
        (wrap_the_buffer, ["wrapped"]),
        (write_through_a_codec, ["café"]),
        (write_through_a_tee, ["TEE"]),
        (redirect_some, ["before", "after inside"]),
        (write_lines, ["one", "two"]),
        (refuse_bytes, ["four"]),
        (write_without_end, ["a bc"]),
        (reconfigure, ["reconfigured"]),
        (use_its_file, ["child done"]),
        (lead_the_descriptor_elsewhere, ["back"]),
        (log_to_stdout, ["once"]),
    ],
)
def test_captured_stdout_is_a_stdout(function: Callable[[], None], lines: list[str], tmp_path: Path) -> None:
    with stdout_to(tmp_path / "stdout") as stdout:
        state, printed, _ = run_captured(function)
        assert state.is_successful(), state.message
        assert printed == lines
        assert "write" not in vars(stdout)
        assert "write" not in vars(stdout.buffer)


@pytest.mark.parametrize("stream", [io.StringIO(), None, object()])
def test_any_object_may_be_stdout(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    state, printed, _ = run_captured(lambda: print("x") if hasattr(sys.stdout, "write") else None)
    assert state.is_successful()
    assert printed == (["x"] if isinstance(stream, io.StringIO) else [])


def test_a_child_that_a_task_forks_writes_to_the_stream_itself(tmp_path: Path) -> None:
    def fork() -> int:
        print("parent")
        pid = os.fork()
        if pid == 0:
            print("child")
            sys.stdout.flush()
            os._exit(0)
        return os.waitpid(pid, 0)[1]

    with stdout_to(tmp_path / "stdout"):
        state, printed, _ = run_captured(fork)
    assert (state.result, printed) == (0, ["parent"])
    assert (tmp_path / "stdout").read_text() == "child\n"


@pytest.mark.parametrize("redirect_first", [True, False])
def test_capture_and_a_redirect_of_another_task_overlap(redirect_first: bool, tmp_path: Path) -> None:
    first, second, over = (threading.Event() for _ in range(3))

    @task(log_stdout=True)
    def captured() -> None:
        if redirect_first:
            assert first.wait(30)
        print("captured")
        second.set()
        if not redirect_first:
            assert first.wait(30)

    @task
    def redirects() -> str:
        if not redirect_first:
            assert second.wait(30)
        with contextlib.redirect_stdout(io.StringIO()) as text:
            print("mine 1")
            first.set()
            assert second.wait(30)
            over.wait(0.2)  # until the other task has ended, if that is ever seen
            print("mine 2")
        return text.getvalue()

    with Flow("f", executor=ThreadExecutor(2)) as flow:
        upstream = captured()
        kept = redirects()

    def when_captured(_task: Any, _old: State, new: State) -> None:
        if new.is_finished():
            over.set()

    upstream.state_handlers = (when_captured,)
    with stdout_to(tmp_path / "stdout"):
        state = flow.run(progress=False)
    assert state is not None
    assert [line for line in state.result[kept].result.splitlines() if line != "captured"] == ["mine 1", "mine 2"]


def speak() -> str:
    print("printed")
    get_logger().info("logged")
    return str(context.task_name)


def in_a_thread() -> list[str]:
    heard: list[str] = []
    thread = threading.Thread(target=lambda: heard.append(speak()))
    thread.start()
    thread.join()
    return heard


def in_a_subclass() -> list[str]:
    class Speaker(threading.Thread):
        def run(self) -> None:
            self.heard = speak()

    thread = Speaker()
    thread.start()
    thread.join()
    return [thread.heard]


def in_a_timer() -> list[str]:
    heard: list[str] = []
    timer = threading.Timer(0, lambda: heard.append(speak()))
    timer.start()
    timer.join()
    return heard


def in_a_pool() -> list[str]:
    with ThreadPoolExecutor(1) as pool:
        return list(pool.map(lambda _: speak(), range(1)))


def in_a_thread_pool() -> list[str]:
    with ThreadPool(1) as pool:
        return pool.map(lambda _: speak(), range(1))


def in_a_nested_thread() -> list[str]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(in_a_thread).result()


def in_a_coroutine() -> list[str]:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        return [await asyncio.to_thread(speak), await loop.run_in_executor(None, speak)]

    return asyncio.run(main())


@pytest.mark.parametrize(
    "function",
    [in_a_thread, in_a_subclass, in_a_timer, in_a_pool, in_a_thread_pool, in_a_nested_thread, in_a_coroutine],
)
def test_what_threads_of_a_task_do_belongs_to_the_task(function: Callable[[], list[str]]) -> None:
    state, printed, log = run_captured(function)
    count = len(state.result)
    assert state.result == ["prints"] * count
    assert printed == ["printed"] * count
    assert [m for m in log.of("prints-1") if m == "logged"] == ["logged"] * count


def test_a_shared_pool_works_for_the_task_that_submits() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with Flow("f") as flow:
            names = [task(lambda: pool.submit(speak).result(), name=name, log_stdout=True)() for name in ("a", "b")]
        with log_lines() as log:
            state = flow.run(progress=False)
        assert state is not None
        assert [state.result[one].result for one in names] == ["a", "b"]
        assert [log.of(slug) for slug in ("a-1", "b-1")] == [["printed", "logged"]] * 2
        assert pool.submit(lambda: hasattr(context, "task_name")).result() is False


@pytest.mark.parametrize(
    ("flow_says", "task_says", "captured"),
    [(None, None, 0), (True, None, 1), (True, False, 0), (None, True, 1), (False, True, 1), (False, None, 0)],
)
def test_log_stdout_is_off_unless_the_task_or_else_the_flow_says_so(
    flow_says: bool | None, task_says: bool | None, captured: int
) -> None:
    with Flow("f", log_stdout=flow_says) as flow:
        task(lambda: print("x"), name="prints", log_stdout=task_says)()
    with log_lines() as log:
        flow.run(progress=False)
    assert log.messages.count("x") == captured


@pytest.mark.parametrize("choice", [True, False, None])
def test_the_choice_of_a_saved_task_stays(choice: bool | None) -> None:
    saved = cloudpickle.loads(cloudpickle.dumps(task(speak, log_stdout=choice)))
    assert saved.log_stdout is choice
    assert vars(saved).keys() == vars(task(speak)).keys()


def test_tasks_and_flows_have_a_logger() -> None:
    from appliance import Task

    class Own(Task):
        def run(self) -> None:
            self.logger.info("from self")

    with Flow("nightly") as flow:
        Own(name="own")()
    with log_lines() as log:
        flow.run(progress=False)
        flow.logger.warning("from the flow")
    names = {record.getMessage(): record.name for record in log.records}
    assert names["from self"] == "appliance.run.own"
    assert names["from the flow"] == "appliance.run.nightly"
    assert log.of("own-1") == ["from self"]


@pytest.mark.parametrize("executor", [None, ThreadExecutor(2)])
@pytest.mark.parametrize("log_stdout", [True, False])
def test_a_task_that_replaces_stdout_and_leaves_it_affects_only_its_run(log_stdout: bool, executor: Any) -> None:
    def replace() -> None:
        sys.stdout = io.StringIO()
        sys.stderr = io.StringIO()

    with Flow("f", executor=executor) as flow:
        task(replace, log_stdout=log_stdout)()
    before = sys.stdout, sys.stderr
    somewhere = HostileAttributes()
    flow.run(progress=False)
    assert (sys.stdout, sys.stderr) == before
    del somewhere


def test_a_redirect_elsewhere_outlasts_a_run(tmp_path: Path) -> None:
    captured, redirected = threading.Event(), threading.Event()

    def prints() -> None:
        captured.set()
        assert redirected.wait(30)

    with Flow("f") as flow:
        task(prints, log_stdout=True)()
    with stdout_to(tmp_path / "stdout"):
        thread = threading.Thread(target=flow.run, kwargs={"progress": False})
        thread.start()
        assert captured.wait(30)
        with contextlib.redirect_stdout(io.StringIO()) as text:
            print("during")
            redirected.set()
            thread.join()
            print("after")
    assert text.getvalue() == "during\nafter\n"
