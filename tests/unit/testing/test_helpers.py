"""The helpers for tests of flows: stopped clock, no network, results in memory, one task alone, states compared."""

from __future__ import annotations

import asyncio
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance import (
    CronSchedule,
    Flow,
    JSONSerializer,
    LocalExecutor,
    LocalResult,
    Parameter,
    ProcessExecutor,
    ThreadExecutor,
    context,
    get_logger,
    states,
    task,
)
from appliance.engine.executors.executor import Executor
from appliance.kit import clock
from appliance.schedules.errors import ScheduleError
from appliance.testing import (
    NetworkRefused,
    assert_states,
    log_lines,
    memory_results,
    no_network,
    run_scheduled,
    run_task,
    stopped_clock,
)

START = datetime(2026, 3, 1, tzinfo=UTC)


def failing(times: int) -> Any:
    left = [times]

    @task(max_retries=times, retry_delay=timedelta(days=1) if times else None)
    def flaky() -> datetime:
        if left[0]:
            left[0] -= 1
            raise ConnectionError("not yet")
        return clock.now()

    return flaky


@pytest.mark.parametrize("executor", [LocalExecutor(), ThreadExecutor(4)], ids=lambda one: type(one).__name__)
def test_retries_take_no_time(executor: Executor) -> None:
    with Flow("f", executor=executor) as flow:
        flaky = failing(5)()
    with stopped_clock(START) as time:
        state = flow.run(progress=False)
    assert state is not None
    assert_states(state, {flaky: states.Success})
    assert state.result[flaky].result == time.now == START + timedelta(days=5)
    assert time.waits == [timedelta(days=1)] * 5


def test_tasks_in_threads_wait_side_by_side() -> None:
    with Flow("f", executor=ThreadExecutor(4)) as flow:
        tasks = [failing(times)() for times in (3, 5, 1)]
    with stopped_clock(START) as time:
        state = flow.run(progress=False)
    assert state is not None
    assert [(state.result[one].result - START).days for one in tasks] == [3, 5, 1]
    assert time.waits == [timedelta(days=1)] * 5


def test_time_waits_for_what_runs_in_threads() -> None:
    """A retry that is due later must not move the time under a task that is still at work."""
    failed, seen = threading.Event(), []

    @task(max_retries=1, retry_delay=timedelta(hours=1))
    def flaky() -> None:
        if not failed.is_set():
            failed.set()
            raise ConnectionError

    @task
    def slow() -> None:
        assert failed.wait(20)
        for _ in range(1000):
            seen.append(clock.now())

    with Flow("f", executor=ThreadExecutor(2)) as flow:
        slow()
        flaky()
    with stopped_clock(START) as time:
        state = flow.run(progress=False)
    assert state is not None and state.is_successful()
    assert set(seen) == {START}
    assert time.now == START + timedelta(hours=1)


