"""Flows of tasks that do nothing, and one whose only task notes the time at which it began."""

from __future__ import annotations

import time
from pathlib import Path

from appliance import Flow, Parameter, task

TASKS = 1000


@task
def start() -> int:
    return 0


@task
def noop(x: int) -> int:
    return x


@task
def numbers() -> list[int]:
    return list(range(TASKS))


with Flow("noop-chain") as chain:
    x = start()
    for _ in range(TASKS - 1):
        x = noop(x)

with Flow("noop-map") as mapped:
    noop.map(numbers())


@task
def note_time(path: str) -> None:
    Path(path).write_text(str(time.time_ns()))


with Flow("first-line") as first_line:
    note_time(Parameter("path", type=str))
