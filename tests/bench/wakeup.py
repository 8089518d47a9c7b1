"""`python -m tests.bench.wakeup [--runs N] [--json FILE]`: from the commit of a new run to the answer that a waiting agent gets.

SQLite: one server, which makes the run itself. Postgres: two gunicorn workers, and another process makes the run. The measure is one
HTTP round trip of the same client to the same server. The agent's answer holds a claim, which is a durable commit of its own: what a
small one costs on this disk at this moment is measured in between, for a busy disk makes up most of the time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from appliance.config import Settings
from appliance.server.actions import leases, setup
from appliance.server.app import create_app
from appliance.server.db.session import Database
from tests.bench import databases
from tests.bench.ingestion import Client
from tests.bench.measure import machine, percentile
from tests.integration import builders
from tests.integration.live import TOKEN, LiveServer
from tests.integration.server_fixtures import listening

TARGET_MS = 20.0
ROUNDS = 5
_AT_WORK = 0.05
"""Seconds that a request gets to reach the server and wait there. Sent before the run is made, it can only wait too long."""


class Waiting:
    """An agent's claim in a thread of its own, and when it was answered."""

    def __init__(self, client: Client, agent: UUID) -> None:
        self._asked = {"free_slots": 1, "wait_s": 20, "labels": []}
        self._client, self._path = client, f"/agents/{agent}/claim"
        self.answered = 0.0
        self.work: list[Any] = []
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        self.work = self._client.post(self._path, self._asked)["work"]
        self.answered = time.perf_counter()

    def result(self) -> float:
        self._thread.join()
        return self.answered


def wake_ups(db: Database, client: Client, runs: int) -> list[float]:
    """Milliseconds from each commit to the answer."""
    commits: list[float] = []
    db.on_commit(lambda _announcements: commits.append(time.perf_counter()))
    flow, agent = builders.register(db).flow_id, builders.enrol(db)
    found = []
    for _ in range(runs):
        waiting = Waiting(client, agent)
        time.sleep(_AT_WORK)
        commits.clear()
        builders.create(db, flow)
        committed = commits[0]
        answered = waiting.result()
        assert len(waiting.work) == 1
        found.append((answered - committed) * 1000)
    return found


def round_trips(client: Client, number: int) -> list[float]:
    """Milliseconds of a request that is known, let in and answered from the database."""
    found = []
    for _ in range(number):
        began = time.perf_counter()
        client.get("/agents")
        found.append((time.perf_counter() - began) * 1000)
    return found


def small_commits(db: Database, number: int) -> list[float]:
    """Milliseconds of a transaction of one statement."""
    found = []
    for _ in range(number):
        began = time.perf_counter()
        leases.acquire(db, "bench", "bench", 60)
        found.append((time.perf_counter() - began) * 1000)
    return found


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[Database, str]]:
    """A server in this process: its database and its address."""
    with databases.sqlite(folder / "appliance.db") as db:
        setup.ensure_admin(db, "", TOKEN)
        with listening(create_app(Settings(), db)) as url:
            yield db, url


@contextmanager
def postgres(folder: Path, workers: int = 2) -> Iterator[tuple[Database, str]]:
    """A server of several processes."""
    with databases.postgres_server() as server, databases.postgres(server) as db:
        site = LiveServer(
            folder / "postgres",
            APPLIANCE_DATABASE_URL=db.engine.url.render_as_string(hide_password=False),
            APPLIANCE_WORKERS=str(workers),
        )
        site.start()
        try:
            yield db, site.url
        finally:
            site.stop()


def measure(name: str, site: tuple[Database, str], runs: int) -> dict[str, Any]:
    db, url = site
    agent, person = Client(url), Client(url)
    trips, commits, found = [], [], []
    for _ in range(ROUNDS):
        trips += round_trips(person, runs // ROUNDS)
        commits += small_commits(db, runs // ROUNDS)
        found += wake_ups(db, agent, runs // ROUNDS)
    agent.close()
    person.close()
    median, trip, commit = statistics.median(found), statistics.median(trips), statistics.median(commits)
    figures = {
        "median_ms": median,
        "p95_ms": percentile(found, 0.95),
        "commit_ms": commit,
        "round_trip_ms": trip,
        "ratio_to_round_trip": median / trip,
        "ratio_to_both": median / (trip + commit),
    }
    verdict = "within" if median <= TARGET_MS else "over"
    print(f"{name:<24}" + "".join(f" {key} {value:.2f}" for key, value in figures.items()) + f"  {verdict} the target")
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.wakeup", description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        found = machine() | {"target_ms": TARGET_MS}
        found["sqlite"] = measure("SQLite, one process", stack.enter_context(sqlite(folder)), asked.runs)
        found["postgres"] = measure("Postgres, two workers", stack.enter_context(postgres(folder)), asked.runs)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
