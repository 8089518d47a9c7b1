"""Commands: their output, exit codes, environment, and the end of all their processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from appliance.core import masking
from appliance.core.flow import Flow
from appliance.core.secrets import Secret
from appliance.core.states import Failed, State
from appliance.engine.executors import ThreadExecutor
from appliance.tasks.library.errors import CommandFailed, MissingArgument
from appliance.tasks.shell import ShellTask
from appliance.testing import log_lines, run_task
from tests.e2e.appliance_process import until

ROOT = Path(__file__).resolve().parents[3]


def test_the_result_is_the_last_line_or_all_lines() -> None:
    assert ShellTask("echo one; printf two").run() == "two"
    assert ShellTask(return_all=True).run(command="echo one; echo two >&2; echo three") == ["one", "three"]
    assert ShellTask("true").run() is None


def test_output_goes_to_the_log_at_the_level_that_is_named() -> None:
    with log_lines(10) as lines:
        ShellTask("echo out; echo err >&2", stream_output="DEBUG").run()
        ShellTask("echo out; echo visible >&2", stream_output=False, log_stderr=True).run()
        ShellTask("echo out; echo err >&2", stream_output=False).run()
    seen = [(record.levelname, record.getMessage()) for record in lines.records]
    assert sorted(seen) == [("DEBUG", "err"), ("DEBUG", "out"), ("INFO", "visible")]
    with pytest.raises(ValueError, match="stream_output must be"):
        ShellTask(stream_output="LOUD")


def test_progress_bars_and_bytes_that_are_no_text_are_lines() -> None:
    assert ShellTask(r"printf '10%%\r50%%\r100%%\n\xff\xfe\n'", return_all=True).run() == ["100%", "\ufffd\ufffd"]


def test_a_line_without_end_is_cut() -> None:
    lines = ShellTask("head -c 300000 /dev/zero | tr '\\0' x", return_all=True, stream_output=False).run()
    assert isinstance(lines, list) and len(lines) > 1 and sum(map(len, lines)) == 300_000


def test_an_exit_code_fails_the_task_with_the_last_lines_of_stderr() -> None:
    state = run_task(ShellTask("echo fine; echo broken >&2; exit 3"))
    assert isinstance(state, Failed) and isinstance(state.result, CommandFailed)
    assert (state.result.code, str(state.result)) == (3, "The command ended with exit code 3: broken")
    with pytest.raises(CommandFailed, match="ended by signal 9"):
        ShellTask("kill -9 $$").run()
    with pytest.raises(CommandFailed, match="exit code 1"):
        ShellTask("false; true", shell="bash -e").run()


def test_helper_script_directory_and_environment(tmp_path: Path) -> None:
    task = ShellTask(
        "greet; pwd; echo $COLOUR", env={"COLOUR": "blue"}, helper_script="greet() { echo hello; }", cwd=tmp_path
    )
    with_all = ShellTask.copy(task)
    with_all.return_all = True
    assert with_all.run() == ["hello", str(tmp_path), "blue"]
    assert task.run(env={"COLOUR": "red"}) == "red"


def test_a_shell_or_directory_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="'no-such-shell' can't be started: No such file or directory"):
        ShellTask("true", shell="no-such-shell").run()
    with pytest.raises(CommandFailed, match=r"can't be started in .*missing"):
        ShellTask("true", cwd=tmp_path / "missing").run()
    with pytest.raises(MissingArgument, match=r"ShellTask has no command; set it with ShellTask\(command=...\)"):
        ShellTask().run()


def test_a_secret_is_masked_in_results_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_PIN", "pin-of-the-shell-test")
    task = ShellTask("echo $PIN; echo $PIN >&2; exit $CODE", env={"PIN": Secret("PIN")})
    assert task.secrets == ("PIN",)
    assert task.run(env={"PIN": Secret("PIN"), "CODE": "0"}) == masking.MASK
    with pytest.raises(CommandFailed, match=r"exit code 1: \*\*\*$"):
        task.run(env={"PIN": Secret("PIN"), "CODE": "1"})


def test_what_the_command_leaves_behind_is_killed_unless_it_left_the_group(tmp_path: Path) -> None:
    command = f"(trap '' TERM; echo $BASHPID > {tmp_path}/one; sleep 3600) & setsid sleep 3600 & echo $! > {tmp_path}/two; sleep 0.3"
    ShellTask(command).run()
    until("the background process ends", lambda: not alive(tmp_path / "one"))
    assert alive(tmp_path / "two")
    os.kill(int((tmp_path / "two").read_text()), signal.SIGKILL)


def test_a_command_dies_with_the_process_of_its_run(tmp_path: Path) -> None:
    code = f"from appliance.tasks.shell import ShellTask\nShellTask('echo $$ > {tmp_path}/pid; sleep 3600').run()"
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        until("the command runs", lambda: alive(tmp_path / "pid"))
        process.kill()
    until("the command ends", lambda: not alive(tmp_path / "pid"))


def test_many_commands_run_side_by_side_in_threads() -> None:
    with Flow("many") as flow:
        numbers = ShellTask(stream_output=False).map([f"echo {number}" for number in range(20)])
    state: State = flow.run(executor=ThreadExecutor(8), progress=False).result[numbers]
    assert state.result == [str(number) for number in range(20)]


def alive(file: Path) -> bool:
    text: Any = file.read_text().strip() if file.exists() else ""
    return bool(text) and Path(f"/proc/{text}").exists() and " Z " not in Path(f"/proc/{text}/stat").read_text()
