"""`python -m tests.bench.logsearch [ADDRESS] [--lines N] [--repeats R] [--postgres] [--cost-lines N] [--json FILE]`: how long searches in the log
lines of all runs take, and what their index costs.

The lines are stored as reports store them, in batches of 500. The searches go through the whole server, in this process. What the index
costs is the CPU time of storing the same lines with and without it: of this process, and on Postgres of its processes, too. The database
at ADDRESS stays, so that the next measurement finds the lines there.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from litestar.testing import TestClient
from sqlalchemy import text

from appliance.config import Settings
from appliance.server.actions import log_search
from appliance.server.app import create_app
from appliance.server.asgi import rest_collector
from appliance.server.db.reads import users
from appliance.server.db.rows.logs import NewLog
from appliance.server.db.session import Database
from appliance.server.db.writes import logs
from tests.bench import databases
from tests.bench.databases import Worked
from tests.bench.measure import machine, percentile
from tests.bench.queries import Timed
from tests.integration import builders
from tests.integration.server_fixtures import add_token, add_user

TARGET_MS = 300.0
BATCH = 500
_START = datetime(2026, 3, 2, tzinfo=UTC)
_TABLES = [
    f"{area}_{noun}" for area in ("sales", "stock", "staff", "web") for noun in ("orders", "items", "days", "sums")
]
SEARCHES = {
    "a rare word": "text=needle+",
    "the beginning of a rare word": "text=needl",
    "two words": "text=connection+refused+",
    "two common words": "text=rows+wrote+",
    "a common word": "text=rows+",
    "the beginning of common words": "text=ro",
    "one letter": "text=t",
    "the beginning of many rare words": "text=job1",
    "a word and a beginning": "text=orders+batc",
    "a word that was common once": "text=legacy+",
    "its beginning": "text=legac",
    "a common word, a rare flow": "text=rows+&flow=rare",
    "a common beginning, a rare flow": "text=row&flow=rare",
    "a common word, a rare level": "text=rows+&level=critical",
    "no hit": "text=zzzzqqqq+",
    "no hit, as a beginning": "text=zzzzqqqq",
    "two words that never meet": "text=rows+refused+",
}


def messages(number: int, count: int, dice: random.Random) -> str:
    """The text of one of `count` lines."""
    table, rows = dice.choice(_TABLES), dice.randrange(5_000)
    if number % 100_003 == 77:
        return f"Found the needle in {table}"
    if number < count // 5 and number % 2:
        return f"legacy import of {table} took {rows} ms"
    kind = dice.random()
    if kind < 0.4:
        return f"Wrote {rows} rows to {table} in {dice.randrange(900)} ms"
    if kind < 0.7:
        return f"Task load: finished batch {dice.randrange(10**7)} of {table}"
    if kind < 0.95:
        return f"Started job{dice.randrange(10**6)} for https://example.com/api/v2/{table}?page={rows}"
    if kind < 0.999:
        return f"Retrying {table} after {rows} ms: timeout of worker-{dice.randrange(64)}"
    return f"Connection refused by 10.0.{dice.randrange(256)}.{dice.randrange(256)}:5432"


def lines(runs: list[UUID], count: int) -> Iterator[list[NewLog]]:
    """Batches; every thousandth is of the last run."""
    dice = random.Random(7)
    for start in range(0, count, BATCH):
        batch = start // BATCH
        run = runs[-1] if batch % 1_000 == 500 else runs[batch % (len(runs) - 1)]
        yield [
            NewLog(
                flow_run_id=run,
                task_slug="load-1",
                map_index=-1,
                at=_START + timedelta(milliseconds=10 * number),
                level=20 if number % 50 else 40,
                logger="appliance.run.load",
                message=messages(number, count, dice),
            )
            for number in range(start, min(start + BATCH, count))
        ]


def runs_of(database: Database) -> list[UUID]:
    """Runs of some flows, and of one called `rare`."""
    flows = [
        builders.register(database, name).flow_id for name in (*(f"flow-{number}" for number in range(20)), "rare")
    ]
    return [builders.create(database, flow, name=f"run-{number}") for number, flow in enumerate(flows)]


def store(database: Database, count: int) -> None:
    """Many batches in one transaction: what is measured is the searches."""
    batches = lines(runs_of(database), count)
    while some := list(islice(batches, 100)):
        with database.write() as session:
            for batch in some:
                logs.add(session, batch)
    followed(database)
    if database.dialect == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum analyze")


@contextmanager
def without_index(database: Database) -> Iterator[None]:
    """In this block, lines are stored as before there was the index."""
    if database.dialect == "sqlite":  # the service follows later
        yield
        return
    for verb in ("disable", "enable"):
        with database.write() as session:
            session.execute(text(f"alter table log {verb} trigger user"))
        if verb == "disable":
            yield


def followed(database: Database) -> None:
    """Let SQLite's index have all lines, as the service does after a few seconds."""
    while log_search.follow(database):
        pass


