"""`python -m tests.bench.seed ADDRESS [--runs N] [--task-runs M] [--seed S]`: fills an empty database with a large, lifelike history.

ADDRESS is a path of a SQLite file or a postgresql:// address. Indexes are kept, so that the result is what years of use would leave.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from appliance.kit import clock
from appliance.server.actions import rollups
from appliance.server.db import migrate
from appliance.server.db.session import Database, address
from appliance.server.db.writes import log_search, run_names
from tests.bench.seed_rows import COLUMNS, Row, Runs, Sizes, site

BYTES_A_TASK_RUN = 1_500
"""With its history, its log line and its share of the flow run; measured, rounded up."""
_BATCH = 1_000


class Sink(Protocol):
    """Where rows go."""

    def add(self, table: str, rows: list[Row]) -> None: ...
    def done(self) -> None: ...


class SqliteSink:
    """One transaction without a journal: when it fails, the file is thrown away."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000", "locking_mode=EXCLUSIVE"):
            self._connection.execute(f"pragma {pragma}")
        self._connection.execute("begin")

    def add(self, table: str, rows: list[Row]) -> None:
        names = COLUMNS[table].split()
        statement = f'insert into "{table}" ({",".join(names)}) values ({",".join("?" * len(names))})'
        self._connection.executemany(statement, rows)

    def done(self) -> None:
        self._connection.execute("commit")
        self._connection.execute("pragma locking_mode=NORMAL")
        self._connection.execute("pragma journal_mode=WAL")
        self._connection.close()


class PostgresSink:
    """COPY, in one transaction a call of `add`."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:"), autocommit=True)
        self._connection.execute("set timezone = 'UTC'")
        self._connection.execute("set synchronous_commit = off")

    def add(self, table: str, rows: list[Row]) -> None:
        with self._connection.cursor().copy(f'copy "{table}" ({",".join(COLUMNS[table].split())}) from stdin') as copy:
            for row in rows:
                copy.write_row(row)

    def done(self) -> None:
        self._connection.execute("vacuum analyze")  # as autovacuum does after a while
        self._connection.close()


def seed(
    url: str,
    sizes: Sizes,
    number: int = 1,
    until: datetime | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> None:
    """Fill the empty database at `url` (a SQLAlchemy address), whose tables are made first."""
    until = until or datetime.now(UTC).replace(second=0, microsecond=0)
    migrate.upgrade(url)
    dice = random.Random(number)
    sink = _sink(url)
    made = site(sizes, until, dice)
    for table in COLUMNS:
        if made.tables.get(table):
            sink.add(table, made.tables[table])
    count = 0
    for rows in Runs(made, sizes, until, dice).batches(_BATCH):
        for table in COLUMNS:
            if rows.get(table):
                sink.add(table, rows[table])
        count += len(rows["flow_run"])
        if tell is not None:
            tell(count, sizes.runs)
    sink.done()
    _index(url)


def _index(url: str) -> None:
    """What the server's own writes and services do as runs are created and report; names and logs have triggers on Postgres."""
    database, after = Database(url), UUID(int=0)
    while rollups.advance(database, clock.now()):
        pass
    if database.dialect != "sqlite":
        database.dispose()
        return
    while True:
        with database.write() as session:
            last = run_names.fill(session, after, _BATCH)
        if last is None:
            break
        after = last
    below: int | None = 2**63 - 1
    while below is not None:
        with database.write() as session:
            below = log_search.fill(session, below, _BATCH)
    database.dispose()


def _sink(url: str) -> Sink:
    return SqliteSink(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite") else PostgresSink(address(url))


def require_room(path: Path, sizes: Sizes) -> None:
    """End with a sentence when the disk is too small."""
    needed = sizes.task_runs * BYTES_A_TASK_RUN
    free = shutil.disk_usage(path).free
    if free < needed * 1.2:
        raise SystemExit(
            f"This needs about {needed / 1e9:.1f} GB and a fifth more; {path} has {free / 1e9:.1f} GB free."
        )


def bar(count: int, total: int, began: float) -> None:
    """One line that is written over again and again, or ten lines where there is no terminal."""
    share, seconds = count / total, time.monotonic() - began
    text = f"[{'#' * int(share * 40):<40}] {share:6.1%}  {count:,} runs  {seconds:.0f} s, {seconds / share * (1 - share):.0f} s to go"
    if sys.stderr.isatty():
        print(f"\r{text}", end="\n" if count == total else "", file=sys.stderr, flush=True)
    elif count == total or int(share * 20) > int((count - _BATCH) / total * 20):
        print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.seed", description=__doc__)
    parser.add_argument("address", help="a file to make, or a postgresql:// address of an empty database")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--task-runs", type=int, default=10_000_000)
    parser.add_argument("--logs", type=float, default=1.0, help="log lines for each task run (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until", type=datetime.fromisoformat, help="the newest moment, with an offset (default now)")
    asked = parser.parse_args()
    sizes = Sizes(asked.runs, asked.task_runs, asked.logs)
    postgres = asked.address.startswith("postgres")
    if not postgres:
        path = Path(asked.address).resolve()
        if path.exists():
            raise SystemExit(f"{path} exists already; name a file that is to be made.")
        require_room(path.parent, sizes)
    began = time.monotonic()
    seed(
        asked.address if postgres else f"sqlite:///{path}",
        sizes,
        asked.seed,
        asked.until,
        lambda count, total: bar(count, total, began),
    )
    figures: dict[str, Any] = {
        "seconds": round(time.monotonic() - began, 1),
        "runs": sizes.runs,
        "task_runs": sizes.task_runs,
    }
    if not postgres:
        figures["bytes"] = path.stat().st_size
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
