"""`python -m tests.bench.kept [--repeats N] [--postgres] [--json FILE]`: tracked flows whose tasks return a number, with and without results kept.

The whole appliance. The time is that from the start of the first task until the server stored the last report, as the
database has it, so neither the start of the process nor reading back is in it. Every figure is of a run whose task runs are all
recorded as successful, and it is checked which of them have a result that is kept.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import databases, recorded
from tests.bench.flows.kept import CHAIN, MAP
from tests.bench.measure import Series, publish
from tests.e2e.appliance_process import Appliance, running

FLOWS = Path(__file__).parent / "flows" / "kept.py"
KINDS = {"map": MAP, "chain": CHAIN}


def seconds(appliance: Appliance, flow: str, postgres: str = "") -> float:
    """The time of one run, after a check that it says what it is said to say."""
    run_id = appliance.create_run(flow, "bench")
    appliance.wait_for(run_id, "SUCCESS", "FAILED", seconds=300)
    found = recorded.read(appliance.data_dir, run_id, postgres)
    tasks = KINDS[flow.partition("-")[0]]
    assert found.tasks == found.successful >= tasks, found
    assert found.kept >= tasks if flow.endswith("kept") else found.kept == 0, found
    return found.seconds


def measure(folder: Path, repeats: int, with_postgres: bool) -> dict[str, Series]:
    with ExitStack() as stack:
        sites = {"SQLite": (stack.enter_context(running(folder / "sqlite", roots="/")), "")}
        if with_postgres:
            url = stack.enter_context(databases.postgres(stack.enter_context(databases.postgres_server()))).url
            site = stack.enter_context(running(folder / "postgres", roots="/", APPLIANCE_DATABASE_URL=url))
            sites["Postgres"] = site, url
        series = {
            f"{database} {kind}-{how}": Series(f"{database}: {kind} of {tasks:,} until recorded, results {text}", "s")
            for database in sites
            for kind, tasks in KINDS.items()
            for how, text in (("free", "not kept"), ("kept", "kept"))
        }
        for site, url in sites.values():
            done = site.cli("register", str(FLOWS), "--project", "bench", seconds=300)
            assert done.returncode == 0, done.stderr
            seconds(site, "map-kept", url)  # the first run warms up
        for repeat in range(repeats):
            print(f"kept: round {repeat + 1} of {repeats}", flush=True)
            for name, one in series.items():
                database, flow = name.split()
                one.values.append(seconds(sites[database][0], flow, sites[database][1]))
    return series


def ratios(series: dict[str, Series]) -> dict[str, float]:
    return {
        f"{name.partition(' ')[0]}: time with results kept to without, {kind}": one.median
        / series[name.replace("kept", "free")].median
        for name, one in series.items()
        for kind in KINDS
        if name.endswith(f"{kind}-kept")
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kept", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--postgres", action="store_true", help="measure Postgres too")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        series = measure(Path(name), asked.repeats, asked.postgres)
    publish(series.values(), ratios(series), asked.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
