"""`python -m tests.bench.soak [--for 30m|72h] [--every SECONDS] [--lines FILE] [--json FILE]`: the whole appliance on SQLite at rated load.

Every minute one JSON line: memory, files and threads of all processes, the sizes of the database and its write-ahead log, how fast
requests were answered and how late runs were claimed. At the end a verdict on what must not grow. Ends by itself and leaves nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import process_guard
from tests.bench import processes
from tests.bench.measure import machine, percentile
from tests.bench.rated_load import PERIOD, Heard, Load
from tests.e2e.appliance_process import TOKEN, Appliance

_UNITS = {"": 60.0, "s": 1.0, "m": 60.0, "h": 3600.0}
LEAST_WARM_UP, MOST_WARM_UP = PERIOD + 100.0, 7_200.0
"""Seconds. At least until all runs are alive; else the first third, in which caches fill, and never more than two hours."""
LEAST_GROWTH, GROWTH_AN_HOUR = 0.03, 0.001
WAL_MB = 64.0


def seconds(text: str) -> float:
    """30m, 72h, 90s; a bare number is minutes."""
    found = re.fullmatch(r"([0-9.]+)([smh]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError("say it like 90s, 30m or 72h")
    return float(found[1]) * _UNITS[found[2]]


def sample(appliance: Appliance, load: Load, before: dict[str, float]) -> dict[str, Any]:
    """What holds now, and what happened since the sample before."""
    assert appliance.process is not None
    pids, heard = processes.tree(appliance.process.pid), load.heard()
    now, cpu = time.monotonic(), processes.cpu_seconds(pids)
    elapsed = now - before["at"]
    used = (cpu - before["cpu"]) / elapsed
    before.update(at=now, cpu=cpu)
    parts = [
        {
            "process": processes.title(pid),
            "pss_mb": round(processes.pss_mb(pid), 1),
            "rss_mb": round(processes.rss_mb(pid), 1),
            "files": processes.files(pid),
            "threads": processes.threads(pid),
        }
        for pid in pids
    ]
    return {
        "second": round(now - before["began"]),
        "pss_mb": round(sum(processes.pss_mb(pid) for pid in pids), 1),
        "files": sum(processes.files(pid) for pid in pids),
        "threads": sum(processes.threads(pid) for pid in pids),
        "cpu_percent": round(used * 100, 1),
        "database_mb": _megabytes(appliance.data_dir, "*.db"),
        "wal_mb": _megabytes(appliance.data_dir, "*.db-wal"),
        "live": load.live,
        **told(heard, elapsed),
        "processes": parts,
    }


def told(heard: Heard, elapsed: float) -> dict[str, Any]:
    """Rates, and how long what was asked took."""
    found: dict[str, Any] = {
        "transitions_per_s": round(heard.counts["transitions"] / elapsed, 1),
        "lines_per_s": round(heard.counts["lines"] / elapsed, 1),
        "requests_per_s": round(len(heard.milliseconds) / elapsed, 1),
        **{name: heard.counts[name] for name in ("finished", "lost", "errors", "told")},
    }
    for name, values in (("ms", heard.milliseconds), ("late_s", heard.late_seconds)):
        for share in (0.5, 0.99):
            found[f"p{round(share * 100)}_{name}"] = round(percentile(values, share), 3) if values else None
    return found | {name: number for name, number in heard.counts.items() if name.startswith("errors of")}


def verdict(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What must not grow after the warm-up, each with whether it holds."""
    warm = min(MOST_WARM_UP, max(LEAST_WARM_UP, samples[-1]["second"] / 3)) if samples else 0.0
    kept = [one for one in samples if one["second"] > warm]
    if len(kept) < 4:
        return {"holds": None, "why": "too short to tell"}
    hours = (kept[-1]["second"] - kept[0]["second"]) / 3600
    growth = _fitted(kept, "pss_mb") * hours / statistics.fmean(one["pss_mb"] for one in kept)
    third = max(1, len(kept) // 3)
    checks: dict[str, Any] = {
        "memory_growth": {
            "share": round(growth, 4),
            "mb_an_hour": round(_fitted(kept, "pss_mb"), 2),
            "holds": growth <= max(LEAST_GROWTH, GROWTH_AN_HOUR * hours),
        },
        "wal_mb": {"most": max(one["wal_mb"] for one in samples)},
        "errors": {"number": sum(one["errors"] for one in samples), "lost_runs": sum(one["lost"] for one in samples)},
    }
    checks["wal_mb"]["holds"] = checks["wal_mb"]["most"] <= WAL_MB
    checks["errors"]["holds"] = checks["errors"] == {"number": 0, "lost_runs": 0}
    for name in ("files", "threads"):
        first, last = (statistics.median(one[name] for one in part) for part in (kept[:third], kept[-third:]))
        checks[name] = {"first": first, "last": last, "holds": last <= first * 1.02 + 2}
    first_ms, last_ms = (statistics.median(one["p99_ms"] for one in part) for part in (kept[:third], kept[-third:]))
    checks["p99"] = {"first_ms": first_ms, "last_ms": last_ms, "ratio": round(last_ms / first_ms, 2)}
    checks["p99"]["holds"] = last_ms <= first_ms * 1.2
    return {"holds": all(check["holds"] for check in checks.values()), "hours": round(hours, 2), **checks}


def _fitted(samples: Sequence[dict[str, Any]], name: str) -> float:
    """How much it grows an hour, by least squares."""
    times, values = [one["second"] / 3600 for one in samples], [one[name] for one in samples]
    return statistics.linear_regression(times, values).slope


def _megabytes(folder: Path, pattern: str) -> float:
    return round(sum(path.stat().st_size for path in folder.glob(pattern)) / 1e6, 1)


def soak(folder: Path, duration: float, every: float, lines: Path | None) -> list[dict[str, Any]]:
    """The samples, which are also printed and written as they come."""
    appliance, samples = Appliance(folder / "data"), []
    try:
        appliance.start()
        load = Load(appliance.url, TOKEN)
        load.start()
        assert appliance.process is not None
        began = time.monotonic()
        before = {"began": began, "at": began, "cpu": processes.cpu_seconds(processes.tree(appliance.process.pid))}
        while (left := began + duration - time.monotonic()) > 0:
            time.sleep(min(every, left))
            samples.append(sample(appliance, load, before))
            text = json.dumps(samples[-1])
            print(text, flush=True)
            if lines is not None:
                with lines.open("a") as file:
                    file.write(text + "\n")
        load.stop()
    finally:
        appliance.end()
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--for", dest="duration", type=seconds, default=1800.0, help="how long: 30m, 72h (default 30m)")
    parser.add_argument("--every", type=float, default=60.0, help="seconds between samples")
    parser.add_argument("--lines", type=Path, help="also append the samples to this file")
    parser.add_argument("--json", type=Path, help="write machine, samples and verdict to this file")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    process_guard.watch()
    with tempfile.TemporaryDirectory(prefix="appliance-soak-") as name:
        samples = soak(Path(name), asked.duration, asked.every, asked.lines)
    found = verdict(samples)
    print(json.dumps(machine() | {"verdict": found}))
    if asked.json is not None:
        asked.json.write_text(json.dumps({"machine": machine(), "verdict": found, "samples": samples}, indent=2) + "\n")
    return 1 if found["holds"] is False else 0


if __name__ == "__main__":
    raise SystemExit(main())
