"""Only the process that began a task continues with the run: one that its code forks ends where it leaves the task."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from appliance import Flow, LocalExecutor, ProcessExecutor, ThreadExecutor, signals, task

LEAVE = {"return": 0, "exit": 3, "exit with a sentence": 1, "raise": 1, "signal": 1, "interrupt": 1}


def leave(how: str) -> None:
    match how:
        case "exit":
            sys.exit(3)
        case "exit with a sentence":
            sys.exit("no")
        case "raise":
            raise ValueError("of the child")
        case "signal":
            raise signals.SUCCESS("of the child")
        case "interrupt":
            raise KeyboardInterrupt


def fork(how: str) -> int:
    sys.stdout.write("a line of the parent")
    pid = os.fork()
    if pid == 0:
        leave(how)
        return -1
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def fork_in_a_coroutine(how: str) -> int:
    return fork(how)


@pytest.mark.parametrize(
    ("executor", "function", "options"),
    [
        (LocalExecutor(), fork, {}),
        (LocalExecutor(), fork, {"log_stdout": True, "timeout": 30}),
        (LocalExecutor(), fork_in_a_coroutine, {}),
        (LocalExecutor(), fork_in_a_coroutine, {"timeout": 30}),
        (ThreadExecutor(2), fork, {"timeout": 30}),
        (ProcessExecutor(1), fork, {}),
    ],
)
def test_a_process_that_a_task_forks_ends_with_the_task(
    executor: Any, function: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    @task
    def note(codes: list[int]) -> None:
        with (tmp_path / "codes").open("a") as file:
            file.write(f"{codes}\n")

    forks = task(function, **options)
    with Flow("forks", executor=executor) as flow:
        note([forks(how) for how in LEAVE])
    state = flow.run(progress=False)
    assert state is not None
    assert state.is_successful(), state.message
    expected = {**LEAVE, "return": 1} if function is fork_in_a_coroutine else LEAVE  # no event loop survives a fork
    assert (tmp_path / "codes").read_text() == f"{list(expected.values())}\n"
