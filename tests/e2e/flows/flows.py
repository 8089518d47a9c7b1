"""The flows that the end-to-end tests run."""

from __future__ import annotations

import time
from pathlib import Path

from appliance import Flow, Parameter, get_logger, task


@task
def numbers(n: int) -> list[int]:
    get_logger().info("counting to %d", n)
    return list(range(n))


@task
def double(x: int) -> int:
    return 2 * x


@task(log_stdout=True)
def total(values: list[int]) -> int:
    print(f"the total is {sum(values)}")
    return sum(values)


with Flow("sums") as sums:
    n = Parameter("n", default=3, type=int)
    total(double.map(numbers(n)))


@task
def fail() -> None:
    raise ValueError("the oven is cold")


@task
def never(x: object) -> None:
    return None


with Flow("fails") as fails:
    never(fail())


@task
def wait_for_file(path: str, seconds: float) -> None:
    get_logger().info("waiting for a file")
    deadline = time.monotonic() + seconds
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.05)


@task
def after(x: object) -> None:
    get_logger().info("the file is there")


with Flow("waits") as waits:
    after(wait_for_file(Parameter("path", type=str), Parameter("seconds", default=120.0)))


@task
def link(x: int, pause: float) -> int:
    time.sleep(pause)
    return x + 1


with Flow("chain-200") as chain:
    pause = Parameter("pause", default=0.1)
    x = link(0, pause)
    for _ in range(199):
        x = link(x, pause)
