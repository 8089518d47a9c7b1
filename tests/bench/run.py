"""`python -m tests.bench.run [--peers] [--repeats N] [--json FILE]`: alternates ours and the peer, prints medians and ratios."""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import engine, floors, ours, prefect
from tests.bench.measure import Series, machine, ratio_line
from tests.e2e.appliance_process import running


def main() -> int:
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        series = measure(Path(name), arguments.repeats, arguments.peers)
    report(series, engine.measure(arguments.repeats, arguments.peers), arguments)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="also install and measure Prefect 3 and prefect 1.4.1")
    parser.add_argument("--repeats", type=int, default=5, help="repeats of each measurement (default 5)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def measure(folder: Path, repeats: int, peers: bool) -> dict[str, Series]:
    series = {
        key: Series(name, unit)
        for key, name, unit in (
            ("interpreter", "floor: an interpreter starts and ends", "ms"),
            ("commit", "floor: one durable SQLite commit", "ms"),
            ("import", "import of the SDK", "ms"),
            ("untracked_chain", "untracked no-op task, chain of 1,000", "us"),
            ("untracked_map", "untracked no-op task, map of 1,000", "us"),
            ("tracked_chain", "tracked, results kept, recorded, chain of 1,000", "tasks/s"),
            ("tracked_map", "tracked, results kept, recorded, map of 1,000", "tasks/s"),
            ("first_line", "create run to first user line", "ms"),
            ("peer_tracked", "Prefect 3: tracked and recorded, chain of 1,000", "tasks/s"),
            ("peer_first_line", "Prefect 3: create run to first user line (serve)", "ms"),
        )
    }
    with ExitStack() as stack:
        appliance = stack.enter_context(running(folder / "data"))
        done = appliance.cli("register", str(ours.FLOWS), "--project", "bench")
        assert done.returncode == 0, done.stderr
        peer = stack.enter_context(prefect.running(folder)) if peers else None
        ours.first_line_seconds(appliance, folder, -1)  # the first run warms both up
        for repeat in range(repeats):
            print(f"round {repeat + 1} of {repeats}", flush=True)
            series["interpreter"].values.append(floors.interpreter_ms())
            series["commit"].values.append(floors.commit_ms(folder))
            series["import"].values.append(ours.import_ms())
            series["untracked_chain"].values.append(ours.untracked_us("chain"))
            series["untracked_map"].values.append(ours.untracked_us("mapped"))
            series["tracked_chain"].values.append(ours.TASKS / ours.tracked_seconds(appliance, "noop-chain"))
            if peer is not None:
                series["peer_tracked"].values.append(ours.TASKS / peer.tracked_seconds())
            series["tracked_map"].values.append(ours.TASKS / ours.tracked_seconds(appliance, "noop-map"))
            for number in range(4):
                series["first_line"].values.append(
                    ours.first_line_seconds(appliance, folder, repeat * 4 + number) * 1000
                )
            if peer is not None:
                series["peer_first_line"].values.append(peer.first_line_seconds(folder / f"peer-{repeat}") * 1000)
        if peer is not None:
            print(f"Prefect {peer.version()}")
    return {key: one for key, one in series.items() if one.values}


def report(series: dict[str, Series], alone: dict[str, Series], arguments: argparse.Namespace) -> None:
    print(json.dumps(machine()))
    every = [*series.values(), *alone.values()]
    for one in every:
        print(one.line())
    ratios = {"commits that a tracked task costs": 1000 / series["tracked_chain"].median / series["commit"].median}
    if "peer_tracked" in series:
        ratios["recorded tasks a second, ours to Prefect 3"] = (
            series["tracked_chain"].median / series["peer_tracked"].median
        )
        ratios["sooner to the first user line than Prefect 3"] = (
            series["peer_first_line"].median / series["first_line"].median
        )
    ratios |= engine.ratios(alone)
    for text, value in ratios.items():
        print(ratio_line(text, value))
    if arguments.json is not None:
        document = {"machine": machine(), "series": [one.document() for one in every], "ratios": ratios}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
