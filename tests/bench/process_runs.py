"""`python -m tests.bench.process_runs [--runs 200] [--slots 16] [--json FILE]`: how many trivial runs a process agent finishes in a second.

The runs are there before the agent is; counted is from the first one's begin to the last one's end, as the server has recorded them. The floors
are, one after the other: a fork of a process that has loaded what a run needs, which ends at once, and the start of an interpreter that does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import appliance.agents.execute  # noqa: F401 - what a run needs
from tests.bench.floors import interpreter_ms
from tests.bench.measure import machine
from tests.e2e.appliance_process import clean_environment, until
from tests.integration.live import TOKEN, LiveServer

TARGET = 60.0
FLOW = """
from appliance import Flow, task

@task
def one():
    return 1

with Flow("trivial") as flow:
    one()
"""
_ENDED = "select count(*), min(start_time), max(end_time) from flow_run where state_name = 'Success' and flow_id = (select id from flow where name = 'trivial')"


def forks(number: int) -> float:
    """Milliseconds of one."""
    began = time.perf_counter()
    for _ in range(number):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    return (time.perf_counter() - began) / number * 1000


def measure(folder: Path, runs: int, slots: int) -> float:
    """Runs finished in a second."""
    server = LiveServer(folder / "data").start()
    (folder / "flow.py").write_text(FLOW)
    server.register(folder / "flow.py")
    for _ in range(runs):
        server.create("trivial")
    own = {"APPLIANCE_URL": server.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_DATA_DIR": str(folder / "agent")}
    options = ["--name", "bench", "--root", "/", "--capacity", str(slots)]
    command = [sys.executable, "-m", "appliance", "agent", "process", *options]
    with subprocess.Popen(command, env=clean_environment(**own), stderr=subprocess.DEVNULL) as agent:
        try:
            first, last = until("all runs have succeeded", lambda: _span(folder / "data" / "appliance.db", runs), 300)
        finally:
            agent.terminate()
            agent.wait(30)
            server.stop()
    return runs / (last - first).total_seconds()


def _span(database: Path, runs: int) -> tuple[datetime, datetime] | None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        ended, first, last = connection.execute(_ENDED).fetchone()
    return (datetime.fromisoformat(first), datetime.fromisoformat(last)) if ended == runs else None


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.bench.process_runs", description=__doc__)
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--slots", type=int, default=16)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    fork = forks(given.runs)
    interpreter = statistics.median(interpreter_ms() for _ in range(20))
    with tempfile.TemporaryDirectory() as folder:
        rate = measure(Path(folder), given.runs, given.slots)
    figures: dict[str, Any] = {
        "runs/s": round(rate, 1),
        "forks/s": round(1000 / fork, 1),
        "interpreters/s": round(1000 / interpreter, 1),
        "machine": machine(),
    }
    print(
        f"{rate:.1f} runs/s (target {TARGET:.0f}); floors: {1000 / fork:.0f} forks/s, {1000 / interpreter:.0f} interpreters/s"
    )
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))
    return 0 if rate >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
