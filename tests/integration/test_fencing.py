"""A process that lost its lease in the middle of a round writes nothing more."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from appliance.server.actions import leases
from appliance.server.db.session import Database
from appliance.server.services import process as run
from tests.integration.builders import rows
from tests.integration.conftest import StoppedClock


class Writing:
    """Notes who has done step 1 and step 2 of the work; `between` happens in the middle of its round."""

    name = "writing"
    interval = 1.0

    def __init__(self, db: Database, who: str) -> None:
        self.db, self.who = db, who
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def run_once(self, now: datetime) -> dict[str, int]:
        self._note(1)
        self.reached.set()
        assert self.go_on.wait(30)
        self._note(2)
        return {"done": 2}

    def _note(self, step: int) -> None:
        with self.db.write("writing") as session:
            values = {"name": f"{self.who}-{step}"}
            session.execute(
                text("insert into setting (name, value, updated) values (:name, '1', current_timestamp)"), values
            )


def noted(db: Database) -> list[str]:
    return sorted(row["name"] for row in rows(db, "select name from setting"))


def test_a_round_that_was_taken_over_is_refused_its_next_write(
    database: Database, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = Writing(database, "first"), Writing(database, "second")
    one.go_on.clear()
    first, second = run.Rounds(one, database, "a"), run.Rounds(two, database, "b")
    stopped = threading.Thread(target=first)
    stopped.start()
    assert one.reached.wait(10)
    second()
    assert noted(database) == ["first-1"], "the lease is still held"
    clock.move(60)
    second()
    with caplog.at_level(logging.ERROR):
        one.go_on.set()
        stopped.join(10)
    assert noted(database) == ["first-1", "second-1", "second-2"]
    assert (first.failures, second.failures) == (1, 0)
    assert "Another process does the work of the writing now" in caplog.text
    row = leases.find(database, "writing")
    assert row is not None and (row.holder, row.epoch) == ("b", 2)


def test_a_lease_lasts_through_a_long_round(database: Database, clock: StoppedClock) -> None:
    one, two = Writing(database, "first"), Writing(database, "second")
    one.go_on.clear()
    first, second = run.Rounds(one, database, "a"), run.Rounds(two, database, "b")
    working = threading.Thread(target=first)
    working.start()
    assert one.reached.wait(10)
    for _ in range(5):
        clock.move(10)
        first._taken = -1e9
        first.prolong()
        second()
    one.go_on.set()
    working.join(10)
    assert noted(database) == ["first-1", "first-2"]
    assert first.failures == 0


def test_a_lease_that_was_taken_over_between_two_rounds_is_noticed_by_the_first_write(
    database: Database, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The holder believes that it still has it: its clock was moved, or it was suspended."""
    first, second = (run.Rounds(Writing(database, who), database, who) for who in ("first", "second"))
    first()
    clock.move(60)
    second()
    done = noted(database)
    with caplog.at_level(logging.ERROR):
        first()
    assert "Another process does the work of the writing now" in caplog.text
    assert (first.failures, noted(database)) == (1, done)
    first()
    assert first.failures == 0, "it asked for the lease, and another process has it"
    row = leases.find(database, "writing")
    assert row is not None and (row.holder, row.epoch) == ("second", 2)


def test_outside_of_rounds_nothing_is_fenced(database: Database) -> None:
    service = Writing(database, "nobody")
    service.run_once(datetime.now(UTC))
    assert noted(database) == ["nobody-1", "nobody-2"]


STOPPED = """
import sys
from appliance.server.db.session import Database
from appliance.server.services import process as run
from tests.integration.test_fencing import Writing

db = Database(sys.argv[1])
service = Writing(db, sys.argv[2])
run._LEAST_LEASE = 1.0
service.interval = 0.3
rounds = run.Rounds(service, db, sys.argv[2])
service.go_on.clear()
def wait():
    service.reached.wait()
    print("reached", flush=True)
    sys.stdin.readline()
    service.go_on.set()
import threading
threading.Thread(target=wait, daemon=True).start()
rounds()
print("failures", rounds.failures, flush=True)
"""


def test_a_stopped_process_comes_back_to_a_lost_lease(database: Database, database_url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, database_url, "stopped"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "reached\n"
    process.send_signal(signal.SIGSTOP)
    other = run.Rounds(Writing(database, "other"), database, "other")
    nap = threading.Event()
    for _ in range(100):
        other()
        if len(noted(database)) == 3:
            break
        nap.wait(0.1)
    process.send_signal(signal.SIGCONT)
    output, errors = process.communicate("go on\n", timeout=20)
    assert output == "failures 1\n", errors
    assert "Another process does the work" in errors
    assert noted(database) == ["other-1", "other-2", "stopped-1"]
    other()
    assert other.failures == 1, "its notes are there already; only the lease is of interest here"


def test_a_lease_of_a_clock_that_was_set_back_keeps_nobody_out(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder dies while its clock is an hour ahead. Others wait for as long as a lease lasts, by their own watch, and take over; a
    holder that lives renews it meanwhile."""
    passed = [0.0]
    monkeypatch.setattr(run.clock, "monotonic", lambda: passed[0])
    one, two = Writing(database, "first"), Writing(database, "second")
    first, second = run.Rounds(one, database, "a"), run.Rounds(two, database, "b")
    clock.move(3600)
    first()
    clock.move(-3600)
    second()
    passed[0] += 14
    second()
    clock.move(3600)
    leases.acquire(database, "writing", "a", 15.0, now=clock.move(1))
    clock.move(-3601)
    passed[0] += 14
    second()
    assert noted(database) == ["first-1", "first-2"], "it was renewed"
    passed[0] += 15
    second()
    assert noted(database) == ["first-1", "first-2", "second-1", "second-2"]
    row = leases.find(database, "writing")
    assert row is not None and (row.holder, row.epoch) == ("b", 2)
    assert row.expires <= clock() + timedelta(seconds=15)
