"""The works of the comparison as flows: results are kept, and with `strict` each start is acknowledged before the task runs."""

from __future__ import annotations

from typing import Any

from appliance import Flow, task
from tests.bench.peers.works import STEPS, fibo, same

passed = task(same, name="same")


@task(name="fibo")
def after(n: int, _before: int) -> int:
    return fibo(n)


@task
def numbers() -> list[int]:
    return list(range(STEPS["map"]))


def flow_of(work: str, *, strict: bool = False) -> Flow:
    """The flow of one kind of work."""
    with Flow(f"{work}-strict" if strict else work, strict_tracking=strict) as flow:
        if work == "map":
            passed.map(numbers())
            return flow
        x: Any = 0
        for _ in range(STEPS[work]):
            x = passed(x) if work == "chain" else after(int(work.removeprefix("fibo")), x)
    return flow


chain, fibo10, fibo33, mapped = flow_of("chain"), flow_of("fibo10"), flow_of("fibo33"), flow_of("map")
chain_strict = flow_of("chain", strict=True)
