"""The services' process: rounds under a lease, faults that pass, and a stop in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from appliance.config import Settings
from appliance.kit import clock as kit_clock
from appliance.server.actions import leases
from appliance.server.db.session import Database, commits_of_this_thread
from appliance.server.services import process as run
from tests.integration.builders import MINUTELY, register, rows
from tests.integration.conftest import StoppedClock


class Counting:
    name = "counting"
    interval = 60.0

    def __init__(self, fails: int = 0) -> None:
        self.rounds = 0
        self.fails = fails
        self.between: Callable[[], object] = lambda: None

    def run_once(self, now: datetime) -> dict[str, int]:
        self.rounds += 1
        self.between()
        if self.rounds <= self.fails:
            raise RuntimeError("broken")
        return {"done": self.rounds}


def test_one_process_works_and_another_takes_over(database: Database) -> None:
    one, two = Counting(), Counting()
    first, second = run.Rounds(one, database, "a"), run.Rounds(two, database, "b")
    first()
    second()
    assert (one.rounds, two.rounds) == (1, 0)
    first.finish(1.0)
    second()
    run.Rounds(one, database, "c")()
    assert (one.rounds, two.rounds) == (1, 1)
    row = leases.find(database, "counting")
    assert row is not None and (row.holder, row.epoch, row.last_counts) == ("b", 2, "done=1")


def test_a_round_without_work_writes_once_and_keeps_the_lease(database: Database, clock: StoppedClock) -> None:
    rounds, other = run.Rounds(Counting(), database, "a"), run.Rounds(Counting(), database, "b")
    rounds()
    for _ in range(5):
        clock.move(60)
        before = commits_of_this_thread()
        rounds()
        assert commits_of_this_thread() - before == 1
        other()
    row = leases.find(database, "counting")
    assert row is not None and (row.holder, row.epoch, row.last_counts, row.last_run_at) == ("a", 1, "done=6", clock())
    assert row.expires > clock()


def test_a_lease_is_renewed_before_a_round_that_comes_late(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]
    monkeypatch.setattr(run.clock, "monotonic", lambda: passed[0])
    rounds = run.Rounds(Counting(), database, "a")
    rounds()
    passed[0] += 100  # of the 180 that it lasts
    before = commits_of_this_thread()
    rounds()
    assert commits_of_this_thread() - before == 2


def test_a_round_that_was_waiting_when_the_process_stopped_takes_no_lease(database: Database) -> None:
    rounds = run.Rounds(Counting(), database, "a")
    rounds()
    rounds.finish(1.0)
    rounds()
    row = leases.find(database, "counting")
    assert row is not None and (row.holder, row.last_counts) == ("", "done=1")


def test_a_fault_is_tried_again(database: Database) -> None:
    service = Counting(fails=2)
    rounds = run.Rounds(service, database, "a")
    rounds()
    rounds()
    assert rounds.failures == 2
    row = leases.find(database, "counting")
    assert row is not None and row.last_run_at is None
    rounds()
    assert rounds.failures == 0
    row = leases.find(database, "counting")
    assert row is not None and row.last_counts == "done=3"


def test_rounds_begin_one_after_another_and_share_a_thread(database: Database) -> None:
    services = [Counting() for _ in range(6)]
    for number, service in enumerate(services):
        service.name = f"counting-{number}"
    began: list[tuple[float, int]] = []
    done = threading.Event()

    def note() -> None:
        began.append((kit_clock.monotonic(), threading.get_ident()))
        if len(began) == len(services):
            done.set()

    for service in services:
        service.between = note
    metronome = run._metronome([run.Rounds(service, database, "a") for service in services])
    assert done.wait(10)
    metronome.shutdown()
    assert began[-1][0] - began[0][0] >= 0.25
    assert len({thread for _, thread in began}) < len(services)


def test_all_services_run_until_the_stop(database: Database, database_url: str) -> None:
    register(database, schedules=[MINUTELY])
    with database.write() as session:
        session.connection().exec_driver_sql("delete from flow_run")
        session.connection().exec_driver_sql("update schedule set scheduled_until = null, plan_at = created")
    stop, seen = threading.Event(), threading.Event()
    settings = Settings(database_url=database_url, scheduler_interval=0.1, repair_interval=0.1)
    result: list[int] = []
    worker = threading.Thread(target=lambda: result.append(run.main(settings, stop)))
    worker.start()
    for _ in range(100):
        row = leases.find(database, "repair")
        if row is not None and row.last_run_at is not None and len(rows(database, "select id from flow_run")) == 10:
            break
        seen.wait(0.1)
    stop.set()
    worker.join(5)
    assert result == [0]
    assert len(rows(database, "select id from flow_run")) == 10
    held = leases.find(database, "scheduler")
    assert held is not None and held.holder == "" and held.last_run_at is not None


def test_sigterm_ends_the_process_in_order(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "appliance.db"
    path.write_bytes(sqlite_template.read_bytes())
    code = (
        "from appliance.config import Settings; from appliance.kit import logs; from appliance.server.services import process;"
        f"logs.configure(); raise SystemExit(process.main(Settings(database_url='sqlite:///{path}')))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Services started" in line:
            break
    started = kit_clock.monotonic()
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()
    assert process.wait(10) == 0, (lines, rest)
    assert kit_clock.monotonic() - started < 5
    assert "Services stopped." in rest
    process.stderr.close()
