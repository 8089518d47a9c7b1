"""`python -m tests.bench.comparison [--repeats N] [--only NAME,...] [--json FILE] [--docs]`: the same work on ours and on other products.

Each product runs the works of `peers/works.py` with its own durable setting, in turn, on this machine; the time is that from the
call, or from the creation of the run, until the last task is recorded, or until the result is there where nothing is recorded. With
`--docs` the table of docs/pages/speed.md is written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import floors, prefect, recorded
from tests.bench.measure import Series, machine, publish
from tests.bench.peers.environments import python_of
from tests.bench.peers.works import FEWER, SMALLER, STEPS, fibo
from tests.e2e.appliance_process import Appliance, running

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "pages" / "speed.md"
BEGIN, END = "<!-- written by `make bench-peers` -->", "<!-- end -->"
FLOWS = Path(__file__).parent / "flows" / "peers.py"
PEERS = Path(__file__).parent / "peers"
TITLES = {
    "chain": "chain, tasks a second",
    "map": "map, tasks a second",
    "fibo10": "40 x fibo(10), seconds",
    "fibo33": "10 x fibo(33), seconds",
}


@dataclass(frozen=True)
class Contestant:
    """A product in one setting. `work` does the steps of a kind of work and returns the seconds; `facts` says what holds meanwhile."""

    name: str
    facts: str
    work: Callable[[str, int], float]
    steps: Mapping[str, int]


def ours(appliance: Appliance, suffix: str = "") -> Callable[[str, int], float]:
    """A run of the embedded agent: from its creation until the server stored the last report, by the server's clock."""

    def work(kind: str, steps: int) -> float:
        run_id = appliance.create_run(f"{kind}{suffix}", "bench")
        appliance.wait_for(run_id, "SUCCESS", "FAILED", seconds=600)
        found = recorded.read(appliance.data_dir, run_id)
        assert found.tasks == found.successful >= steps and found.kept >= steps, found
        return found.whole

    return work


def script(python: Path, name: str, *first: str, records: bool = False) -> Callable[[str, int], float]:
    """A script of `peers`, run by the Python of its product."""

    def work(kind: str, steps: int) -> float:
        with tempfile.TemporaryDirectory(prefix="appliance-bench-") as folder:
            places = [folder if part == "FOLDER" else part for part in first]
            found = _printed([str(python), str(PEERS / name), *places, kind, str(steps)])
        assert found["recorded"] >= (steps if records else 0), found
        return float(found["seconds"])

    return work


def served(peer: prefect.Prefect) -> Callable[[str, int], float]:
    """A flow that reports to a running Prefect server."""
    return lambda kind, steps: float(peer.work(kind, steps)["seconds"])


