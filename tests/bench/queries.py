"""`python -m tests.bench.queries ADDRESS [--repeats N] [--json FILE]`: how long each list, count and page takes on a large database.

ADDRESS is what `tests.bench.seed` filled. The requests go through the whole server, in this process. Prints the slowest first; the
CPU time of each, which others at work on the machine don't change as much, stands beside it.
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
from tests.bench import catalogue
from tests.bench.measure import Series, machine, percentile
from tests.integration.server_fixtures import add_token

TARGET_MS = 100.0


@dataclass
class Timed(Series):
    """Milliseconds that passed, and in `cpu` those that this process worked."""

    cpu: list[float] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        return super().document() | {"cpu": self.cpu}


def measure(url: str, repeats: int, only: str = "") -> list[Timed]:
    """Each request, after one that warms it up."""
    migrate.upgrade(url)
    database = Database(url)
    headers = {"Authorization": f"Bearer {add_token(database, 'bench')}"}
    with database.read() as session:
        asks = [ask for ask in catalogue.asks(catalogue.facts(session)) if only in ask.name]
    series = []
    with TestClient(create_app(Settings(), database)) as client:
        rest_collector()
        for ask in asks:
            one = Timed(ask.name, "ms")
            for number in range(repeats + 1):
                began, cpu = time.perf_counter(), time.process_time()
                ask.send(client, headers)
                milliseconds = (time.perf_counter() - began) * 1000
                if number > 0:
                    one.values.append(milliseconds)
                    one.cpu.append((time.process_time() - cpu) * 1000)
                if milliseconds > 5_000:
                    one.values, one.cpu = one.values or [milliseconds], one.cpu or [milliseconds]
                    break
            series.append(one)
    database.dispose()
    return sorted(series, key=lambda one: -percentile(one.values, 0.95))


def figures(series: list[Timed]) -> dict[str, Any]:
    every = [value for one in series for value in one.values]
    slow = [one.name for one in series if percentile(one.values, 0.95) > TARGET_MS]
    working = [one.name for one in series if percentile(one.cpu, 0.95) > TARGET_MS]
    return {
        "p50_ms": percentile(every, 0.5),
        "p95_ms": percentile(every, 0.95),
        "requests": len(every),
        "over_100_ms": slow,
        "over_100_ms_of_cpu": working,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.queries", description=__doc__)
    parser.add_argument("address", help="a SQLite file or a postgresql:// address")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", default="", help="only requests whose name contains this")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    url = asked.address if asked.address.startswith("postgres") else f"sqlite:///{Path(asked.address).resolve()}"
    series = measure(url, asked.repeats, asked.only)
    for one in series:
        print(f"{percentile(one.values, 0.95):9.1f} ms p95  {percentile(one.cpu, 0.95):7.1f} ms of CPU  {one.line()}")
    found = figures(series)
    print(json.dumps(machine() | {"database": url.partition(":")[0]} | found))
    if asked.json is not None:
        document = {"machine": machine(), "figures": found, "series": [one.document() for one in series]}
        asked.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
