"""`python -m tests.bench.kept [--repeats N] [--json FILE]`: tracked flows whose tasks return a number, with and without results kept.

The whole appliance on SQLite. The time is that from the start of the first task until the server stored the last report, as the
database has it, so neither the start of the process nor reading back is in it. Every figure is of a run whose task runs are all
recorded as successful, and it is checked which of them have a result that is kept.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.bench import recorded
from tests.bench.flows.kept import CHAIN, MAP
from tests.bench.measure import Series, publish
from tests.e2e.appliance_process import Appliance, running

FLOWS = Path(__file__).parent / "flows" / "kept.py"
KINDS = {"map": MAP, "chain": CHAIN}


def seconds(appliance: Appliance, flow: str) -> float:
    """The time of one run, after a check that it says what it is said to say."""
    run_id = appliance.create_run(flow, "bench")
    appliance.wait_for(run_id, "SUCCESS", "FAILED", seconds=300)
    found = recorded.read(appliance.data_dir, run_id)
    tasks = KINDS[flow.partition("-")[0]]
    assert found.tasks == found.successful >= tasks, found
    assert found.kept >= tasks if flow.endswith("kept") else found.kept == 0, found
    return found.seconds


def measure(folder: Path, repeats: int) -> dict[str, Series]:
    series = {
        f"{kind}-{how}": Series(f"{kind} of {tasks:,} until recorded, results {text}", "s")
        for kind, tasks in KINDS.items()
        for how, text in (("free", "not kept"), ("kept", "kept"))
    }
    with running(folder / "data", roots="/") as appliance:
        done = appliance.cli("register", str(FLOWS), "--project", "bench", seconds=300)
        assert done.returncode == 0, done.stderr
        seconds(appliance, "map-kept")  # the first run warms up
        for repeat in range(repeats):
            print(f"kept: round {repeat + 1} of {repeats}", flush=True)
            for flow, one in series.items():
                one.values.append(seconds(appliance, flow))
    return series


def ratios(series: dict[str, Series]) -> dict[str, float]:
    return {
        f"time with results kept to without, {kind}": series[f"{kind}-kept"].median / series[f"{kind}-free"].median
        for kind in KINDS
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kept", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        series = measure(Path(name), asked.repeats)
    publish(series.values(), ratios(series), asked.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
