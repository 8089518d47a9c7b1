"""The reporter against a server that loses answers, goes away and comes back: everything arrives once and in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.client.errors import Conflict, Invalid, StaleAttempt, Unauthenticated, Unreachable, refusal
from appliance.core.states import Paused, Pending, Retrying, Running, State, Success
from appliance.engine.results.memory import MemoryResult
from appliance.engine.results.run_packs import RunPacks
from appliance.engine.tracked import reporter
from appliance.engine.tracked.reporter import Reporter
from appliance.protocol.run_protocol import LogEvent, Report, Reported, TaskStateEvent

WAIT = 10.0
Fault = Callable[[Report], Exception | None]


class Server:
    """Stores batches as the real one does: by number, each once. `before` and `after` may lose a request or an answer."""

    def __init__(self) -> None:
        self.stored: list[Report] = []
        self.heartbeats: list[Report] = []
        self.before: Fault = lambda _report: None
        self.after: Fault = lambda _report: None
        self.cancel = False
        self.changed = threading.Condition()

    def send(self, content: bytes) -> Reported:
        report = msgspec.json.decode(content, type=Report)
        with self.changed:
            self._fail(self.before(report))
            last = self.stored[-1].seq if self.stored else 0
            if not report.events:
                self.heartbeats.append(report)
            elif report.seq == last + 1:
                self.stored.append(report)
            else:
                assert report.seq <= last, "a gap"
            self.changed.notify_all()
            self._fail(self.after(report))
            return Reported(acked=max(report.seq, last), cancel=self.cancel)

    def _fail(self, error: Exception | None) -> None:
        if error is not None:
            self.changed.notify_all()
            raise error

    def until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, WAIT)

    @property
    def events(self) -> list[Any]:
        return [event for report in self.stored for event in report.events]


class Run:
    """A reporter and what it told the run."""

    def __init__(self, server: Server, spool: Path, heartbeat: float = 60.0) -> None:
        self.cancelled, self.dead = threading.Event(), threading.Event()
        self.reporter = Reporter(
            server.send,
            1,
            spool,
            heartbeat_interval=heartbeat,
            on_cancel=lambda _reason: self.cancelled.set(),
            on_dead=lambda _reason: self.dead.set(),
        )
        self.reporter.start()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Iterator[Run]:
    run = Run(server, tmp_path / "spool.jsonl")
    yield run
    run.reporter.close(WAIT)


def tasks(run: Run, count: int, first: int = 0) -> None:
    for index in range(first, first + count):
        run.reporter.task_state("t", index, Success("done"), 1)


def away() -> Exception:
    return Unreachable("http://appliance.test")


def test_everything_arrives_in_order_in_batches_of_500(server: Server, run: Run) -> None:
    tasks(run, 1201)
    assert run.reporter.close(WAIT)
    assert [event.map_index for event in server.events] == list(range(1201))
    assert [report.seq for report in server.stored] == list(range(1, len(server.stored) + 1))
    assert max(len(report.events) for report in server.stored) <= 500


def test_a_lost_answer_does_not_double_a_batch(server: Server, run: Run) -> None:
    lost: list[int] = []

    def lose_once(report: Report) -> Exception | None:
        if report.seq in lost:
            return None
        lost.append(report.seq)
        return away()

    server.after = lose_once
    tasks(run, 10)
    assert run.reporter.close(WAIT)
    assert [event.map_index for event in server.events] == list(range(10))
    assert lost


def test_an_outage_is_bridged_by_the_spool_and_replayed_in_order(server: Server, run: Run, tmp_path: Path) -> None:
    spool = tmp_path / "spool.jsonl"
    tries: list[int] = []

    def gone(report: Report) -> Exception | None:
        tries.append(report.seq)
        return away()

    server.before = gone
    tasks(run, 3)
    server.until(lambda: len(tries) >= 2)  # after the second failure the first has been spooled
    assert spool.exists()
    assert spool.stat().st_mode & 0o077 == 0
    tasks(run, 2000, first=3)
    server.before = lambda _report: None
    assert run.reporter.close(WAIT)
    assert [event.map_index for event in server.events] == list(range(2003))
    assert set(tries) == {1}
    assert not spool.exists()


def test_what_a_closed_run_could_not_deliver_stays_in_the_spool(server: Server, run: Run, tmp_path: Path) -> None:
    server.before = lambda _report: away()
    tasks(run, 700)
    assert run.reporter.close(0.5) is False
    lines = (tmp_path / "spool.jsonl").read_bytes().splitlines()
    reports = [msgspec.json.decode(line, type=Report) for line in lines]
    assert [event.map_index for report in reports for event in report.events] == list(range(700))  # type: ignore[union-attr]
    server.before = lambda _report: None


class Waiters(deque[threading.Event]):
    """Those of a reporter. `came` counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Semaphore(0)

    def append(self, waiter: threading.Event) -> None:
        super().append(waiter)
        self.came.release()


