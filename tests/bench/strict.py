"""`python -m tests.bench.strict [--repeats N] [--postgres] [--json FILE]`: tasks that start only once that is stored.

A chain in one run, a map in eight threads of one run, and eight runs with a chain each, all of the whole appliance, timed from the
first run's start to the last one's end. Their floors are measured in between: a durable commit for each task; a request to a bare
server that commits, after a result was synced; where eight starts may share one, a commit or a request with eight rows; on Postgres,
as many connections that commit at the same time.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.kit import clock
from appliance.protocol.states import TERMINAL
from tests.bench import databases, floors
from tests.bench.flows.strict import TASKS
from tests.bench.measure import Series, publish
from tests.e2e.appliance_process import Appliance, running

FLOWS = Path(__file__).parent / "flows" / "strict.py"
EIGHT = 8
_LOOK, _LIMIT = 0.5, 300.0
KINDS = {
    "chain": ("strict-chain", 1, "chain of 1,000, each start acknowledged first"),
    "batches": ("batched-map", 1, "the map of 1,000 in eight threads, reported in batches"),
    "threads": ("strict-map", 1, "map of 1,000 in eight threads of one run"),
    "runs": ("strict-chain", EIGHT, "eight runs with a chain of 1,000 each"),
}


def tasks_a_second(appliance: Appliance, flow: str, runs: int) -> float:
    """So many runs at once. Every task run must have been recorded as successful."""
    with ThreadPoolExecutor(runs) as pool:
        ids = list(pool.map(lambda _: appliance.create_run(flow, "bench"), range(runs)))
    views = [_ended(appliance, id) for id in ids]
    for id in ids:
        found = appliance.items(f"/api/v1/flow-runs/{id}/task-runs")
        assert sum(task["state_type"] == "SUCCESS" for task in found) == len(found) >= TASKS, len(found)
    starts, ends = ([datetime.fromisoformat(view[key]) for view in views] for key in ("start_time", "end_time"))
    return runs * TASKS / (max(ends) - min(starts)).total_seconds()


def _ended(appliance: Appliance, run_id: str) -> dict[str, Any]:
    """The run once it has ended. Looks rarely: each look takes the server's time, and the figures are from its clock."""
    until = clock.monotonic() + _LIMIT
    while (view := appliance.run(run_id))["state_type"] not in TERMINAL:
        assert clock.monotonic() < until, view
        threading.Event().wait(_LOOK)
    return view


def measure(folder: Path, repeats: int, with_postgres: bool) -> dict[str, Series]:
    series: dict[str, Series] = {}

    def note(key: str, name: str, value: float) -> None:
        series.setdefault(key, Series(name, "tasks/s")).values.append(value)

    with ExitStack() as stack:
        sites = {"SQLite": stack.enter_context(running(folder / "sqlite"))}
        url = ""
        if with_postgres:
            url = stack.enter_context(databases.postgres(stack.enter_context(databases.postgres_server()))).url
            sites["Postgres"] = stack.enter_context(running(folder / "postgres", APPLIANCE_DATABASE_URL=url))
        for site in sites.values():
            done = site.cli("register", str(FLOWS), "--project", "bench")
            assert done.returncode == 0, done.stderr
            tasks_a_second(site, "strict-chain", 1)  # the first run warms up
        for repeat in range(repeats):
            print(f"strict: round {repeat + 1} of {repeats}", flush=True)
            for database, site in sites.items():
                one, shared = _floors(folder, url if database == "Postgres" else "")
                note(f"{database} floor", f"{database}: floor, one durable commit after the other", one)
                note(f"{database} shared floor", f"{database}: floor, eight share a commit", shared)
                if database == "SQLite":
                    alone = floors.requests_that_commit(folder).per_second
                    note("SQLite request floor", "SQLite: floor, a synced result and a request that commits", alone)
                    together = EIGHT * floors.requests_that_commit(folder, rows=EIGHT).per_second
                    note("SQLite shared request floor", "SQLite: floor, eight of both in one", together)
                for kind, (flow, runs, text) in KINDS.items():
                    note(f"{database} {kind}", f"{database}: {text}", tasks_a_second(site, flow, runs))
    return series


def _floors(folder: Path, postgres: str) -> tuple[float, float]:
    """Commits a second: one after the other, and when eight share one."""
    if postgres:
        return floors.postgres_commits(postgres, 1), floors.postgres_commits(postgres, EIGHT)
    return 1000 / floors.commit_ms(folder), EIGHT * 1000 / floors.commit_ms(folder, EIGHT)


def ratios(series: dict[str, Series]) -> dict[str, float]:
    found = {}
    for database in ("SQLite", "Postgres"):
        if f"{database} floor" not in series:
            continue
        of = {key.removeprefix(f"{database} "): one.median for key, one in series.items() if key.startswith(database)}
        found[f"{database}: commits that a task of a chain costs"] = of["floor"] / of["chain"]
        if "request floor" in of:
            found[f"{database}: commits that a synced result and a request cost"] = of["floor"] / of["request floor"]
            found[f"{database}: share of that floor"] = of["chain"] / of["request floor"]
            found[f"{database}: share of the shared floor that requests reach"] = (
                of["shared request floor"] / of["shared floor"]
            )
            found[f"{database}: eight threads, share of what requests reach"] = (
                of["threads"] / of["shared request floor"]
            )
        found[f"{database}: eight threads, share of what they reach with batches"] = of["threads"] / of["batches"]
        found[f"{database}: eight threads, share of the shared floor"] = of["threads"] / of["shared floor"]
        found[f"{database}: eight runs, share of the shared floor"] = of["runs"] / of["shared floor"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.strict", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--postgres", action="store_true", help="measure Postgres too")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        series = measure(Path(name), asked.repeats, asked.postgres)
    publish(series.values(), ratios(series), asked.json, digits=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
