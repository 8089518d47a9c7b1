"""How fast retention deletes, and what a writer beside it notices: python -m tests.bench.retention [runs] [task runs of each]."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from appliance.kit import clock, ids
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import leases, rollups
from appliance.server.actions import run_protocol as attempts
from appliance.server.actions.retention import Sweep
from appliance.server.db import migrate
from appliance.server.db.session import Database
from appliance.server.db.writes import logs, task_runs
from appliance.server.domain.retention import Keep
from tests.integration import builders


def main(runs: int = 400, tasks: int = 100) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'appliance.db'}"
        migrate.upgrade(url)
        db, other = Database(url), Database(url)
        _seed(db, runs, tasks)
        alone = _writer(other, threading.Event(), seconds=3.0)
        stop, beside = threading.Event(), list[float]()
        thread = threading.Thread(target=lambda: beside.extend(_writer(other, stop, seconds=600.0)))
        rows = _rows(db)
        thread.start()
        began = time.perf_counter()
        Sweep(db, Keep(runs_days=1), clock.now() + timedelta(days=2), seconds=600.0).run()
        took = time.perf_counter() - began
        stop.set()
        thread.join()
        gone = rows - _rows(db)
        print(f"deleted {gone} rows in {took:.1f} s: {gone / took:.0f} rows/s with pauses and a writer beside")
        print(f"a writer, commits/s and ms: alone {_told(alone)}; beside {_told(beside)}")
        db.dispose()
        other.dispose()


def _told(latencies: list[float]) -> str:
    ordered = sorted(latencies)
    at = [1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99, 1.0)]
    return f"{len(ordered) / sum(ordered):.0f}/s p50 {at[0]:.1f} p99 {at[1]:.1f} max {at[2]:.1f}"


def _writer(db: Database, stop: threading.Event, seconds: float) -> list[float]:
    """One small commit after the other, with 5 ms between them."""
    found, end = [], time.monotonic() + seconds
    while not stop.wait(0.005) and time.monotonic() < end:
        began = time.perf_counter()
        leases.acquire(db, "bench", "bench", 60.0)
        found.append(time.perf_counter() - began)
    return found


def _rows(db: Database) -> int:
    tables = ("flow_run", "flow_run_state", "task_run", "task_run_state", "log")
    with db.read() as session:
        return sum(session.execute(text(f"select count(*) from {table}")).scalar_one() for table in tables)


def _seed(db: Database, runs: int, tasks: int) -> None:
    agent, flow = builders.enrol(db, capacity=10_000), builders.register(db).flow_id
    for _ in range(runs):
        run = builders.create(db, flow)
        builders.claim(db, agent)
        attempts.begin(db, builders.RUN, run, Begin(attempt=1))
        _tasks(db, run, tasks)
        builders.send(db, run, 1, builders.flow("SUCCESS", "Success"))
    while rollups.advance(db, clock.now()):
        pass


def _tasks(db: Database, run: UUID, number: int) -> None:
    now = clock.now()
    state = {"type": "SUCCESS", "name": "Success", "message": "", "data": None, "at": now, "attempt": 1}
    common = {"flow_run_id": run, "task_slug": "load-1", "name": "load", "tags": [], "version": 2, "attempt": 1}
    common |= {f"state_{key}": value for key, value in state.items() if key != "attempt"} | {"created": now}
    rows = [common | {"id": ids.uuid7(), "map_index": index, "run_count": 1} for index in range(number)]
    states = [state | {"task_run_id": row["id"], "version": version} for row in rows for version in (1, 2)]
    line = {
        "flow_run_id": run,
        "task_slug": "load-1",
        "at": now,
        "level": 20,
        "logger": "flow",
        "message": "done " * 12,
    }
    with db.write() as session:
        task_runs.store(session, rows, [], states)
        logs.add(session, [line | {"map_index": index} for index in range(number)])


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
