"""The works on prefect 1.4.1 with its local executor: `flow.run()` without a server, so that nothing is recorded.

prefect1.py WORK STEPS   prints {"seconds", "steps", "recorded", "version"}
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import prefect
from prefect import Flow, task
from works import fibo, same

passed = task(same, name="same")


@task(name="fibo")
def after(n: int, _before: int) -> int:
    return fibo(n)


def build(work: str, steps: int) -> Flow:
    with Flow(work) as flow:
        x: Any = 0
        if work == "map":
            passed.map(list(range(steps)))
        for _ in range(steps if work != "map" else 0):
            x = passed(x) if work == "chain" else after(int(work.removeprefix("fibo")), x)
    return flow


def main() -> None:
    work, steps = sys.argv[1], int(sys.argv[2])
    logging.disable(logging.CRITICAL)
    build("chain", 5).run()
    flow = build(work, steps)
    began = time.perf_counter()
    state = flow.run()
    seconds = time.perf_counter() - began
    assert state.is_successful(), state
    print(json.dumps({"seconds": seconds, "steps": steps, "recorded": 0, "version": prefect.__version__}))


if __name__ == "__main__":
    main()
