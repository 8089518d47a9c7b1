"""The flows of the chaos runs. Each task writes a line into a ledger, from which the judge sees which attempt did what."""

from __future__ import annotations

import os
import time
from datetime import timedelta

from appliance import Flow, IntervalSchedule, Parameter, get_logger, task


def record(slug: str) -> None:
    """One write, so that a line is there whole or not at all."""
    line = f"{os.environ['APPLIANCE_RUN_ID']} {os.environ['APPLIANCE_RUN_ATTEMPT']} {slug}\n"
    ledger = os.open(os.environ["CHAOS_LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(ledger, line.encode())
    os.close(ledger)


@task
def first(pause: float) -> int:
    record("first-1")
    time.sleep(pause)
    return 1


@task
def second(x: int, n: int) -> int:
    record("second-1")
    if n % 11 == 7:
        raise ValueError("some of the runs fail by themselves")
    return x + n


@task
def tick() -> None:
    record("tick-1")


@task
def speak(number: int, lines: int, pause: float) -> None:
    for line in range(number * lines, (number + 1) * lines):
        get_logger().info("line %d", line)
    time.sleep(pause)


PARTS = 20

with Flow("speaks") as speaks:
    lines, pause = Parameter("lines", default=1), Parameter("pause", default=0.0)
    said = speak(0, lines, pause)
    for part in range(1, PARTS):
        said = speak(part, lines, pause, upstream_tasks=[said])

with Flow("work") as work:
    second(first(Parameter("pause", default=0.2)), Parameter("n", default=0))

with Flow("ticks", schedule=IntervalSchedule(timedelta(seconds=3))) as ticks:
    tick()
