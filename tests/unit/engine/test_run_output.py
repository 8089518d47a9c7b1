"""What a person sees of `flow.run()`: live on a terminal, lines elsewhere, a summary, nothing that a terminal would obey."""

from __future__ import annotations

import logging
import os
import pty
import re
import select
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.core import states
from appliance.core.flow import Flow
from appliance.core.task_decorator import task
from appliance.engine import progress
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.progress_counts import Counts
from appliance.engine.progress_summary import summary
from appliance.engine.task_runner import TaskRunner
from appliance.kit.printable import printable

ENDED = re.compile(r"ended after \d+\.\d\d s")


@task
def one(n: int = 1) -> int:
    return n


@task
def odd(n: int) -> int:
    if n % 2:
        raise ValueError(f"{n} is\nodd")
    return n


# --- the summary


def test_the_summary_names_place_and_cause_first_and_counts_the_rest() -> None:
    with Flow("f") as flow:
        one(odd.map(list(range(30))))
    state = FlowRunner(flow).run()
    lines = list(summary(flow, state, 1.234))
    assert lines[0] == ("Flow 'f' ended after 1.23 s: Failed. 16 succeeded, 15 failed, 1 not run.")
    assert re.fullmatch(r"  test_run_output\.py:\d+ in odd: ValueError: 1 is odd \(task 'odd-1'\[1\]\)", lines[1])
    assert len(lines) == 12
    assert lines[-1] == "  and 5 more failed tasks"


def test_a_long_cause_is_cut_and_a_paused_flow_stops() -> None:
    @task
    def shout() -> None:
        raise ValueError("x" * 1_000_000)

    with Flow("f") as flow:
        shout()
    assert len(list(summary(flow, FlowRunner(flow).run(), 0))[1]) < 400
    with Flow("g") as other:
        task(lambda: None, name="ask")(task_args={"trigger": lambda _: True})
    paused = states.Paused("Waits.", {other.tasks[0]: states.Paused("Waits.")})
    assert list(summary(other, paused, 0)) == ["Flow 'g' stopped after 0.00 s: Paused. Waits. 1 not finished."]
    assert list(summary(other, states.Cancelled("Stopped."), 0)) == ["Flow 'g' ended after 0.00 s: Cancelled. Stopped."]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\x9b31m\r\x7f", "\\x9b31m\\x0d\\x7f"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("größer 🎉", "größer 🎉"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


async def _inner() -> None:
    raise ValueError("deep")


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_tracebacks_show_the_users_own_frames_only(timeout: float | None) -> None:
    async def fetch() -> None:
        await _inner()

    def wrap() -> None:
        try:
            raise KeyError("cause")
        except KeyError as error:
            raise RuntimeError("wrapped") from error

    with Flow("f") as flow:
        found = [task(fetch, timeout=timeout)(), task(wrap, timeout=timeout)()]
    state = FlowRunner(flow).run()
    for one_ in found:
        text = state.result[one_].data["traceback"]
        files = re.findall(r'File "([^"]+)"', text)
        assert files and set(files) == {__file__}, text
    assert "get_running_loop" not in state.result[found[0]].data["traceback"]
    assert [state.result[one_].data["location"].partition(" in ")[2] for one_ in found] == ["_inner", "wrap"]


# --- the counts


def test_counts_follow_a_run() -> None:
    with Flow("f") as flow:
        one(odd.map(list(range(5))))
    runner = FlowRunner(flow, initial_task_states={("one-1", -1): states.Success(result=1)})
    counts = Counts.of(runner)
    counts.catch_up()
    assert counts.line().startswith("1 of 3 tasks done")
    runner.run()
    counts.catch_up()
    assert counts.line() == "7 of 7 tasks done, 2 failed"
    [row] = counts.rows()
    assert (row.slug, row.mapped, row.total, row.done, row.failed) == ("odd-1", True, 5, 5, 2)


def test_counts_know_what_runs_and_what_waits() -> None:
    with Flow("f") as flow:
        task(lambda: None, name="a")()
        task(lambda: None, name="b")()
    counts = Counts(flow.name, flow.slugs, {})
    told = counts.follow(TaskRunner(FlowRunner(flow).context, flow.slugs, {}, lambda: False))
    at = datetime(2026, 1, 31, tzinfo=UTC)
    told("a-1", -1, states.Pending(), states.Mapped(n_map_states=3), 1)
    told("a-1", 0, states.Pending(), states.Running(), 1)
    told("a-1", 1, states.Pending(), states.Running(), 1)
    told("a-1", 1, states.Running(), states.Retrying(start_time=at), 1)
    told("b-1", -1, states.Pending(), states.Paused(start_time=None), 1)
    counts.catch_up()
    assert counts.line() == "0 of 4 tasks done, 1 running, 2 waiting"
    rows = {row.slug: row for row in counts.rows()}
    assert (rows["a-1"].running, rows["a-1"].waiting, rows["b-1"].waiting) == (1, [at], [None])
    told("a-1", 1, states.Retrying(start_time=at), states.Running(), 2)
    told("a-1", 1, states.Running(), states.Success(), 2)
    counts.catch_up()
    assert counts.line() == "1 of 4 tasks done, 1 running, 1 waiting"


