"""`flow.run()`: options and parameters told apart, schedules waited for, pauses handed back."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.core import states
from appliance.core.context import context
from appliance.core.errors import ParameterError, ParameterTypeError, UnknownParameterError
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.core.triggers import manual_only
from appliance.engine.executors import LocalExecutor
from appliance.engine.flow_runner import earlier_states
from appliance.kit import clock
from appliance.schedules.clocks import CronClock, DatesClock, IntervalClock
from appliance.schedules.errors import ScheduleError
from appliance.schedules.schedule import IntervalSchedule, Schedule
from appliance.testing import LogLines, StoppedClock, assert_states, log_lines, stopped_clock

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def time() -> Iterator[StoppedClock]:
    with stopped_clock(START) as found:
        yield found


@pytest.fixture
def log() -> Iterator[LogLines]:
    with log_lines() as found:
        yield found


@task
def see(n: Any = None) -> tuple[datetime, Any]:
    return clock.now(), n


def hourly(count: int, **options: Any) -> Schedule:
    return IntervalSchedule(timedelta(hours=1), START, end_date=START + timedelta(hours=count), **options)


# --- options


def test_a_slip_in_an_option_is_named() -> None:
    with Flow("f") as flow:
        see(Parameter("n", default=1))
    with pytest.raises(UnknownParameterError, match=r"no option 'excutor' .* did you mean executor="):
        flow.run(excutor=LocalExecutor())
    with pytest.raises(UnknownParameterError, match="has no parameter 'm'"):
        flow.run(m=1)
    with pytest.raises(ParameterError, match="'n' is passed twice"):
        flow.run(parameters={"n": 1}, n=2)
    with pytest.raises(ParameterError, match="must be a dict of values by name, not list"):
        flow.run([1])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "wanted"),
    [("executor", "an executor such as"), ("context", "a dict"), ("task_states", "a dict of states")],
)
def test_options_of_a_wrong_kind_are_refused(option: str, wanted: str) -> None:
    with pytest.raises(TypeError, match=rf"{option} is an option of flow.run\(\) and must be {wanted}.*parameters={{"):
        Flow("f").run(**{option: 5})


def test_a_parameter_may_be_named_like_a_near_option() -> None:
    with Flow("f") as flow:
        out = see(Parameter("contexts"))
    state = flow.run(contexts=3, context={"more": 1})
    assert isinstance(state, State)
    assert state.result[out].result[1] == 3


def test_more_context_reaches_tasks() -> None:
    with Flow("f") as flow:
        out = task(lambda: context["colour"], name="look")()
    state = flow.run(context={"colour": "red"})
    assert isinstance(state, State)
    assert state.result[out].result == "red"


# --- schedules


def test_a_scheduled_flow_runs_at_each_of_its_times(time: StoppedClock, log: LogLines) -> None:
    seen = []
    with Flow("f", schedule=hourly(3)) as flow:
        task(lambda: seen.append((clock.now(), context.scheduled_start_time)), name="look")()
    state = flow.run()
    assert state is not None and state.is_successful()
    assert seen == [(START + timedelta(hours=n), START + timedelta(hours=n)) for n in (1, 2, 3)]
    assert time.waits == [timedelta(hours=1)] * 3
    assert (
        log.messages[0] == "Flow 'f' is waiting for its next run at 2026-03-01T01:00:00.000000Z; press Ctrl-C to stop."
    )
    assert log.messages[-1] == "Flow 'f' has no more scheduled runs."


def test_times_that_pass_during_a_run_are_left_out(time: StoppedClock) -> None:
    seen = []

    def work() -> None:
        seen.append(clock.now())
        time.move(timedelta(hours=2, minutes=30))

    with Flow("f", schedule=hourly(6)) as flow:
        task(work)()
    flow.run()
    assert [(at - START).total_seconds() / 3600 for at in seen] == [1, 4]


def test_parameters_of_the_clock_and_of_the_call(time: StoppedClock) -> None:
    seen = []
    clocks = [
        IntervalClock(timedelta(hours=1), START, end_date=START + timedelta(hours=2), parameters={"n": 5, "m": 6})
    ]
    with Flow("f", schedule=Schedule(clocks)) as flow:
        task(lambda n, m: seen.append((n, m)), name="look")(Parameter("n", default=1), Parameter("m", default=1))
    flow.run(m=7)
    assert seen == [(5, 7), (5, 7)]


def test_wrong_parameters_are_told_before_the_wait(time: StoppedClock) -> None:
    with Flow("f", schedule=hourly(3)) as flow:
        see(Parameter("n", type=int, default=1))
    with pytest.raises(ParameterTypeError):
        flow.run(n="x")
    assert time.waits == []


def test_without_times_to_come(time: StoppedClock) -> None:
    over = IntervalSchedule(timedelta(hours=1), START - timedelta(days=2), end_date=START - timedelta(days=1))
    with Flow("f", schedule=over) as flow:
        see()
    with pytest.raises(ScheduleError, match=r"no more scheduled runs; run it now with run_on_schedule=False"):
        flow.run()
    state = flow.run(run_on_schedule=False)
    assert state is not None and state.is_successful()
    with pytest.raises(ScheduleError, match="has no schedule"):
        Flow("g").run(run_on_schedule=True)


def test_an_interrupt_of_a_run_ends_the_schedule(time: StoppedClock) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with Flow("f", schedule=CronClock("@hourly")) as flow:
        task(interrupt)()
    state = flow.run()
    assert isinstance(state, states.Cancelled)
    assert len(time.waits) == 1


def test_each_clock_due_at_one_instant_runs_with_its_own_parameters(time: StoppedClock) -> None:
    seen = []

    @task
    def see(region: str) -> None:
        seen.append((region, context.scheduled_start_time))

    at = clock.now() + timedelta(hours=1)
    clocks = [
        DatesClock([at], parameters={"region": "EU"}),
        DatesClock([at, at + timedelta(days=1)], parameters={"region": "US"}),
        DatesClock([at], parameters={"region": "EU"}),  # the same clock once more
    ]
    with Flow("f", schedule=Schedule(clocks)) as flow:
        see(Parameter("region"))
    flow.run(progress=False)
    assert seen == [("EU", at), ("US", at), ("US", at + timedelta(days=1))]


WAITING = """
from appliance import CronSchedule, Flow, task

