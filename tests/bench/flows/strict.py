"""A chain of tasks that do nothing, each of which starts only once the server has stored that it is Running."""

from __future__ import annotations

from appliance import Flow, task

TASKS = 1000


@task
def start() -> int:
    return 0


@task
def noop(x: int) -> int:
    return x


with Flow("strict-chain", strict_tracking=True) as chain:
    x = start()
    for _ in range(TASKS - 1):
        x = noop(x)
