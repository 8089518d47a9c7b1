"""`python -m tests.bench.engine [--peers] [--repeats N] [--json FILE]`: the engine alone, without a server, beside prefect 1.4.1.

Every measurement is a process of its own; ours and the peer's take turns. Part of `make bench` and `make bench-peers`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.bench import ours
from tests.bench.measure import Series, machine, ratio_line
from tests.bench.peers.environments import python_of

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent / "flows" / "engine.py"
TASKS, PEER_TASKS, WIDE = 10_000, 1_000, 100_000
PEER_IMPORT = ours.IMPORT.replace("from appliance import", "from prefect import")


def printed(*command: str | Path) -> dict[str, float]:
    """The JSON object that a process prints last."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=ROOT, timeout=600, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


NAMES = (
    ("chain", f"untracked no-op task, chain of {TASKS:,}", "us"),
    ("map", f"untracked no-op task, map of {TASKS:,}", "us"),
    ("tracked_chain", f"tracked, client side, chain of {TASKS:,}", "us"),
    ("tracked_map", f"tracked, client side, map of {TASKS:,}", "us"),
    ("tracked_chain_ratio", "tracked to untracked, chain", "x"),
    ("tracked_map_ratio", "tracked to untracked, map", "x"),
    ("build_small", f"building {TASKS // 10:,} tasks", "ms"),
    ("build", f"building {TASKS:,} tasks", "ms"),
    ("import", "from appliance import Flow, task", "ms"),
    ("peer_chain", f"prefect 1.4.1: no-op task, chain of {PEER_TASKS:,}", "us"),
    ("peer_map", f"prefect 1.4.1: no-op task, map of {PEER_TASKS:,}", "us"),
    ("peer_import", "prefect 1.4.1: import prefect", "ms"),
    ("wide_slowdown", f"child of a map of {WIDE:,} to one of {WIDE // 10:,}", "x"),
    ("wide_bytes", f"engine memory a child at the peak, map of {WIDE:,}", "B"),
    ("wide_threads_slowdown", "the same in threads", "x"),
    ("wide_threads_bytes", "the same in threads", "B"),
    ("deep_slowdown", f"the same, map over a map of {WIDE // 2:,}", "x"),
    ("deep_bytes", f"the same, map over a map of {WIDE // 2:,}", "B"),
)


def measure(repeats: int, peers: bool) -> dict[str, Series]:
    series = {key: Series(name, unit) for key, name, unit in NAMES}

    def note(key: str, value: float) -> None:
        series[key].values.append(value)

    python = python_of("prefect1") if peers else None
    for repeat in range(repeats):
        print(f"engine: round {repeat + 1} of {repeats}", flush=True)
        for what in ("chain", "map"):
            note(what, printed(sys.executable, SCRIPT, "appliance", what, str(TASKS))["us"])
            if python is not None:
                note(f"peer_{what}", printed(python, SCRIPT, "prefect", what, str(PEER_TASKS))["us"])
            found = printed(sys.executable, "-m", "tests.bench.tracked_client", what, str(TASKS))
            note(f"tracked_{what}", found["tracked"])
            note(f"tracked_{what}_ratio", found["tracked"] / found["untracked"])
        found = printed(sys.executable, SCRIPT, "appliance", "build", str(TASKS))
        note("build_small", found["small"] * 1000)
        note("build", found["large"] * 1000)
        for _ in range(3):
            note("import", ours.import_ms())
            if python is not None:
                note("peer_import", float(printed_line(python, PEER_IMPORT)))
    for key, arguments in {
        "wide": ("local", WIDE),
        "wide_threads": ("threads", WIDE),
        "deep": ("local", WIDE // 2, 2),
    }.items():
        found = printed(sys.executable, "-m", "tests.bench.wide", *map(str, arguments))
        note(f"{key}_slowdown", found["slowdown"])
        note(f"{key}_bytes", found["peak_bytes_per_child"])
    return {key: one for key, one in series.items() if one.values}


def printed_line(python: Path, code: str) -> str:
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()[-1]


def ratios(series: dict[str, Series]) -> dict[str, float]:
    """What the targets speak of, each of medians of one run."""
    found = {"building ten times the tasks takes (10: linear)": series["build"].median / series["build_small"].median}
    for what in ("chain", "map", "import"):
        if f"peer_{what}" in series:
            found[f"faster than prefect 1.4.1: {what}"] = series[f"peer_{what}"].median / series[what].median
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="also install and measure prefect 1.4.1")
    parser.add_argument("--repeats", type=int, default=5, help="repeats of each measurement (default 5)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    series = measure(arguments.repeats, arguments.peers)
    print(json.dumps(machine()))
    for one in series.values():
        print(one.line())
    for text, value in ratios(series).items():
        print(ratio_line(text, value))
    if arguments.json is not None:
        document = {
            "machine": machine(),
            "series": [one.document() for one in series.values()],
            "ratios": ratios(series),
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