def _printed(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise SystemExit(f"{command[1]} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def contestants(stack: ExitStack, folder: Path, only: set[str]) -> list[Contestant]:
    """Everything that takes part, started."""
    found: list[Contestant] = []

    def add(key: str, make: Callable[[], Contestant]) -> None:
        if not only or key in only:
            found.append(make())

    def appliance() -> Appliance:
        if not sites:
            sites.append(stack.enter_context(running(folder / "data", roots="/")))
            done = sites[0].cli("register", str(FLOWS), "--project", "bench", seconds=300)
            assert done.returncode == 0, done.stderr
            ours(sites[0])("fibo10", STEPS["fibo10"])  # the first run warms up
        return sites[0]

    sites: list[Appliance] = []
    kept, steps = "results kept, recorded by the server, synced to disk", STEPS
    add("ours", lambda: Contestant("Appliance", f"{kept} in batches", ours(appliance()), steps))
    strict = {"chain": STEPS["chain"]}
    add(
        "strict",
        lambda: Contestant("Appliance, strict", f"{kept}, each start first", ours(appliance(), "-strict"), strict),
    )
    sync = "in its process, each step committed and synced before the next"
    add(
        "dbos", lambda: Contestant("DBOS", sync, script(python_of("dbos"), "dbos3.py", "FOLDER", records=True), SMALLER)
    )
    states = "states recorded by its server; results not kept"
    add(
        "prefect3", lambda: Contestant("Prefect 3", states, served(stack.enter_context(prefect.running(folder))), FEWER)
    )
    add("dask", lambda: Contestant("Dask", "nothing recorded", script(python_of("dask"), "dask_local.py"), steps))
    add(
        "prefect1",
        lambda: Contestant("prefect 1.4.1", "nothing recorded", script(python_of("prefect1"), "prefect1.py"), FEWER),
    )
    return found


def measure(those: list[Contestant], folder: Path, repeats: int) -> dict[tuple[str, str], Series]:
    """By contestant and work. The values are tasks a second for chains and maps, and seconds for the others."""
    series: dict[tuple[str, str], Series] = {}
    for repeat in range(repeats):
        for kind in STEPS:
            _note(series, "floor", kind, _floor(kind, folder))
            for one in those:
                if kind not in one.steps:
                    continue
                print(f"comparison: round {repeat + 1} of {repeats}, {kind}, {one.name}", flush=True)
                _note(series, one.name, kind, _value(kind, one.steps[kind], one.work(kind, one.steps[kind])))
    return series


def _floor(kind: str, folder: Path) -> float:
    """One durable commit after the other, or plain Python."""
    if not kind.startswith("fibo"):
        return 1000 / floors.commit_ms(folder)
    began = datetime.now(UTC)
    for _ in range(STEPS[kind]):
        fibo(int(kind.removeprefix("fibo")))
    return (datetime.now(UTC) - began).total_seconds()


def _value(kind: str, steps: int, seconds: float) -> float:
    return seconds if kind.startswith("fibo") else steps / seconds


def _note(series: dict[tuple[str, str], Series], name: str, kind: str, value: float) -> None:
    unit = "s" if kind.startswith("fibo") else "tasks/s"
    series.setdefault((name, kind), Series(f"{name}: {TITLES[kind].partition(',')[0]}", unit)).values.append(value)


def ratios(series: dict[tuple[str, str], Series]) -> dict[str, float]:
    """How many times as fast ours is, of medians of one run."""
    found = {}
    for (name, kind), one in series.items():
        ours = series.get(("Appliance", kind))
        if ours is None or name in ("floor", "Appliance"):
            continue
        faster = one.median / ours.median if kind.startswith("fibo") else ours.median / one.median
        found[f"{TITLES[kind].partition(',')[0]}: Appliance to {name}"] = faster
    return found


def table(those: list[Contestant], series: dict[tuple[str, str], Series], versions: Mapping[str, str]) -> str:
    """The table of the page, with the machine and the commit."""
    found, rounds = machine(), max(len(one.values) for one in series.values())
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} at commit `{found['commit']}` on {found['cores']} cores with Python {found['python']}; medians of {rounds} rounds.",
        "",
        "| product | what holds | " + " | ".join(TITLES.values()) + " |",
        "|---|---|" + "---:|" * len(TITLES),
    ]
    rows = [("floor", "one durable commit a task; plain Python"), *((one.name, one.facts) for one in those)]
    for name, facts in rows:
        cells = [_cell(series.get((name, kind)), kind) for kind in TITLES]
        lines.append(f"| {name} {versions.get(name, '')} | {facts} | ".replace("  |", " |") + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(one: Series | None, kind: str) -> str:
    if one is None:
        return ""
    return f"{one.median:,.2f}" if kind.startswith("fibo") else f"{one.median:,.0f}"


def write_page(text: str) -> None:
    """Replace the table of the page."""
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.comparison", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="ours,strict,dbos,prefect3,dask,prefect1: some of them")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--docs", action="store_true", help="also write the table of docs/pages/speed.md")
    asked = parser.parse_args()
    only = {name for name in asked.only.split(",") if name}
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name, ExitStack() as stack:
        those = contestants(stack, Path(name), only)
        series = measure(those, Path(name), asked.repeats)
    publish(series.values(), ratios(series), asked.json)
    text = table(those, series, versions(those))
    print(text)
    if asked.docs:
        write_page(text)
    return 0


def versions(those: list[Contestant]) -> dict[str, str]:
    """The versions of the products that took part, in brackets."""
    code = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    found = {}
    for name, product, package in _PACKAGES:
        if any(one.name == name for one in those):
            done = subprocess.run(
                [str(python_of(product)), "-c", code, package], capture_output=True, text=True, check=True
            )
            found[name] = f"({done.stdout.strip()})"
    return found


_PACKAGES = (("DBOS", "dbos", "dbos"), ("Prefect 3", "prefect3", "prefect"), ("Dask", "dask", "distributed"))


if __name__ == "__main__":
    sys.exit(main())
