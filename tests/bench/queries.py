"""`python -m tests.bench.queries ADDRESS [--repeats N] [--json FILE]`: how long each list, count and page takes on a large database.

ADDRESS is what `tests.bench.seed` filled. The requests go through the whole server, in this process. Prints the slowest first; beside each its
CPU time, of this process and of Postgres' connections, which others at work on the machine don't change as much, and its floor: the CPU time of
the same statements in the driver's hands, of the same answer as JSON, and of a request that reads nothing, in the same run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import current_thread
from typing import Any

import msgspec
from litestar.testing import TestClient
from sqlalchemy import event

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
_EMPTY = {True: catalogue.Ask("empty", query="{ __typename }"), False: catalogue.Ask("empty", "/livez")}
"""The request that reads nothing, by whether it goes to GraphQL."""


@dataclass
class Timed(Series):
    """Milliseconds that passed, and in `cpu` those that this process worked and, on Postgres, the connections' processes."""

    cpu: list[float] = field(default_factory=list)
    floor: float = 0.0
    """Milliseconds of CPU that such an answer takes at least."""

    def document(self) -> dict[str, object]:
        return super().document() | {"cpu": self.cpu, "floor": self.floor}


@dataclass
class Made:
    """What an answer was made of."""

    statements: list[tuple[str, Any]] = field(default_factory=list)
    document: Any = None

    def again(self, connection: Any) -> None:
        """Read and encode the same without a server."""
        for statement, values in self.statements:
            connection.execute(statement, values).fetchall()
        msgspec.json.encode(self.document)


def measure(url: str, repeats: int, only: str = "") -> list[Timed]:
    """Each request, after one that warms it up."""
    migrate.upgrade(url)
    database = Database(url)
    headers = {"Authorization": f"Bearer {add_token(database, 'bench')}"}
    unhurried = Database(url, patience=None)  # what to ask for is found by reading whole tables
    with unhurried.read() as session:
        asks = [ask for ask in catalogue.asks(catalogue.facts(session)) if only in ask.name]
    unhurried.dispose()
    made = _made(url, asks, headers)
    series = []
    with TestClient(create_app(Settings(), database)) as client:
        client.post("/graphql", json={"query": "{ __typename }"}, headers=headers).raise_for_status()  # loads it
        rest_collector()
        empty = {
            kind: percentile(_timed(ask.name, database, repeats, partial(ask.send, client, headers)).cpu, 0.5)
            for kind, ask in _EMPTY.items()
        }
        with database.connect() as connection:
            driver = connection.connection.dbapi_connection
            for ask in asks:
                one = _timed(ask.name, database, repeats, partial(ask.send, client, headers))
                least = _timed(ask.name, database, repeats, partial(made[ask.name].again, driver))
                one.floor = percentile(least.cpu, 0.5) + empty[ask.query is not None]
                series.append(one)
    database.dispose()
    return sorted(series, key=lambda one: -percentile(one.values, 0.95))


def _timed(name: str, database: Database, repeats: int, act: Callable[[], object]) -> Timed:
    """An act, after one that warms it up; once if that takes more than 5 seconds."""
    one, worked = Timed(name, "ms"), Worked(database)
    for number in range(repeats + 1):
        cpu, began = worked(), time.perf_counter()
        act()
        milliseconds = (time.perf_counter() - began) * 1000
        work = (worked() - cpu) * 1000
        if number > 0:
            one.values.append(milliseconds)
            one.cpu.append(work)
        if milliseconds > 5_000:
            one.values, one.cpu = one.values or [milliseconds], one.cpu or [work]
            break
        worked = worked if number else Worked(database)  # the first may have opened a connection
    return one


def _made(url: str, asks: list[catalogue.Ask], headers: dict[str, str]) -> dict[str, Made]:
    """What each request reads, and its answer; with a database of its own, since one that is listened to is slower from then on."""
    database, made = Database(url), {ask.name: Made() for ask in asks}
    current = Made()

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if current_thread().name != "broadcast" and statement.lstrip("( ")[:4].upper() in ("SELE", "WITH"):
            current.statements.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    with TestClient(create_app(Settings(), database)) as client:
        for ask in asks:
            current = made[ask.name]
            answer = ask.send(client, headers)
            is_json = answer.headers["content-type"].startswith("application/json")
            current.document = answer.json() if is_json else answer.text
    database.dispose()
    return made


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
        "p95_ms_at_least": percentile([one.floor for one in series], 0.95),
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
        wall, work = percentile(one.values, 0.95), percentile(one.cpu, 0.95)
        print(f"{wall:9.1f} ms p95  {work:7.1f} ms of CPU  {one.floor:7.1f} ms at least  {one.line()}")
    found = figures(series)
    url = databases.url_of(asked.address)
    print(json.dumps(machine() | {"database": url.partition(":")[0]} | found))
    if asked.json is not None:
        document = {"machine": machine(), "figures": found, "series": [one.document() for one in series]}
        asked.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
