"""Tasks that do nothing, each of which starts only once the server has stored that it is Running: a chain, and a map in eight threads. The
same map, reported in batches, shows what the threads and the storing cost without waiting."""

from __future__ import annotations

from appliance import Flow, ThreadExecutor, task

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

with Flow("strict-map", strict_tracking=True, executor=ThreadExecutor(max_workers=8)) as mapped:
    noop.map(list(range(TASKS)))

with Flow("batched-map", executor=ThreadExecutor(max_workers=8)) as batched:
    noop.map(list(range(TASKS)))
