"""Stores results in memory instead of in files and object stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from appliance.core.flow import Flow
from appliance.core.results import Result
from appliance.core.task import Task
from appliance.engine.results.memory import MemoryResult


@contextmanager
def memory_results(flow: Flow) -> Iterator[MemoryResult]:
    """Inside the block, the flow and its tasks store results in memory, under the locations they would otherwise have. The yielded
    object's `contents` map each location to its bytes. Each task keeps its serializer."""
    owners: list[Flow | Task] = [flow, *flow.tasks]
    before = [owner.result for owner in owners]
    shared = _in_memory(flow.result, {})
    for owner, result in zip(owners, before, strict=True):
        if result is not None:
            owner.result = _in_memory(result, shared.contents)
    flow.result = shared
    try:
        yield shared
    finally:
        for owner, result in zip(owners, before, strict=True):
            owner.result = result


def _in_memory(result: Result | None, contents: dict[str, bytes]) -> MemoryResult:
    memory = MemoryResult() if result is None else MemoryResult(location=result.location, serializer=result.serializer)
    memory.contents = contents
    return memory
