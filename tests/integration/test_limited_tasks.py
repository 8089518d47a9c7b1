"""Tracked runs over a real server: tasks wait for slots under the limits of their tags, and strict runs for acknowledgements."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import agents, concurrency, flow_runs
from appliance.client import run_protocol as runs
from appliance.client.transport import Transport
from appliance.core.flow import Flow
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.tracked.flow_runner import TrackedFlowRunner
from appliance.engine.tracked.reporter import Reporter
from appliance.engine.tracked.slots import TaskSlots
from appliance.kit import clock
from appliance.packaging.register import register
from appliance.protocol.agents import Claim, Enrol, Work
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.run_protocol import AskSlots, Slots
from appliance.protocol.task_runs import TaskRunView
from appliance.storage import Local
from tests.integration.live import LiveServer


class Watch:
    """How many tasks are at work at a time, and when each began and ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.times: list[tuple[float, float]] = []
        self.work: Callable[[], object] = lambda: None
        self.started = threading.Event()
        self.go_on = threading.Event()

    def __enter__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.began = clock.monotonic()

    def __exit__(self, *_error: object) -> None:
        with self.lock:
            self.now -= 1
            self.times.append((self.began, clock.monotonic()))


watch = Watch()
tries: list[int] = []


@task(tags=["db"])
def limited(n: int) -> int:
    with watch:
        watch.work()
    return n


@task
def free() -> str:
    watch.started.set()
    return "free"


@task(tags=["db"], max_retries=2, retry_delay=0)
def flaky() -> None:
    tries.append(1)
    if len(tries) < 3:
        raise ConnectionError("not yet")


with Flow("wide") as wide:
    limited.map(list(range(12)))

with Flow("two") as two:
    limited(1)
    free()

with Flow("flaky") as flaky_flow:
    flaky()


@task
def looking() -> None:
    watch.work()


with Flow("strict", strict_tracking=True) as strict:
    looking()


class Attempt:
    """One attempt in this process."""

    def __init__(self, server: LiveServer, flow: Flow, directory: Path, executor: object = None) -> None:
        self.client = server.client
        register(flow, "p", transport=server.client, storage=Local())
        self.run = flow_runs.create(server.client, CreateFlowRun(project="p", flow=flow.name)).id
        me = agents.enrol(server.client, Enrol(name=f"host-{flow.name}", type="process")).agent_id
        self.work = next(self._claimed(me))
        own = Transport(server.url, self.work.run_token, tries=1)
        begun = runs.begin(own, self.run, self.work.attempt)
        self.dead: list[str] = []
        self.reporter = Reporter(
            lambda report: runs.report(own, self.run, report),
            self.work.attempt,
            directory / f"{self.run}.spool",
            limited_tags=begun.limited_tags,
            heartbeat_interval=0.5,
            on_cancel=lambda reason: self.runner.cancel(reason),
            on_dead=self.dead.append,
        )
        self.reporter.start()
        self.runner = TrackedFlowRunner(flow, self.reporter, executor=executor)
        self.asked, self.granted = 0, list[tuple[float, float]]()
        self.runner.slots = TaskSlots(lambda asked: self._slots(own, asked), self.work.attempt, self.reporter)
        self.state: State | None = None
        self.thread = threading.Thread(target=self._go)

    def _slots(self, own: Transport, request: AskSlots) -> Slots:
        """Asks, and notes between which times something was granted."""
        sent = clock.monotonic()
        answer = runs.slots(own, self.run, request)
        self.asked += 1
        if answer.granted:
            self.granted.append((sent, clock.monotonic()))
        return answer

    def start(self) -> Attempt:
        self.thread.start()
        return self

    def end(self) -> State:
        self.thread.join(30)
        assert self.state is not None, "the run has not ended"
        return self.state

    def until(self, condition: Callable[[TaskRunView], bool]) -> TaskRunView:
        """The first task run of which it is true."""
        deadline = clock.monotonic() + 20
        while clock.monotonic() < deadline:
            for one in flow_runs.task_runs(self.client, self.run):
                if condition(one):
                    return one
            self.thread.join(0.02)
        raise AssertionError(list(flow_runs.task_runs(self.client, self.run)))

    def _claimed(self, agent: UUID) -> Iterator[Work]:
        yield from agents.claim(self.client, agent, Claim(free_slots=1, wait_s=10)).work

    def _go(self) -> None:
        state = self.runner.run()
        self.reporter.flow_state(self.runner.final or state)
        assert self.reporter.close(20), self.dead
        self.state = state


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("server") / "data").start()
    yield live
    live.stop()


