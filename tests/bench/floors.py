"""What this machine and Python allow, measured in the same run as the rest."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import create_engine, text


def interpreter_ms() -> float:
    """Milliseconds to start and end an interpreter that does nothing."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
    return (time.perf_counter() - began) * 1000


def commit_ms(folder: Path, rows: int = 1) -> float:
    """Milliseconds of one commit of so many rows, WAL and synchronous=FULL."""
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma synchronous=full")
    database.execute("create table if not exists t (x integer)")
    began = time.perf_counter()
    for number in range(50):
        database.execute("begin")
        database.executemany("insert into t values (?)", [(number,)] * rows)
        database.execute("commit")
    elapsed = time.perf_counter() - began
    database.close()
    return elapsed / 50 * 1000


def postgres_commits(url: str, connections: int) -> float:
    """Single-row commits a second of so many connections at once."""
    engine = create_engine(url, pool_size=connections)
    insert = text("insert into floor values (1)")
    with engine.begin() as connection:
        connection.execute(text("create table if not exists floor (x integer)"))

    def commit(_number: int) -> None:
        with engine.begin() as connection:
            connection.execute(insert)

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(commit, range(4 * connections)))
        began = time.perf_counter()
        list(pool.map(commit, range(200 * connections)))
        elapsed = time.perf_counter() - began
    engine.dispose()
    return 200 * connections / elapsed
