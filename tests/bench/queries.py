"""`python -m tests.bench.queries ADDRESS [--repeats N] [--json FILE]`: how long each list, count and page takes on a large database.

ADDRESS is what `tests.bench.seed` filled. The requests go through the whole server, in this process. Prints the slowest first; the
CPU time of each, of this process and of Postgres' connections, which others at work on the machine don't change as much, stands beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from appliance.config import Settings
from appliance.server.app import create_app
from appliance.server.asgi import rest_collector
from appliance.server.db import migrate
from appliance.server.db.session import Database
from tests.bench import catalogue, databases
from tests.bench.databases import Worked
from tests.bench.measure import Series, machine, percentile
from tests.integration.server_fixtures import add_token

TARGET_MS = 50.0


@dataclass
class Timed(Series):
    """Milliseconds that passed, and in `cpu` those that this process worked and, on Postgres, the connections' processes."""

    cpu: list[float] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        return super().document() | {"cpu": self.cpu}


def measure(url: str, repeats: int, only: str = "") -> list[Timed]:
    """Each request, after one that warms it up."""
    migrate.upgrade(url)
    database = Database(url)
    headers = {"Authorization": f"Bearer {add_token(database, 'bench')}"}
    unhurried = Database(url, patience=None)  # what to ask for is found by reading whole tables
    with unhurried.read() as session:
        asks = [ask for ask in catalogue.asks(catalogue.facts(session)) if only in ask.name]
    unhurried.dispose()
    series = []
    with TestClient(create_app(Settings(), database)) as client:
        client.post("/graphql", json={"query": "{ __typename }"}, headers=headers).raise_for_status()  # loads it
        rest_collector()
        for ask in asks:
            one, worked = Timed(ask.name, "ms"), Worked(database)
            for number in range(repeats + 1):
                cpu, began = worked(), time.perf_counter()
                ask.send(client, headers)
                milliseconds = (time.perf_counter() - began) * 1000
                work = (worked() - cpu) * 1000
                if number > 0:
                    one.values.append(milliseconds)
                    one.cpu.append(work)
                if milliseconds > 5_000:
                    one.values, one.cpu = one.values or [milliseconds], one.cpu or [work]
                    break
                worked = worked if number else Worked(database)  # the first may have opened a connection
            series.append(one)
    database.dispose()
    return sorted(series, key=lambda one: -percentile(one.values, 0.95))


def figures(series: list[Timed]) -> dict[str, Any]:
    every = [value for one in series for value in one.values]
    slow = [one.name for one in series if percentile(one.values, 0.95) > TARGET_MS]
    working = [one.name for one in series if percentile(one.cpu, 0.95) > TARGET_MS]
    work = [value for one in series for value in one.cpu]
    return {
        "p50_ms": percentile(every, 0.5),
        "p95_ms": percentile(every, 0.95),
        "p50_ms_of_cpu": percentile(work, 0.5),
        "p95_ms_of_cpu": percentile(work, 0.95),
        "requests": len(every),
        f"over_{TARGET_MS:.0f}_ms": slow,
        f"over_{TARGET_MS:.0f}_ms_of_cpu": working,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.queries", description=__doc__)
    parser.add_argument("address", help="a SQLite file or a postgresql:// address")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", default="", help="only requests whose name contains this")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    series = measure(databases.url_of(asked.address), asked.repeats, asked.only)
    for one in series:
        print(f"{percentile(one.values, 0.95):9.1f} ms p95  {percentile(one.cpu, 0.95):7.1f} ms of CPU  {one.line()}")
    found = figures(series)
    url = databases.url_of(asked.address)
    print(json.dumps(machine() | {"database": url.partition(":")[0]} | found))
    if asked.json is not None:
        document = {"machine": machine(), "figures": found, "series": [one.document() for one in series]}
        asked.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