def cost(database: Database, count: int) -> dict[str, float]:
    """Microseconds of CPU for a line, with and without the index, in turns of twenty batches."""
    batches, spent = lines(runs_of(database), 2 * count), {"with": 0.0, "without": 0.0}
    turn, name = list(islice(batches, 20)), "with"
    while turn:
        with without_index(database) if name == "without" else nullcontext():
            worked = Worked(database)
            before = worked()
            for batch in turn:
                with database.write() as session:
                    logs.add(session, batch)
            if name == "with":
                followed(database)
            spent[name] += worked() - before
        followed(database)
        turn, name = list(islice(batches, 20)), "without" if name == "with" else "with"
    return {f"us_a_line_{name}_index": round(seconds / count * 1e6, 1) for name, seconds in spent.items()}


def search(database: Database, repeats: int) -> list[Timed]:
    """Each search, after one that warms it up."""
    with database.read() as session:
        known = users.by_username(session, "bench")
    if known is None:
        add_user(database, "bench", "viewer")
    headers, series = {"Authorization": f"Bearer {add_token(database, 'bench')}"}, []
    with TestClient(create_app(Settings(), database)) as client:
        rest_collector()
        for name, query in SEARCHES.items():
            one = Timed(name, "ms")
            worked = Worked(database)
            for number in range(repeats + 1):
                began, before = time.perf_counter(), worked()
                answer = client.get(f"/api/v1/logs?{query}", headers=headers)
                assert answer.status_code == 200, (name, answer.text[:300])
                if number > 0:
                    one.values.append((time.perf_counter() - began) * 1000)
                    one.cpu.append((worked() - before) * 1000)
                worked = worked if number else Worked(database)
            one.name = f"{name} ({len(answer.json()['items'])} lines{', more' if answer.json()['next'] else ''})"
            series.append(one)
    return series


def size(database: Database) -> dict[str, float]:
    """The number of lines and the bytes of their index."""
    queries = {
        "sqlite": "select (select sum(length(block)) from log_search_data) + (select 8 * count(*) from log_search_docsize)",
        "postgresql": "select pg_total_relation_size('log_search')",
    }
    with database.read() as session:
        found = session.execute(text(queries[database.dialect])).scalar_one()
        rows = session.execute(text("select count(*) from log")).scalar_one()
    return {"lines": rows, "index_bytes_a_line": round(float(found) / rows, 1)}


def fill(database: Database, count: int, most_for_cost: int) -> dict[str, float]:
    """Store the lines, after measuring on an empty database what that costs; nothing if there are lines."""
    with database.read() as session:
        if session.execute(text("select id from log limit 1")).first() is not None:
            return {}
    spent = cost(database, min(count, most_for_cost))
    with database.write() as session:
        session.execute(text("delete from log_search"))
        session.execute(text("delete from log"))
    store(database, count)
    return spent


def measure(database: Database, count: int, repeats: int, most_for_cost: int) -> dict[str, Any]:
    spent = fill(database, count, most_for_cost)
    series = search(database, repeats)
    for one in series:
        print(f"{percentile(one.values, 0.95):9.1f} ms p95  {percentile(one.cpu, 0.95):7.1f} ms of CPU  {one.line()}")
    every = [value for one in series for value in one.values]
    return {
        **spent,
        **size(database),
        "p50_ms": percentile(every, 0.5),
        "p95_ms": percentile(every, 0.95),
        f"over_{TARGET_MS:.0f}_ms": [one.name for one in series if percentile(one.values, 0.95) > TARGET_MS],
        "series": [one.document() for one in series],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.logsearch", description=__doc__)
    parser.add_argument("address", nargs="?", help="a SQLite file or postgresql:// address to keep the lines in")
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--cost-lines", type=int, default=100_000, help="how many lines to measure the cost with")
    parser.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with ExitStack() as stack:
        if asked.address:
            database = stack.enter_context(databases.at(asked.address))
        elif asked.postgres:
            database = stack.enter_context(databases.postgres(stack.enter_context(databases.postgres_server())))
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="appliance-bench-")))
            database = stack.enter_context(databases.sqlite(folder / "appliance.db"))
        found = measure(database, asked.lines, asked.repeats, asked.cost_lines)
    document = machine() | {"database": database.dialect} | found
    print(json.dumps({name: value for name, value in document.items() if name != "series"}))
    if asked.json is not None:
        asked.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
