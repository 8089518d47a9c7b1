"""`python -m tests.bench.lifecycles [--runs N] [--connections C] [--json FILE]`: trivial flow runs created, claimed and finished over HTTP.

One client process, a few connections, one server process on SQLite, no processes of runs: create, claim, begin, one report with a task's
two states and the run's end. The floors are as many durable commits on this disk as that makes, since create, begin and report each commit once,
and the CPU for as many requests of a bare server, and of one that is made of the appliance's libraries.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from appliance.kit import clock
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.run_protocol import Begin, FlowStateEvent, Report, TaskStateEvent
from tests.bench.floors import commit_ms, requests_that_commit
from tests.bench.ingestion import Api, flow_of
from tests.bench.measure import machine

_COMMITS = 3
_TRIES = 3
_SLOTS = 50


def finish(api: Api, work: dict[str, Any]) -> None:
    """What a run's process says from its begin to its end."""
    path, token = f"/flow-runs/{work['flow_run_id']}", work["run_token"]
    assert api.post(f"{path}/begin", Begin(attempt=1), token)["verdict"] == "go"
    at = clock.now()
    events = [
        TaskStateEvent(slug="extract-1", type="RUNNING", name="Running", at=at, run_count=1),
        TaskStateEvent(slug="extract-1", type="SUCCESS", name="Success", at=at, run_count=1),
        FlowStateEvent(type="SUCCESS", name="Success", at=at),
    ]
    api.post(f"{path}/report", Report(attempt=1, seq=1, events=events), token)


def threads(number: int, work: Any) -> None:
    """Do the work in so many threads, and hand on the first failure."""
    failures: list[BaseException] = []

    def guarded(place: int) -> None:
        try:
            work(place)
        except BaseException as error:  # recorded and raised below
            failures.append(error)

    every = [threading.Thread(target=guarded, args=(place,)) for place in range(number)]
    for thread in every:
        thread.start()
    for thread in every:
        thread.join()
    if failures:
        raise failures[0]


def measure(folder: Path, runs: int, connections: int) -> dict[str, float]:
    """Runs a second of each phase and of the whole, and the server's CPU for one."""
    api = Api(folder / "api")
    clients = [api, *(api.another() for _ in range(connections - 1))]
    try:
        flow = flow_of(api)
        body = {"name": "bench", "type": "process", "labels": [], "capacity": runs, "version": "0", "host": "h"}
        agent = api.post("/agents", body)["agent_id"]
        began, cpu = time.perf_counter(), api.cpu()
        threads(
            connections,
            lambda place: [
                clients[place].post("/flow-runs", CreateFlowRun(flow_id=flow)) for _ in range(place, runs, connections)
            ],
        )
        created = time.perf_counter()
        queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        claimed = 0
        while claimed < runs:
            asked = {"free_slots": _SLOTS, "wait_s": 0, "labels": []}
            found = api.post(f"/agents/{agent}/claim", asked)["work"]
            assert found
            claimed += len(found)
            for work in found:
                queue.put(work)
        for _ in range(connections):
            queue.put(None)
        taken = time.perf_counter()

        def finish_some(place: int) -> None:
            while (work := queue.get()) is not None:
                finish(clients[place], work)

        threads(connections, finish_some)
        ended, used = time.perf_counter(), api.cpu() - cpu
        done = sum(run["state_type"] == "SUCCESS" for run in api.get("/flow-runs?limit=200&state=SUCCESS")["items"])
        assert done == min(200, runs)
    finally:
        for client in clients[1:]:
            client.close()
        api.stop()
    commit = commit_ms(folder)
    bare = _COMMITS * min(requests_that_commit(folder).cpu_ms for _ in range(_TRIES))
    made_of_libraries = _COMMITS * min(requests_that_commit(folder, libraries=True).cpu_ms for _ in range(_TRIES))
    return {
        "runs": runs,
        "connections": connections,
        "created_per_s": runs / (created - began),
        "claimed_per_s": runs / (taken - created),
        "finished_per_s": runs / (ended - taken),
        "whole_per_s": runs / (ended - began),
        "server_cpu_ms_per_run": used / runs * 1000,
        "bare_server_cpu_ms": bare,
        "times_the_bare_server": used / runs * 1000 / bare,
        "library_server_cpu_ms": made_of_libraries,
        "times_the_library_server": used / runs * 1000 / made_of_libraries,
        "commit_ms": commit,
        "commits_that_a_run_costs": (ended - began) / runs * 1000 / commit,
        "times_the_floor": (ended - began) / runs * 1000 / (commit * _COMMITS),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lifecycles", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
        figures = machine() | measure(Path(name), asked.runs, asked.connections)
    print(json.dumps(figures))
    if asked.json is not None:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
