"""Flows of 10,000 tasks that do nothing, for the engine and for prefect 1, whose names for all of it are the same.

`python engine.py LIBRARY WHAT` prints one JSON object: microseconds a task of a `chain` or `map`, or seconds to `build` with 1,000 and
with 10,000 tasks; run by the Python that has the library.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import time
from typing import Any

logging.disable(logging.CRITICAL)


def chain(library: Any, tasks: int) -> Any:
    @library.task
    def noop(x: int) -> int:
        return x

    with library.Flow("chain") as flow:
        last = 0
        for _ in range(tasks):
            last = noop(last)
    return flow


def mapped(library: Any, tasks: int) -> Any:
    @library.task
    def numbers() -> list[int]:
        return list(range(tasks))

    @library.task
    def noop(x: int) -> int:
        return x

    with library.Flow("map") as flow:
        noop.map(numbers())
    return flow


def run_us(library: Any, make: Any, tasks: int) -> float:
    """Microseconds a task, after a run of a small flow that warms everything up."""
    assert make(library, 20).run().is_successful()
    flow = make(library, tasks)
    began = time.perf_counter()
    state = flow.run()
    seconds = time.perf_counter() - began
    assert state.is_successful(), state
    return seconds / tasks * 1e6


def build_seconds(library: Any, tasks: int) -> float:
    began = time.perf_counter()
    flow = chain(library, tasks)
    seconds = time.perf_counter() - began
    assert len(flow.tasks) >= tasks
    return seconds


def main() -> None:
    name, what, tasks = sys.argv[1], sys.argv[2], int(sys.argv[3])
    library = importlib.import_module(name)
    if what == "build":
        chain(library, 20)
        found = {"small": build_seconds(library, tasks // 10), "large": build_seconds(library, tasks)}
    else:
        found = {"us": run_us(library, {"chain": chain, "map": mapped}[what], tasks)}
    print(json.dumps({"version": library.__version__, **found}))


if __name__ == "__main__":
    main()
