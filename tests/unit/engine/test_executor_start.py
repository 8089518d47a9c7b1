"""An executor that can't start: the run ends Failed with a sentence, handlers are called, and a schedule goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.core.flow import Flow
from appliance.core.states import Failed, Pending, State, Success
from appliance.core.task_decorator import task
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor
from appliance.engine.executors.dask import DaskExecutor
from appliance.kit import clock
from appliance.kit.errors import ApplianceError
from appliance.schedules.schedule import IntervalSchedule
from appliance.testing import LogLines, log_lines, stopped_clock

START = datetime(2026, 3, 1, tzinfo=UTC)


class Broken(LocalExecutor):
    """Raises what it was given when it starts."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def start(self) -> None:
        raise self.error


class Full(ThreadExecutor):
    """Can't start a thread."""


def no_process(*_arguments: Any, **_options: Any) -> Any:
    raise OSError(11, "Resource temporarily unavailable")


def no_thread(*_arguments: Any) -> None:
    raise RuntimeError("can't start new thread")


@pytest.fixture
def log() -> Iterator[LogLines]:
    with log_lines() as lines:
        yield lines


@task
def one() -> int:
    return 1


CAUSES: dict[str, tuple[Callable[[], Executor], str]] = {
    "its author's error": (lambda: Broken(ValueError("no host")), "Broken can't start: ValueError: no host."),
    "an error of ours": (lambda: Broken(ApplianceError("Buy one.")), "Broken can't start: Buy one."),
    "no cluster": (
        lambda: DaskExecutor("tcp://127.0.0.1:1", client_kwargs={"timeout": 0.2}),
        "DaskExecutor can't start: Can't connect to the Dask cluster at tcp://127.0.0.1:1",
    ),
    "no process": (lambda: ProcessExecutor(1), "ProcessExecutor can't start: BlockingIOError"),
    "no thread": (lambda: Full(1), "No thread can be started for the tasks of the run: can't start new thread."),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_run_whose_executor_cannot_start_fails_with_a_sentence(
    cause: str, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    make, sentence = CAUSES[cause]
    changes: list[str] = []
    ends: list[tuple[State, dict[Any, State]]] = []

    def handler(_flow: Flow, old: State, new: State) -> None:
        changes.append(f"{type(old).__name__} -> {type(new).__name__}")

    def last(_flow: Flow, state: State, states: Any) -> None:
        ends.append((state, dict(states)))

    with Flow("f", state_handlers=[handler], terminal_state_handler=last) as flow:
        made = one()
    executor = make()
    if cause == "no process":
        monkeypatch.setattr(subprocess, "Popen", no_process)
    if cause == "no thread":
        monkeypatch.setattr("appliance.engine.executors.threads.threading.Thread.start", no_thread)
    state = flow.run(executor=executor, progress=False)
    monkeypatch.undo()
    assert isinstance(state, Failed)
    assert str(state.message).startswith(sentence)
    assert isinstance(state.result[made], Pending)
    assert changes == ["Pending -> Running", "Running -> Failed"]
    assert [(type(end), list(states)) for end, states in ends] == [(Failed, [made])]
    assert any(sentence in message for message in log.messages)


def test_a_schedule_goes_on_with_its_next_time() -> None:
    class Sometimes(LocalExecutor):
        def start(self) -> None:
            if clock.now() < START + timedelta(hours=2):
                raise ConnectionRefusedError("not yet")

    ends: list[type[State]] = []
    schedule = IntervalSchedule(timedelta(hours=1), START + timedelta(hours=1), end_date=START + timedelta(hours=3))
    with Flow(
        "f", schedule=schedule, executor=Sometimes(), on_failure=lambda _flow, state: ends.append(type(state))
    ) as flow:
        made = one()
    with stopped_clock(START):
        state = flow.run(progress=False)
    assert ends == [Failed]
    assert isinstance(state, Success) and state.result[made].result == 1


def test_a_person_who_interrupts_the_start_cancels_the_run() -> None:
    with Flow("f") as flow:
        one()
    assert flow.run(executor=Broken(KeyboardInterrupt()), progress=False).name == "Cancelled"
