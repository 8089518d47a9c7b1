"""`python -m tests.bench.scheduling [--active N] [--due N] [--profile]`: what a round of the scheduler costs with many schedules.

Ten thousand active schedules with nothing due, then five thousand of them due in the same second. The floor is one insert of as many
rows as the runs have (run, state, event) with stdlib sqlite3. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from appliance.kit import ids
from appliance.server.db.bulk import BulkInsert
from appliance.server.db.session import _PRAGMAS, Database
from appliance.server.db.tables import metadata
from appliance.server.services.scheduler import Scheduler
from tests.bench import databases
from tests.bench.ingestion import profiled
from tests.bench.measure import machine
from tests.integration import builders

NOW = datetime(2026, 3, 2, 8, 0, 0, 1, tzinfo=UTC)
_FLOWS = 100


def fill(database: Database, active: int, due: int) -> None:
    """Schedules that are planned ahead: `due` of them have a next look at NOW, as when the runs of one minute past eight are all due."""
    flows = [builders.register(database, f"flow-{number}").flow_id for number in range(_FLOWS)]
    rows: list[dict[str, Any]] = []
    for number in range(active):
        hourly = {"kind": "cron", "cron": "0 * * * *", "timezone": "UTC"}
        later = NOW.replace(microsecond=0) + timedelta(hours=5)
        row = {
            "id": ids.uuid7(),
            "flow_id": flows[number % _FLOWS],
            "kind": "cron",
            "document": hourly,
            "timezone": "UTC",
        }
        row |= {
            "parameters": {},
            "labels": [],
            "active": True,
            "catch_up": "latest",
            "catch_up_cap": 100,
            "overlap": "allow",
        }
        row |= {"catch_up_window": None, "origin": "ui", "version": 1, "created": NOW, "updated": NOW}
        row |= {
            "scheduled_until": NOW - timedelta(hours=1) if number < due else later,
            "plan_at": NOW if number < due else later,
        }
        rows.append(row)
    with database.write() as session:
        BulkInsert(metadata.tables["schedule"])(session.connection(), rows)


def floor_seconds(source: Path, target: Path) -> float:
    """Insert the runs, states and events of `source` with the standard library in one transaction."""
    with databases.sqlite(target):
        pass
    write = sqlite3.connect(target, isolation_level=None)
    for pragma in (*_PRAGMAS, "foreign_keys=OFF"):
        write.execute(f"pragma {pragma}")
    read = sqlite3.connect(source)
    tables = {
        name: read.execute(f"select * from {name}").fetchall() for name in ("flow_run", "flow_run_state", "event")
    }
    began = time.perf_counter()
    write.execute("begin immediate")
    for name, rows in tables.items():
        write.executemany(f"insert or ignore into {name} values ({','.join('?' * len(rows[0]))})", rows)
    write.execute("commit")
    seconds = time.perf_counter() - began
    write.close()
    read.close()
    return seconds


def measure(folder: Path, active: int, due: int) -> dict[str, float]:
    path = folder / "scheduling.db"
    with databases.sqlite(path) as database:
        fill(database, active, due)
        scheduler = Scheduler(database)
        began, cpu = time.perf_counter(), time.process_time()
        counts = scheduler.run_once(NOW)
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        assert counts["schedules"] == due, counts
        quiet = []
        for number in range(20):
            began = time.perf_counter()
            assert scheduler.run_once(NOW + timedelta(milliseconds=number))["schedules"] == 0
            quiet.append((time.perf_counter() - began) * 1000)
        with database.read() as session:
            runs = session.execute(text("select count(*) from flow_run")).scalar_one()
    floor = floor_seconds(path, folder / "floor.db")
    return {
        "active": active,
        "due": due,
        "runs_created": runs,
        "quiet_tick_ms": sorted(quiet)[len(quiet) // 2],
        "due_tick_seconds": seconds,
        "due_tick_cpu_seconds": used,
        "floor_seconds": floor,
        "times_the_floor": seconds / floor,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scheduling", description=__doc__)
    parser.add_argument("--active", type=int, default=10_000)
    parser.add_argument("--due", type=int, default=5_000)
    parser.add_argument("--profile", action="store_true", help="show where the time of the round goes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        if asked.profile:
            with databases.sqlite(Path(name) / "profile.db") as database:
                fill(database, asked.active, asked.due)
                profiled(lambda: Scheduler(database).run_once(NOW))
            return 0
        print(json.dumps(machine() | measure(Path(name), asked.active, asked.due)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
