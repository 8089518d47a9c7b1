"""`python -m tests.bench.ingestion [--task-runs N] [--repeats R] [--postgres] [--json FILE]`: how fast reports are stored.

Each task run: Running, a log line, Success; batches of 500 events; synchronous=FULL. The floor is stdlib sqlite3 inserting the very
rows that came of it into the same tables and indexes in the same batches, in the same run.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2 as httpx
import msgspec

from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.run_protocol import Begin, LogEvent, Report, TaskStateEvent
from appliance.server.actions import run_protocol as runs
from appliance.server.api.bodies import decode
from appliance.server.db.session import _PRAGMAS, Database
from appliance.server.db.sqlite import VERSION, dbapi
from tests.bench import databases
from tests.bench.measure import Series, publish
from tests.bench.simplest import Simplest
from tests.integration import builders
from tests.integration.live import TOKEN, LiveServer

EVENTS = 500
_START = datetime(2026, 3, 2, tzinfo=UTC)


def bodies(task_runs: int) -> list[bytes]:
    """The reports of one run as the client sends them."""
    events: list[Any] = []
    for number in range(task_runs):
        at = _START + timedelta(milliseconds=number)
        place: dict[str, Any] = {"slug": "load-1", "map_index": number}
        events.append(TaskStateEvent(**place, type="RUNNING", name="Running", at=at, run_count=1))
        events.append(LogEvent(**place, at=at, level="INFO", logger="flow", message=f"Wrote {number} rows."))
        events.append(
            TaskStateEvent(**place, type="SUCCESS", name="Success", at=at + timedelta(milliseconds=5), run_count=1)
        )
    reports = [events[start : start + EVENTS] for start in range(0, len(events), EVENTS)]
    return [msgspec.json.encode(Report(attempt=1, seq=seq, events=part)) for seq, part in enumerate(reports, 1)]


def begun(database: Database) -> UUID:
    """A run that may report."""
    run, _agent = builders.begun(database)
    return run


class Meter:
    """Wall and CPU seconds of a block of work in this process."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def stop(self) -> tuple[float, float]:
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


def in_process(database: Database, reports: list[bytes]) -> tuple[float, float]:
    """Decode and store them, as the route's handler does."""
    run, meter = begun(database), Meter()
    for body in reports:
        runs.report(database, builders.RUN, run, decode(body, Report))
    return meter.stop()


_TABLES = {
    "task_run": "select * from task_run order by map_index",
    "task_run_state": "select s.* from task_run_state s join task_run t on t.id = s.task_run_id order by t.map_index, s.version",
    "log": "select * from log order by id",
}


def _rows(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(file)) as database:
        return {name: database.execute(statement).fetchall() for name, statement in _TABLES.items()}


@contextmanager
def _with_parents(source: Path, target: Path, library: Any) -> Iterator[Any]:
    """A connection to a new database that holds what the task runs in `source` refer to."""
    with databases.sqlite(target):
        pass
    with closing(library.connect(target, isolation_level=None)) as write:
        for pragma in _PRAGMAS:
            write.execute(f"pragma {pragma}")
        with closing(sqlite3.connect(source)) as read:
            for name in ("project", "flow", "flow_version", "agent", "flow_run"):
                _insert(write, name, read.execute(f"select * from {name}").fetchall())
        yield write


def _insert(write: Any, name: str, rows: list[tuple[Any, ...]]) -> None:
    write.executemany(f"insert into {name} values ({','.join('?' * len(rows[0]))})", rows)


def floor(source: Path, target: Path, task_runs: int, library: Any = sqlite3) -> tuple[float, float]:
    """Insert what lies in `source` with the standard library, or with another one, batch by batch."""
    per_batch = EVENTS // 3
    tables = _rows(source)
    share = {"task_run": per_batch, "task_run_state": 2 * per_batch, "log": per_batch}
    cuts = [*list(range(0, task_runs, per_batch)), task_runs]
    with _with_parents(source, target, library) as write:
        meter = Meter()
        for start, end in pairwise(cuts):
            write.execute("begin immediate")
            for name, rows in tables.items():
                each = share[name] // per_batch
                _insert(write, name, rows[start * each : end * each])
            write.execute("commit")
        found = meter.stop()
        assert write.execute("select count(*) from task_run_state").fetchone() == (2 * task_runs,)
    return found


def simplest_floor(source: Path, target: Path, reports: list[bytes]) -> tuple[float, float]:
    """Store the reports that made `source` by the simplest Python; the rows must be the same."""
    expected = _rows(source)
    run, created = UUID(expected["task_run"][0][1]), expected["task_run"][0][-1]
    with _with_parents(source, target, sqlite3) as write:
        server, meter = Simplest(write, run, "load", created), Meter()
        for body in reports:
            server.store(body)
        found = meter.stop()
    assert _but_for_times_of_storing(_rows(target)) == _but_for_times_of_storing(expected)
    return found