def test_processes_wait_for_nothing_either() -> None:
    with Flow("f", executor=ProcessExecutor(1)) as flow:
        task(lambda: 1 // 0, name="never", max_retries=2, retry_delay=3600)()
    with stopped_clock(START) as time:
        state = flow.run(progress=False)
    assert state is not None and state.is_failed()
    assert time.waits == [timedelta(hours=1)] * 2


def test_time_moves_by_hand_and_starts_anywhere_but_in_no_zone() -> None:
    with stopped_clock(START) as time:
        time.move(timedelta(days=1))
        time.move(1.5)
        assert clock.now() == time.now == START + timedelta(days=1, seconds=1.5)
        assert time.waits == []
    assert clock.now() > START
    with pytest.raises(ValueError, match="needs an offset"), stopped_clock(datetime(2026, 1, 1)):  # noqa: DTZ001
        pass


def test_scheduled_runs() -> None:
    with Flow("f", schedule=CronSchedule("0 6 * * *", end_date=START + timedelta(days=5))) as flow:
        day = task(lambda n: (context.today, n), name="day")(Parameter("n", default=1))
    with stopped_clock(START):
        found = run_scheduled(flow, 3, n=2)
        assert [state.result[day].result for state in found] == [
            ("2026-03-01", 2),
            ("2026-03-02", 2),
            ("2026-03-03", 2),
        ]
        assert len(run_scheduled(flow, 100)) == 2
    with pytest.raises(ScheduleError, match="has no schedule"):
        run_scheduled(Flow("g"), 1)


def test_the_network_is_refused() -> None:
    def connect() -> None:
        socket.create_connection(("192.0.2.1", 80), timeout=1)

    with no_network():
        for attempt in (
            connect,
            lambda: socket.getaddrinfo("example.org", 80),
            lambda: socket.socket().connect(("127.0.0.1", 9)),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 9)),
            lambda: asyncio.run(asyncio.open_connection("192.0.2.1", 80)),
        ):
            with pytest.raises(NetworkRefused, match="tried to reach"):
                attempt()
        one, other = socket.socketpair()
        one.sendall(b"x")
        assert other.recv(1) == b"x"
        one.close()
        other.close()
        state = run_task(task(connect, max_retries=0))
    assert "no_network(loopback=True)" in (state.message or "")


def test_loopback_may_be_let_through_and_all_is_put_back() -> None:
    before = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    server = socket.create_server(("127.0.0.1", 0))
    with no_network(loopback=True):
        socket.create_connection(server.getsockname(), timeout=5).close()
        with pytest.raises(NetworkRefused):
            socket.getaddrinfo("example.org", 80)
    server.close()
    assert before == {name: getattr(socket.socket, name) for name in before}


def test_one_task_alone() -> None:
    @task
    def divide(a: int, b: int = 2) -> float:
        return a / b

    assert run_task(divide, a=3).result == 1.5
    failed = run_task(divide, a=1, b=0)
    assert isinstance(failed, states.Failed)
    assert failed.message == "ZeroDivisionError: division by zero"


def test_states_are_compared_with_a_line_for_each_difference() -> None:
    @task
    def half(n: int) -> int:
        if n % 2:
            raise ValueError("odd")
        return n // 2

    with Flow("f") as flow:
        half.map([2, 3])
        failing(0)()
        end = failing(0)()
    state = flow.run(progress=False)
    assert state is not None
    assert_states(state, {end: "Success"}, half=["Success", states.Failed])
    with pytest.raises(AssertionError) as caught:
        assert_states(state, {end: "Skipped"}, half=["Success"], flaky="Success", other="Success")
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()][1:] == ["'half'", "'flaky'", "'other'"]
    for part in (
        "Success (Task run succeeded.) instead of Skipped",
        "Failed (ValueError: odd)]",
        "several tasks have this name",
        "no such task",
    ):
        assert part in str(caught.value)


def test_log_lines_know_their_task() -> None:
    @task
    def speak(n: int) -> None:
        get_logger().info("n is %d", n)

    with Flow("f") as flow:
        speak.map([1, 2])
    with log_lines() as lines:
        flow.run(progress=False)
    assert lines.of("speak-1") == ["n is 1", "n is 2"]
    assert lines.of("speak-1", 1) == ["n is 2"]
    assert lines.messages[0] == "Flow 'f' started with 2 tasks."


def test_results_stay_in_memory(tmp_path: Path) -> None:
    there = LocalResult(tmp_path)
    own = LocalResult(tmp_path, location="own.json", serializer=JSONSerializer())
    with Flow("f") as flow:
        flow.result = there
        one = task(lambda: 1, name="one")()
        two = task(lambda: [2], name="two")()
        two.result = own
    with memory_results(flow) as results:
        state = flow.run(progress=False)
    assert state is not None and state.is_successful()
    assert results.contents["own.json"] == b"[2]"
    assert len(results.contents) == 2
    assert list(tmp_path.iterdir()) == []
    assert flow.result is there and two.result is own and one.result is None