def settle(run: Run, index: int, times: int) -> bool:
    """Report a task run as Running so many times, each once the last one is acknowledged. Were all?"""
    settled = []
    for attempt in range(times):
        run.reporter.task_state("t", index, Running(), attempt + 1)
        settled.append(run.reporter.settle(WAIT, lambda: False))
    return all(settled)


def test_threads_that_were_acknowledged_together_share_the_next_report(
    server: Server, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "GATHER", WAIT)
    run.reporter._waiters = waiters = Waiters()
    held, all_wait = threading.Event(), threading.Event()

    def hold(_report: Report) -> None:
        held.set()
        assert all_wait.wait(WAIT)

    server.before = hold
    tasks(run, 1)
    assert held.wait(WAIT)

    with ThreadPoolExecutor(8) as pool:
        ends = [pool.submit(settle, run, index, 2) for index in range(8)]
        assert all(waiters.came.acquire(timeout=WAIT) for _ in ends)
        all_wait.set()
        assert all(end.result(WAIT) for end in ends)
    assert [len(report.events) for report in server.stored] == [1, 8, 8]


def test_threads_that_came_while_a_report_was_on_its_way_wait_for_those_it_acknowledges(
    server: Server, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "GATHER", WAIT)
    run.reporter._waiters = waiters = Waiters()
    held, go = threading.Event(), threading.Event()

    def hold(_report: Report) -> None:
        held.set()
        assert go.wait(WAIT)

    server.before = hold
    with ThreadPoolExecutor(3) as pool:
        ends = [pool.submit(settle, run, 0, 2)]
        assert held.wait(WAIT) and waiters.came.acquire(timeout=WAIT)
        ends += [pool.submit(settle, run, index, 1) for index in (1, 2)]
        assert all(waiters.came.acquire(timeout=WAIT) for _ in (1, 2))
        go.set()
        assert all(end.result(WAIT) for end in ends)
    assert [len(report.events) for report in server.stored] == [1, 3]


@pytest.mark.parametrize(
    "error", [StaleAttempt("stale_attempt", 409, "Replaced."), Unauthenticated("unauthenticated", 401, "No.")]
)
def test_an_attempt_that_was_replaced_ends_at_once(server: Server, run: Run, error: Exception) -> None:
    server.before = lambda _report: error
    tasks(run, 1)
    assert run.dead.wait(WAIT)
    assert run.reporter.close(WAIT) is False
    assert server.stored == []


def test_a_conflict_of_the_moment_is_tried_again(server: Server, run: Run) -> None:
    faults = [refusal("conflict", 409, "Somebody was faster.")]
    assert type(faults[0]) is Conflict
    server.before = lambda _report: faults.pop() if faults else None
    tasks(run, 1)
    assert run.reporter.close(WAIT)
    assert len(server.events) == 1


def test_cancel_in_an_answer_is_passed_on_once(server: Server, run: Run) -> None:
    server.cancel = True
    tasks(run, 1)
    assert run.cancelled.wait(WAIT)


def test_heartbeats_fill_the_gaps_and_carry_the_last_acknowledged_number(server: Server, tmp_path: Path) -> None:
    run = Run(server, tmp_path / "spool.jsonl", heartbeat=0.05)
    tasks(run, 1)
    server.until(lambda: len(server.stored) == 1 and len(server.heartbeats) >= 2)
    assert server.heartbeats[-1].seq == 1
    assert run.reporter.close(WAIT)