def _but_for_times_of_storing(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    return rows | {"task_run": [row[:-1] for row in rows["task_run"]]}


class Client:
    """One connection to a server."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=60
        )

    def get(self, path: str) -> Any:
        answer = self._http.get(f"/api/v1{path}")
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, body: Any, token: str = TOKEN) -> Any:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        answer = self._http.post(f"/api/v1{path}", content=content, headers=headers)
        assert answer.is_success, answer.text
        return msgspec.json.decode(answer.content)

    def close(self) -> None:
        self._http.close()


class Api(Client):
    """`appliance server`, one process, over a data directory, and a connection to it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.server = LiveServer(folder, **settings).start()
        super().__init__(self.server.url)
        self._http.post(
            "/graphql", json={"query": "{ __typename }"}
        ).raise_for_status()  # loaded: no part of what is measured

    def another(self) -> Client:
        """One more connection."""
        return Client(self.server.url)

    @property
    def pid(self) -> int:
        assert self.server._process is not None
        return self.server._process.pid

    def cpu(self) -> float:
        """CPU seconds of the server's process and of its children so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.close()
        self.server.stop()


def flow_of(api: Api) -> UUID:
    """A registered flow."""
    document = builders.document()
    body = {
        "project": "bench",
        "name": "etl",
        "content_hash": "0" * 64,
        "document": document,
        "storage": {"type": "local", "path": "x.py"},
    }
    return UUID(api.post("/flows", body)["flow_id"])


def over_http(api: Api, reports: list[bytes]) -> tuple[float, float]:
    """One connection, one report after the other. CPU is the server's."""
    run = api.post("/flow-runs", CreateFlowRun(flow_id=flow_of(api)))["id"]
    agent = api.post(
        "/agents", {"name": "bench", "type": "process", "labels": [], "capacity": 8, "version": "0", "host": "h"}
    )["agent_id"]
    work = api.post(f"/agents/{agent}/claim", {"free_slots": 1, "wait_s": 0, "labels": []})["work"]
    assert [one["flow_run_id"] for one in work] == [run]
    token = work[0]["run_token"]
    assert api.post(f"/flow-runs/{run}/begin", Begin(attempt=1), token)["verdict"] == "go"
    began, cpu = time.perf_counter(), api.cpu()
    for body in reports:
        api.post(f"/flow-runs/{run}/report", body, token)
    return time.perf_counter() - began, api.cpu() - cpu


def measure(folder: Path, task_runs: int, repeats: int, with_postgres: bool) -> dict[str, Series]:
    names = {
        "floor": "floor: stdlib sqlite3, the same rows and batches",
        "own_floor": f"floor: the same with SQLite {VERSION}, which the appliance uses",
        "simplest": "floor: reports decoded and stored by the simplest Python, unchecked",
        "action": "reports decoded and stored, SQLite, one thread",
        "http": "the same over HTTP, one server process",
        "postgres": "reports decoded and stored, Postgres",
        "postgres_http": "the same over HTTP, Postgres",
    }
    series = {key: Series(name, "task runs/s") for key, name in names.items()}
    series |= {f"{key}_cpu": Series(f"{name}, per CPU second", "task runs/s") for key, name in names.items()}
    reports = bodies(task_runs)

    def note(key: str, figures: tuple[float, float]) -> None:
        series[key].values.append(task_runs / figures[0])
        series[f"{key}_cpu"].values.append(task_runs / max(figures[1], 1e-9))

    with ExitStack() as stack:
        server = stack.enter_context(databases.postgres_server()) if with_postgres else None
        for repeat in range(repeats):
            print(f"ingestion: round {repeat + 1} of {repeats}", flush=True)
            path = folder / f"ours-{repeat}.db"
            with databases.sqlite(path) as database:
                note("action", in_process(database, reports))
            note("floor", floor(path, folder / f"floor-{repeat}.db", task_runs))
            note("own_floor", floor(path, folder / f"own-floor-{repeat}.db", task_runs, dbapi))
            note("simplest", simplest_floor(path, folder / f"simplest-{repeat}.db", reports))
            note("http", _with_api(folder / f"api-{repeat}", reports))
            if server is not None:
                with databases.postgres(server) as database:
                    note("postgres", in_process(database, reports))
                with databases.postgres(server) as database:
                    note(
                        "postgres_http",
                        _with_api(folder / f"pg-{repeat}", reports, APPLIANCE_DATABASE_URL=database.url),
                    )
    return {key: one for key, one in series.items() if one.values}


def _with_api(folder: Path, reports: list[bytes], **settings: str) -> tuple[float, float]:
    api = Api(folder, **settings)
    try:
        return over_http(api, reports)
    finally:
        api.stop()


def ratios(series: dict[str, Series]) -> dict[str, float]:
    found = {
        "share of the floor, in one thread": series["action"].median / series["floor"].median,
        "share of the floor, by CPU time": series["action_cpu"].median / series["floor_cpu"].median,
        "share of the floor, over HTTP": series["http"].median / series["floor"].median,
        "share of the floor with the same SQLite, by CPU time": (
            series["action_cpu"].median / series["own_floor_cpu"].median
        ),
        "the same over HTTP": series["http_cpu"].median / series["own_floor_cpu"].median,
    }
    for key, text in {"action": "in one thread", "http": "over HTTP"}.items():
        found[f"share of the simplest Python, {text}"] = series[key].median / series["simplest"].median
        found[f"the same by CPU time, {text}"] = series[f"{key}_cpu"].median / series["simplest_cpu"].median
    found["the simplest Python's share of the floor"] = series["simplest"].median / series["floor"].median
    found["the same by CPU time"] = series["simplest_cpu"].median / series["floor_cpu"].median
    if "postgres" in series:
        found["SQLite to Postgres, in one thread"] = series["action"].median / series["postgres"].median
        found["SQLite to Postgres, over HTTP"] = series["http"].median / series["postgres_http"].median
    return found


def profiled(work: Callable[[], object]) -> None:
    """Run the work and print where its time went."""
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile).sort_stats("tottime").print_stats(35)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingestion", description=__doc__)
    parser.add_argument("--task-runs", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--postgres", action="store_true", help="measure Postgres too")
    parser.add_argument("--profile", action="store_true", help="only show where the time of the SQLite action goes")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        if asked.profile:
            with databases.sqlite(Path(name) / "profile.db") as database:
                reports = bodies(asked.task_runs)
                profiled(lambda: in_process(database, reports))
            return 0
        series = measure(Path(name), asked.task_runs, asked.repeats, asked.postgres)
    publish(series.values(), ratios(series), asked.json, digits=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
