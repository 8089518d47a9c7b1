"""`python -m tests.bench.idle [--repeats N] [--seconds S] [--json FILE]`: the whole appliance, started on an empty and on an existing
database, and what all of its processes use while nothing happens."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import floors, processes
from tests.bench.measure import Series, machine, ratio_line
from tests.e2e.appliance_process import Appliance, until

_SETTLING = 15.0


def started(folder: Path) -> tuple[Appliance, float]:
    """A ready appliance, and the seconds from its command to its readiness."""
    appliance, began = Appliance(folder), time.perf_counter()
    appliance.start(wait=False)
    until("the appliance is ready", appliance.is_ready, 60)
    return appliance, time.perf_counter() - began


def measure(folder: Path, repeats: int, seconds: float) -> tuple[dict[str, Series], list[dict[str, Any]]]:
    series = {
        "floor": Series("floor: an interpreter starts and ends", "ms"),
        "empty": Series("cold start to ready, empty database", "s"),
        "existing": Series("cold start to ready, existing database", "s"),
        "pss": Series("idle: memory of all processes (PSS)", "MB"),
        "cpu": Series("idle: share of a core", "%"),
    }
    parts: list[dict[str, Any]] = []
    for repeat in range(repeats):
        print(f"idle: round {repeat + 1} of {repeats}", flush=True)
        series["floor"].values.append(floors.interpreter_ms())
        for kind in ("empty", "existing"):
            appliance, took = started(folder / f"data-{repeat}")
            series[kind].values.append(took)
            try:
                if kind == "existing" and repeat == repeats - 1:
                    parts = idle(appliance, seconds, series)
            finally:
                appliance.end()
    return series, parts


def idle(appliance: Appliance, seconds: float, series: dict[str, Series]) -> list[dict[str, Any]]:
    """Watch the appliance while nobody asks it for anything."""
    assert appliance.process is not None
    time.sleep(_SETTLING)
    pids = processes.tree(appliance.process.pid)
    before = {pid: processes.cpu_seconds([pid]) for pid in pids}
    began = time.perf_counter()
    time.sleep(seconds)
    elapsed = time.perf_counter() - began
    parts: list[dict[str, Any]] = [
        {
            "process": processes.title(pid),
            "pss_mb": round(processes.pss_mb(pid), 1),
            "cpu_percent": round((processes.cpu_seconds([pid]) - before[pid]) / elapsed * 100, 2),
            "threads": processes.threads(pid),
            "files": processes.files(pid),
        }
        for pid in pids
    ]
    series["pss"].values.append(sum(part["pss_mb"] for part in parts))
    series["cpu"].values.append(sum(part["cpu_percent"] for part in parts))
    return parts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.idle", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="of the starts")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the idle appliance is watched")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        series, parts = measure(Path(name), asked.repeats, asked.seconds)
    print(json.dumps(machine()))
    for part in parts:
        print(json.dumps(part))
    for one in series.values():
        print(one.line())
    ratio = series["existing"].median * 1000 / series["floor"].median
    print(ratio_line("interpreter starts that a start costs", ratio))
    if asked.json is not None:
        document = {"machine": machine(), "series": [one.document() for one in series.values()], "processes": parts}
        asked.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