def test_a_run_with_nothing_to_tell_rests_while_the_server_is_away(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds, tries = 0, 0
    deliver = Reporter._deliver

    def counted(reporter: Reporter) -> None:
        nonlocal rounds
        rounds += 1
        deliver(reporter)

    def refuse(_report: Report) -> Exception:
        nonlocal tries
        tries += 1
        return away()

    monkeypatch.setattr(Reporter, "_deliver", counted)
    server.before = refuse
    run = Run(server, tmp_path / "spool.jsonl", heartbeat=0.01)
    server.until(lambda: tries >= 4)
    assert rounds <= 3 * tries
    server.before = lambda _report: None
    assert run.reporter.close(WAIT)


@pytest.mark.parametrize("last", [Success("All done."), Paused(), Retrying()])
def test_nothing_follows_the_flow_state_that_ends_the_attempt(server: Server, run: Run, last: State) -> None:
    run.reporter.flow_state(last)
    tasks(run, 5)
    assert run.reporter.close(WAIT)
    assert [type(event).__name__ for event in server.events] == ["FlowStateEvent"]


def test_a_batch_that_is_refused_as_invalid_loses_its_details_but_not_its_states(server: Server, run: Run) -> None:
    server.before = lambda report: (
        Invalid("invalid", 400, "Bad message.") if any("evil" in event.message for event in report.events) else None
    )
    run.reporter.task_state("t", -1, Running("fine", data={"note": "evil data"}), 1)
    run.reporter.log(*log("evil"))
    tasks(run, 1)
    assert run.reporter.close(WAIT)
    kinds = [event for event in server.events if isinstance(event, TaskStateEvent)]
    assert [event.name for event in kinds] == ["Running", "Success"]
    assert any(isinstance(event, LogEvent) and "they were omitted" in event.message for event in server.events)


def test_data_that_is_no_json_does_not_stop_the_reports(server: Server, run: Run) -> None:
    run.reporter.task_state("t", -1, Success("x", data={"big": 2**200, "odd": "\ud800"}), 1)
    run.reporter.log(*log("half \ud800 and \0"))
    assert run.reporter.close(WAIT)
    assert len(server.events) == 2
    assert "\0" not in server.events[1].message


def log(message: str) -> tuple[Any, ...]:
    from appliance.kit import clock

    return clock.now(), 20, "appliance.run", message, None, -1


# --- results, which are durable before they are reported


class Store(MemoryResult):
    """A place that notes what the server knows when it is written to, and may be slow or away."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server, self.known = server, list[int]()
        self.asked, self.open, self.away = threading.Event(), threading.Event(), False
        self.open.set()

    def put(self, location: str, content: bytes) -> None:
        self.known.append(len(self.server.events))
        self.asked.set()
        assert self.open.wait(WAIT)
        if self.away:
            raise self.trouble("written to", location, "it is away")
        super().put(location, content)


def kept(run: Run, place: Store, count: int) -> list[str]:
    """Report tasks whose results are in packs; their locations."""
    packs = run.reporter.packs = run.reporter.packs or RunPacks("run", "attempt-1")
    locations = []
    for index in range(count):
        stored = packs.store(place, index, ("run", "t"))
        data = {"result_location": stored.location, "result_sha256": stored.sha256, "result_place": "memory:"}
        run.reporter.task_state("t", index, Success("done", index, data=data), 1)
        locations.append(stored.location)
    return locations


def test_no_result_is_reported_before_it_is_durable(server: Server, run: Run) -> None:
    place = Store(server)
    place.open.clear()
    locations = kept(run, place, 3)
    assert place.asked.wait(WAIT)
    assert not server.events
    place.open.set()
    assert run.reporter.close(WAIT)
    assert [event.result_location for event in server.events] == locations
    assert place.known[0] == 0 and all(place.holds(location) for location in locations)


def test_a_run_that_waits_for_its_store_is_alive(server: Server, tmp_path: Path) -> None:
    run, place = Run(server, tmp_path / "spool", heartbeat=0.01), Store(server)
    place.open.clear()
    kept(run, place, 1)
    assert place.asked.wait(WAIT)
    before = len(server.heartbeats)
    server.until(lambda: len(server.heartbeats) > before + 1)
    assert not server.events
    place.open.set()
    assert run.reporter.close(WAIT)
    assert len(server.events) == 1


@pytest.mark.parametrize("optional", [True, False])
def test_a_result_that_was_lost_is_reported_as_lost(server: Server, run: Run, optional: bool) -> None:
    place = Store(server)
    place.away, place.optional = True, optional
    kept(run, place, 2)
    tasks(run, 1)
    assert run.reporter.close(WAIT)
    *lost, other = server.events
    why = "The result can't be written to memory:/"
    for event in lost:
        assert event.result_location is None and event.data in (None, {"run_count": 1})
        if optional:
            assert event.type == "SUCCESS"
            assert event.message.startswith(f"done The result could not be kept for a restart: {why}")
        else:
            assert (event.type, event.name) == ("FAILED", "Failed")
            assert event.message.startswith(f"The task ran, but its result could not be stored: {why}")
    assert (other.type, other.message) == ("SUCCESS", "done")


def test_a_loop_whose_last_round_was_lost_starts_over(server: Server, run: Run) -> None:
    place = Store(server)
    place.away = True
    packs = run.reporter.packs = RunPacks("run", "attempt-1")
    stored = packs.store(place, 5, ("run", "t-loop"))
    data = {"loop_count": 3, "loop_result_location": stored.location, "loop_result_sha256": stored.sha256, "more": 1}
    run.reporter.task_state("t", -1, Pending("Looping", data=data), 1)
    assert run.reporter.close(WAIT)
    (event,) = server.events
    assert event.data == {"more": 1}
