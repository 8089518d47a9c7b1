"""What this machine and Python allow, measured in the same run as the rest."""

from __future__ import annotations

import http.client
import os
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

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


class Requests(NamedTuple):
    """What a bare server reaches."""

    per_second: float
    cpu_ms: float
    """Of the server, for one request."""


def requests_that_commit(folder: Path, requests: int = 500, rows: int = 1, *, libraries: bool = False) -> Requests:
    """One after the other, from a client that first syncs a few bytes of its own, to a bare server that commits so many rows before it
    answers: what a kept result and an acknowledged start cost at least. With `libraries`, to one that is made of the appliance's libraries
    and does in one transaction what the smallest action does."""
    body = b"\n".join([b'{"attempt":1,"seq":1,"events":[]}'] * rows)
    command = [
        sys.executable,
        "-m",
        "tests.bench.bare_server",
        str(folder / ("libraries.db" if libraries else "bare.db")),
    ]
    command += ["libraries"] * libraries
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        (folder / "bare.pack").open("wb", buffering=0) as pack,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        url = urlsplit(server.stdout.readline().strip())
        client = http.client.HTTPConnection(url.hostname or "", url.port)
        began = cpu = 0.0
        for number in range(-50, requests):  # the first ones warm up
            if number == 0:
                began, cpu = time.perf_counter(), _cpu_seconds(server.pid)
            pack.write(body)
            os.fdatasync(pack.fileno())
            client.request("POST", "/report", body, {"content-type": "application/json"})
            client.getresponse().read()
        elapsed, used = time.perf_counter() - began, _cpu_seconds(server.pid) - cpu
        client.close()
        server.stdin.close()
    return Requests(requests / elapsed, used / requests * 1000)


def _cpu_seconds(pid: int) -> float:
    """Of the first thread of a process."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


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
