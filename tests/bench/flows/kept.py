"""A wide and a long flow whose tasks return a number, once with results that are kept for a restart and once without."""

from __future__ import annotations

from appliance import Flow, Task, task

MAP, CHAIN = 10_000, 2_000
"""A flow that is registered is described in at most 1 MB."""


def same(kept: bool) -> Task:
    @task(name="same", checkpoint=None if kept else False)
    def passed(x: int) -> int:
        return x

    return passed


def numbers(kept: bool) -> Task:
    @task(name="numbers", checkpoint=None if kept else False)
    def listed() -> list[int]:
        return list(range(MAP))

    return listed


def chain(name: str, kept: bool) -> Flow:
    one = same(kept)
    with Flow(name) as flow:
        last = 1
        for _ in range(CHAIN):
            last = one(last)
    return flow


def mapped(name: str, kept: bool) -> Flow:
    with Flow(name) as flow:
        same(kept).map(numbers(kept)())
    return flow


chain_kept, chain_free = chain("chain-kept", kept=True), chain("chain-free", kept=False)
map_kept, map_free = mapped("map-kept", kept=True), mapped("map-free", kept=False)
