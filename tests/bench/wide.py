"""`python -m tests.bench.wide EXECUTOR WIDTH [DEPTH]`: memory and time of each child of a wide map, in a process of its own.

Prints one JSON object. Memory is what a child costs beyond its result: by tracemalloc at the peak and at the end of the run (a run
of its own, since tracing slows everything down), and by the resident size of the process at its peak.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import time
import tracemalloc
from pathlib import Path

from appliance import Flow, LocalExecutor, ThreadExecutor, task
from appliance.engine.flow_runner import FlowRunner

EXECUTORS = {"local": LocalExecutor, "threads": lambda: ThreadExecutor(4)}


def flow_of(width: int, depth: int) -> Flow:
    elements = list(range(width))

    @task
    def numbers() -> list[int]:
        return elements

    @task
    def same(x: int) -> int:
        return x

    with Flow("wide") as flow:
        last = numbers()
        for _ in range(depth):
            last = same.map(last)
    return flow


def resident() -> int:
    """The highest resident size of this process so far, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def timed(executor: str, width: int, depth: int) -> float:
    """Seconds of one run, its objects freed again."""
    flow = flow_of(width, depth)
    gc.collect()
    began = time.perf_counter()
    state = FlowRunner(flow, EXECUTORS[executor]()).run()
    seconds = time.perf_counter() - began
    assert state.is_successful(), state
    return seconds


def measure(executor: str, width: int, depth: int) -> dict[str, float]:
    children = width * depth
    timed(executor, 1000, depth)  # imports and caches
    small_width = max(width // 10, 1)
    before = resident()
    pairs = [(timed(executor, small_width, depth) * 10, timed(executor, width, depth)) for _ in range(3)]
    small, large = (min(times) / children for times in zip(*pairs, strict=True))
    rss = (resident() - before) / children
    flow = flow_of(width, depth)
    tracemalloc.start()
    state = FlowRunner(flow, EXECUTORS[executor]()).run()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert state.is_successful()
    return {
        "us_per_child": large * 1e6,
        "us_per_child_at_a_tenth": small * 1e6,
        "slowdown": large / small,
        "peak_bytes_per_child": peak / children,
        "kept_bytes_per_child": kept / children,
        "resident_bytes_per_child": rss,
    }


def main() -> None:
    logging.disable(logging.CRITICAL)
    executor, width, *depth = sys.argv[1:]
    print(json.dumps(measure(executor, int(width), int(depth[0]) if depth else 1)))


if __name__ == "__main__":
    main()