@pytest.fixture(autouse=True)
def clean(server: LiveServer) -> Iterator[None]:
    watch.__init__()  # type: ignore[misc]
    tries.clear()
    yield
    for limit in concurrency.listed(server.client):
        concurrency.delete(server.client, limit["id"])


def test_two_runs_share_the_slots_of_a_tag(server: LiveServer, tmp_path: Path) -> None:
    concurrency.put(server.client, "task_tag", "db", 2)
    met = threading.Event()

    def work() -> None:
        """The first is at work until there is another: else none of them might meet on a busy machine."""
        if watch.now > 1:
            met.set()
        met.wait(20)
        threading.Event().wait(0.01)

    watch.work = work
    both = [Attempt(server, wide, tmp_path, ThreadExecutor(6)).start() for _ in range(2)]
    assert all(attempt.end().is_successful() for attempt in both)
    assert (watch.most, len(watch.times)) == (2, 24)


def test_tasks_of_two_runs_start_at_the_rate_of_their_tag(server: LiveServer, tmp_path: Path) -> None:
    concurrency.put(server.client, "task_rate", "db", 12, 1.0)
    both = [Attempt(server, wide, tmp_path, ThreadExecutor(6)).start() for _ in range(2)]
    assert all(attempt.end().is_successful() for attempt in both)
    sent, received = (sorted(times) for times in zip(*both[0].granted, *both[1].granted, strict=True))
    assert len(watch.times) == len(sent) == 24
    assert all(later - earlier >= 1 for earlier, later in zip(sent, received[12:], strict=False))
    assert sum(attempt.asked for attempt in both) < 100, "tasks that a rate holds back ask no more until it has room"


def test_the_next_one_starts_within_milliseconds(server: LiveServer, tmp_path: Path) -> None:
    concurrency.put(server.client, "task_tag", "db", 1)
    assert Attempt(server, wide, tmp_path, ThreadExecutor(4)).start().end().is_successful()
    gaps = [later[0] - earlier[1] for earlier, later in zip(watch.times, watch.times[1:], strict=False)]
    assert watch.most == 1
    assert statistics.median(gaps) < 0.2, gaps


def test_a_waiting_task_is_queued_with_its_reason_and_keeps_nothing_else_from_running(
    server: LiveServer, tmp_path: Path
) -> None:
    concurrency.put(server.client, "task_tag", "db", 0)
    attempt = Attempt(server, two, tmp_path, ThreadExecutor(1)).start()
    queued = attempt.until(lambda one: one.state == "Queued")
    assert queued.state_message == "The limit of task tag db is 0, so nothing starts; raise it to continue."
    assert watch.started.wait(10)
    concurrency.put(server.client, "task_tag", "db", 1)
    assert attempt.end().is_successful()
    assert [one.state for one in flow_runs.task_runs(server.client, attempt.run)] == ["Success"] * 2


def test_a_cancel_ends_the_wait(server: LiveServer, tmp_path: Path) -> None:
    concurrency.put(server.client, "task_tag", "db", 0)
    attempt = Attempt(server, two, tmp_path, ThreadExecutor(2)).start()
    attempt.until(lambda one: one.state == "Queued")
    flow_runs.cancel(server.client, attempt.run, "no more")
    assert attempt.end().is_cancelled()
    assert watch.times == []


def test_a_retry_asks_again(server: LiveServer, tmp_path: Path) -> None:
    concurrency.put(server.client, "task_tag", "db", 1)
    attempt = Attempt(server, flaky_flow, tmp_path).start()
    assert attempt.end().is_successful()
    assert concurrency.listed(server.client)[0]["used"] == 0


def test_a_limit_that_is_set_during_the_run_holds(server: LiveServer, tmp_path: Path) -> None:
    watch.work = lambda: (watch.started.set(), watch.go_on.wait(20))
    attempt = Attempt(server, wide, tmp_path).start()
    assert watch.started.wait(10)
    concurrency.put(server.client, "task_tag", "db", 0)
    deadline = clock.monotonic() + 20
    while not attempt.reporter.limited_tags and clock.monotonic() < deadline:
        attempt.thread.join(0.02)
    watch.go_on.set()
    attempt.until(lambda one: one.state == "Queued")
    assert len(watch.times) == 1
    concurrency.put(server.client, "task_tag", "db", 1)
    assert attempt.end().is_successful()


def test_a_strict_run_has_told_the_server_before_its_code_runs(server: LiveServer, tmp_path: Path) -> None:
    seen: list[str] = []

    def look() -> None:
        (run,) = flow_runs.task_runs(server.client, attempt.run)
        seen.append(run.state)

    watch.work = look
    attempt = Attempt(server, strict, tmp_path)
    assert attempt.start().end().is_successful()
    assert seen == ["Running"]