def test_a_tracking_runner_still_hears_of_everything() -> None:
    heard = []

    class Tasks(TaskRunner):
        def state_changed(
            self, task_slug: str, map_index: int, old: states.State, new: states.State, run_count: int
        ) -> None:
            heard.append(type(new).__name__)

    class Runner(FlowRunner):
        def make_task_runner(self) -> TaskRunner:
            return Tasks(self.context, self.flow.slugs, self.flow.constants, self.stop_requested)

    with Flow("f") as flow:
        one()
    runner = Runner(flow)
    counts = Counts.of(runner)
    runner.run()
    counts.catch_up()
    assert heard == ["Running", "Success"]
    assert counts.line() == "1 of 1 task done"


# --- lines


def test_lines_go_to_standard_error_and_leave_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger("appliance.run")
    for handler in logging.getLogger().handlers[:]:
        logging.getLogger().removeHandler(handler)  # pytest's own: a plain program has none
    before = (root.level, root.handlers[:])
    with Flow("f") as flow:
        one()
    flow.run()
    out, err = capsys.readouterr()
    assert out == ""
    assert "INFO run: Flow 'f' started with 1 task." in err
    assert ENDED.search(err)
    assert "\x1b" not in err
    assert (root.level, root.handlers) == before


def test_a_program_that_sets_up_logging_keeps_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with Flow("f") as flow:
        one()
    with caplog.at_level(logging.WARNING, "appliance.run"):
        flow.run()
    assert caplog.messages == []


# --- a terminal


SCRIPT = """
import logging, sys
from datetime import timedelta
from appliance import Flow, get_logger, manual_only, task
from appliance.engine import progress_live

progress_live._PER_SECOND = 200
tries = []

@task
def speak(n):
    print("printed", n)
    get_logger().info("logged \\x1b[2J %d", n)
    if n == 1:
        raise ValueError("evil \\x1b[31m text")

@task(max_retries=1, retry_delay=timedelta(seconds=0.3))
def flaky():
    tries.append(1)
    if len(tries) == 1:
        raise ConnectionError("away")

@task(trigger=manual_only)
def ask():
    return 1

with Flow("shown") as flow:
    speak.map([0, 1, 2])
    flaky()
    if "ask" in sys.argv:
        ask()

state = flow.run()
print("END", type(state).__name__)
"""


def at_terminal(tmp_path: Path, *arguments: str, answers: str = "", size: str = "100x30", **environment: str) -> str:
    """What a terminal gets from the script; its question is answered when it comes."""
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    ours, theirs = pty.openpty()
    columns, rows = size.split("x")
    clean = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR", "APPLIANCE_PROGRESS")}
    subprocess.run(["stty", "cols", columns, "rows", rows], stdin=theirs, check=True)
    process = subprocess.Popen(
        [sys.executable, str(file), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm", **environment},
        start_new_session=True,
    )
    os.close(theirs)
    found, waiting = b"", list(answers)
    while select.select([ours], [], [], 30)[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        found += part
        if waiting and found.endswith(b"[Y/n] "):
            os.write(ours, waiting.pop(0).encode() + b"\n")
    os.close(ours)
    process.wait(30)
    return found.decode()


def test_live_on_a_terminal(tmp_path: Path) -> None:
    text = at_terminal(tmp_path)
    assert "\x1b[?25l" in text and "\x1b[?25h" in text, "the cursor is hidden and comes back"
    assert "flaky-1  retrying in 1 s" in text
    assert "speak-1  3/3, 1 failed" in text
    assert "of 5 tasks done" in text
    for hidden in ("\x1b[2J", "evil \x1b[31m"):
        assert hidden not in text
    assert "logged \\x1b[2J 1" in text
    last = text[text.rindex("\x1b[?25h") :]
    assert ENDED.search(last)
    assert "evil \\x1b[31m text (task 'speak-1'[1])" in last
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert re.findall(r"[\r\n](printed \d)\r\n", plain) == ["printed 0", "printed 1", "printed 2"], (
        "each on its own line"
    )


@pytest.mark.parametrize(
    "environment",
    [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}, {"APPLIANCE_PROGRESS": "off"}, {"size": "1x30"}],
    ids=str,
)
def test_lines_where_a_display_would_not_do(tmp_path: Path, environment: dict[str, str]) -> None:
    text = at_terminal(tmp_path, **environment)  # type: ignore[arg-type]
    assert "\x1b" not in text
    assert ENDED.search(text)
    assert "logged \\x1b[2J 1" in text


@pytest.mark.parametrize(("answer", "ends"), [("", "Failed"), ("y", "Failed"), ("n", "Paused")])
def test_paused_tasks_are_asked_about(tmp_path: Path, answer: str, ends: str) -> None:
    text = at_terminal(tmp_path, "ask", answers=answer or " ")
    assert "Task 'ask-1' is paused. Resume? [Y/n]" in text
    assert f"END {ends}" in text


def test_is_live_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not progress.is_live(), "pytest captures standard error"
    monkeypatch.setattr(sys, "stderr", None)
    assert not progress.is_live()
    assert not progress.is_interactive()


def test_a_long_run_tells_now_and_then(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(progress, "_PLAIN_EVERY", 0.01)
    told = logging.getLogger("appliance.run")

    @task
    def until_told() -> None:
        for _ in range(2000):
            if any("of 1 task done" in message for message in caplog.messages):
                return
            select.select([], [], [], 0.01)
        raise TimeoutError

    with Flow("f") as flow:
        until_told()
    with caplog.at_level(logging.INFO, told.name):
        state = flow.run()
    assert state is not None and state.is_successful()
