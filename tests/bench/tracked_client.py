"""`python -m tests.bench.tracked_client WHAT TASKS`: what tracking costs the process of a run, with a server that costs nothing.

Prints one JSON object: microseconds a task untracked and tracked, in turn in one process. Tracked counts until the last report is
encoded and acknowledged.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import appliance
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.tracked.flow_runner import TrackedFlowRunner
from appliance.engine.tracked.logs import reported
from appliance.engine.tracked.reporter import Reporter
from appliance.protocol.run_protocol import Reported
from tests.bench.flows import engine

_SEQ = re.compile(rb'"seq":(\d+)')
REPEATS = 3


def acknowledge(report: bytes) -> Reported:
    found = _SEQ.search(report, 0, 200)
    assert found is not None
    return Reported(acked=int(found[1]), cancel=False)


def untracked(flow: Any) -> float:
    began = time.perf_counter()
    assert FlowRunner(flow).run().is_successful()
    return time.perf_counter() - began


def tracked(flow: Any, spool: Path) -> float:
    reporter = Reporter(acknowledge, 1, spool, on_cancel=lambda _reason: None, on_dead=lambda _reason: None)
    reporter.start()
    began = time.perf_counter()
    with reported(reporter, directory=spool.parent) as log:
        runner = TrackedFlowRunner(flow, reporter)
        runner.log = log
        assert runner.run().is_successful()
        assert runner.final is not None
        reporter.flow_state(runner.final)
    assert reporter.close(60)
    return time.perf_counter() - began


def main() -> None:
    what, tasks = sys.argv[1], int(sys.argv[2])
    make = {"chain": engine.chain, "map": engine.mapped}[what]
    with tempfile.TemporaryDirectory() as folder:
        tracked(make(appliance, 20), Path(folder) / "warm")
        pairs = []
        for number in range(REPEATS):
            plain = untracked(make(appliance, tasks))
            pairs.append((plain, tracked(make(appliance, tasks), Path(folder) / str(number))))
    plain_us, tracked_us = (statistics.median(times) / tasks * 1e6 for times in zip(*pairs, strict=True))
    print(json.dumps({"untracked": plain_us, "tracked": tracked_us}))


if __name__ == "__main__":
    main()