with Flow("f", schedule=CronSchedule("0 0 1 1 *")) as flow:
    task(lambda: None, name="nothing")()

print("END", type(flow.run()).__name__)
"""


def test_ctrl_c_ends_the_wait_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "waiting.py"
    file.write_text(WAITING)
    process = subprocess.Popen(
        [sys.executable, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    assert select.select([process.stderr], [], [], 30)[0]
    assert "is waiting for its next run" in process.stderr.readline()
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert err.endswith("Flow 'f' was interrupted while waiting for its next scheduled run.\n")
    assert out == "END Cancelled\n"
    assert process.returncode == 0


# --- pauses, and earlier states


def test_a_pause_without_a_person_ends_the_run_and_another_goes_on(log: LogLines) -> None:
    calls = []
    with Flow("f") as flow:
        first = task(lambda: calls.append("first"), name="first")()
        last = task(lambda: calls.append("last"), name="last")(
            upstream_tasks=[first], task_args={"trigger": manual_only}
        )
    paused = flow.run()
    assert isinstance(paused, states.Paused)
    assert_states(paused, {first: "Success", last: "Paused"})
    assert "'last-1' is paused, and there is no terminal to ask at" in log.messages[-1]
    earlier = earlier_states(flow, paused.result) | {("last-1", -1): states.Resume()}
    state = flow.run(task_states=earlier)
    assert state is not None and state.is_successful()
    assert calls == ["first", "last"]


def test_earlier_states_count_for_the_first_scheduled_run_only(time: StoppedClock) -> None:
    calls = []
    with Flow("f", schedule=hourly(2)) as flow:
        task(lambda: calls.append(clock.now()), name="work")()
    flow.run(task_states={("work-1", -1): states.Success()})
    assert calls == [START + timedelta(hours=2)]
