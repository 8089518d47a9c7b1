"""Our side: the engine alone, a tracked run until it is recorded whole, and the way from creating a run to its first line."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx

from tests.bench import recorded
from tests.e2e.appliance_process import TOKEN, Appliance, until

FLOWS = Path(__file__).parent / "flows" / "noop.py"
TASKS = 1000

UNTRACKED = """
import sys, time, logging
logging.disable(logging.CRITICAL)
sys.path.insert(0, sys.argv[1])
import noop
flow = getattr(noop, sys.argv[2])
flow.run()
began = time.perf_counter()
state = flow.run()
assert state.is_successful(), state
print((time.perf_counter() - began) / noop.TASKS * 1e6)
"""

IMPORT = "import time; began = time.perf_counter(); from appliance import Flow, task; print((time.perf_counter() - began) * 1000)"


def untracked_us(flow: str) -> float:
    """Microseconds a no-op task, in this process's engine without a server."""
    done = subprocess.run(
        [sys.executable, "-c", UNTRACKED, str(FLOWS.parent), flow],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return float(done.stdout)


def import_ms() -> float:
    """Milliseconds to import the SDK in a new interpreter."""
    return float(
        subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True, timeout=60).stdout
    )


def tracked_seconds(appliance: Appliance, flow: str) -> float:
    """From creating the run until the server has recorded it with every task run successful and every result kept."""
    run_id = appliance.create_run(flow, "bench")
    appliance.wait_for(run_id, "SUCCESS", "FAILED", seconds=120)
    found = recorded.read(appliance.data_dir, run_id)
    assert found.tasks == found.successful >= TASKS and found.kept >= TASKS, found
    return found.whole


def first_line_seconds(appliance: Appliance, folder: Path, number: int) -> float:
    """From asking the API for a run until the user's first line runs, on the embedded process agent."""
    path = folder / f"first-line-{number}"
    body = {"project": "bench", "flow": "first-line", "parameters": {"path": str(path)}}
    with httpx.Client(base_url=appliance.url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as client:
        client.get("/livez").raise_for_status()  # making a client, above all its TLS, takes longer than the run
        began = time.time_ns()
        client.post("/api/v1/flow-runs", json=body).raise_for_status()
    until("the first line has run", lambda: path.exists() and path.read_text(), 60)
    return (int(path.read_text()) - began) / 1e9
