"""`python -m tests.bench.strict [--repeats N] [--json FILE]`: a chain of tasks each of which starts only after the server has stored it.

The whole appliance on SQLite, until every task run is recorded, with its result kept. The floor is one durable commit on this disk; the same chain with
ordinary tracking runs in turn.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from tests.bench import floors, ours
from tests.bench.measure import Series, machine, ratio_line
from tests.e2e.appliance_process import running

FLOWS = Path(__file__).parent / "flows" / "strict.py"


def measure(folder: Path, repeats: int) -> dict[str, Series]:
    series = {
        "commit": Series("floor: one durable SQLite commit", "ms"),
        "tracked": Series("tracked, results kept, recorded, chain of 1,000", "tasks/s"),
        "strict": Series("the same, each start acknowledged first", "tasks/s"),
    }
    with running(folder / "data") as appliance:
        for file in (ours.FLOWS, FLOWS):
            done = appliance.cli("register", str(file), "--project", "bench")
            assert done.returncode == 0, done.stderr
        ours.tracked_seconds(appliance, "noop-chain")  # the first run warms up
        for repeat in range(repeats):
            print(f"strict: round {repeat + 1} of {repeats}", flush=True)
            series["commit"].values.append(floors.commit_ms(folder))
            series["tracked"].values.append(ours.TASKS / ours.tracked_seconds(appliance, "noop-chain"))
            series["strict"].values.append(ours.TASKS / ours.tracked_seconds(appliance, "strict-chain"))
    return series


def ratios(series: dict[str, Series]) -> dict[str, float]:
    return {
        "commits that a strictly tracked task costs": 1000 / series["strict"].median / series["commit"].median,
        "tracked tasks a second to strictly tracked ones": series["tracked"].median / series["strict"].median,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.strict", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        series = measure(Path(name), asked.repeats)
    print(json.dumps(machine()))
    for one in series.values():
        print(one.line())
    for text, value in ratios(series).items():
        print(ratio_line(text, value))
    if asked.json is not None:
        document = {"machine": machine(), "series": [s.document() for s in series.values()], "ratios": ratios(series)}
        asked.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
