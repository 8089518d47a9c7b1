"""The same workloads on Prefect 3, run by the Python of its own environment. Prints one JSON object a measurement.

prefect3.py tracked            1,000 no-op tasks, from the call until all are read back as completed
prefect3.py work WORK STEPS    the same for a kind of work of the comparison
prefect3.py serve DIRECTORY    serves the deployment `first-line/bench` until it is ended
prefect3.py first-line FILE    creates a run of it and prints the seconds until its first line
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from prefect import __version__, flow, get_client, task
from prefect.client.schemas.filters import FlowRunFilter
from works import fibo, same

TASKS = 1000


@task
def noop(x: int) -> int:
    return x


@flow
def chain() -> str:
    from prefect.runtime import flow_run

    x = 0
    for _ in range(TASKS):
        x = noop(x)
    return str(flow_run.id)


passed = task(same, name="same")
fibo_of = task(fibo, name="fibo")


@flow
def worked(work: str, steps: int) -> str:
    from prefect.runtime import flow_run

    if work == "map":
        passed.map(list(range(steps))).result()
        return str(flow_run.id)
    x = 0
    for _ in range(steps):
        x = passed(x) if work == "chain" else fibo_of(int(work.removeprefix("fibo")))
    return str(flow_run.id)


@flow(name="first-line")
def first_line(path: str) -> None:
    Path(path).write_text(str(time.time_ns()))


async def completed(flow_run_id: str, tasks: int) -> int:
    async with get_client() as client:
        run_filter = FlowRunFilter(id={"any_": [flow_run_id]})
        found = 0
        for offset in range(0, tasks, 200):
            runs = await client.read_task_runs(
                flow_run_filter=run_filter,
                limit=200,
                offset=offset,
            )
            found += sum(run.state is not None and run.state.is_completed() for run in runs)
        return found


def tracked(run: Callable[[], str], tasks: int) -> dict[str, object]:
    began = time.perf_counter()
    flow_run_id = run()
    ended = time.perf_counter()
    while asyncio.run(completed(flow_run_id, tasks)) < tasks:
        time.sleep(0.1)
        if time.perf_counter() - ended > 120:
            raise SystemExit("not all task runs were recorded within 120 s")
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "returned_after": ended - began,
        "steps": tasks,
        "recorded": tasks,
        "version": __version__,
    }


def create_and_wait(path: str) -> dict[str, float]:
    async def create() -> None:
        async with get_client() as client:
            deployment = await client.read_deployment_by_name("first-line/bench")
            await client.create_flow_run_from_deployment(deployment.id, parameters={"path": path})

    began = time.time_ns()
    asyncio.run(create())
    deadline = time.monotonic() + 60
    while not Path(path).exists() or not Path(path).read_text():
        time.sleep(0.01)
        if time.monotonic() > deadline:
            raise SystemExit("the run did not start within 60 s")
    return {"seconds": (int(Path(path).read_text()) - began) / 1e9}


def main() -> None:
    verb, *rest = sys.argv[1:]
    if verb == "serve":
        first_line.serve(name="bench")
    elif verb == "tracked":
        print(json.dumps(tracked(chain, TASKS)), flush=True)
    elif verb == "work":
        print(json.dumps(tracked(lambda: worked(rest[0], int(rest[1])), int(rest[1]))), flush=True)
    else:
        print(json.dumps(create_and_wait(rest[0])), flush=True)


if __name__ == "__main__":
    main()
