"""`python -m tests.chaos.packs DIRECTORY`: one attempt of a run whose small results go into packs, to be killed at any of its writes.

Its server is a journal of the reports that it acknowledged, and a ledger has the calls of its tasks. The directory is all that the next
attempt finds.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from appliance import Flow, LocalResult, context, task
from appliance.core.states import State
from appliance.engine.tracked.flow_runner import TrackedFlowRunner
from appliance.engine.tracked.reporter import Reporter
from appliance.protocol.run_protocol import EarlierTask, Report, Reported, TaskStateEvent

WIDTH = 12
Key = tuple[str, int]


def append(file: Path, line: bytes) -> None:
    """One write, so that a line is there whole or not at all."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, line + b"\n")
    os.close(handle)


def flow_of(directory: Path) -> Flow:
    """A flow whose starts are acknowledged one by one, so that its packs are synced often."""

    def note() -> None:
        append(directory / "ledger", json.dumps([context.task_slug, context.map_index]).encode())

    @task
    def numbers() -> list[int]:
        note()
        return list(range(WIDTH))

    @task
    def double(x: int) -> int:
        note()
        return 2 * x

    @task
    def total(values: list[int]) -> int:
        note()
        return sum(values)

    place = LocalResult(directory / "results")
    place.optional = (
        directory / "optional"
    ).exists()  # then a result is written by the sync, and otherwise by the task
    with Flow("packs", strict_tracking=True, result=place) as flow:
        total(double.map(numbers()))
    return flow


EVERY: dict[Key, Any] = {
    ("numbers-1", -1): list(range(WIDTH)),
    **{("double-1", index): 2 * index for index in range(WIDTH)},
    ("total-1", -1): WIDTH * (WIDTH - 1),
}


def attempt(directory: Path) -> State:
    """Run what has not been acknowledged yet."""
    known = acknowledged(directory)

    def acknowledge(content: bytes) -> Reported:
        append(directory / "journal", content)
        return Reported(acked=msgspec.json.decode(content, type=Report).seq, cancel=False)

    reporter = Reporter(
        acknowledge, 1, directory / "spool", on_cancel=lambda _reason: None, on_dead=lambda _reason: None
    )
    reporter.start()
    runner = TrackedFlowRunner(flow_of(directory), reporter)
    runner.go_on_from(known.values())
    final = runner.run()
    reporter.flow_state(final)
    assert reporter.close(20)
    return final


def acknowledged(directory: Path) -> dict[Key, EarlierTask]:
    """The task runs of which the journal has a success, as a server would hand them to the next attempt."""
    file = directory / "journal"
    found: dict[Key, EarlierTask] = {}
    for line in file.read_bytes().splitlines() if file.exists() else []:
        for event in msgspec.json.decode(line, type=Report).events:
            if isinstance(event, TaskStateEvent) and event.type == "SUCCESS":
                found[event.slug, event.map_index] = EarlierTask(
                    task_slug=event.slug,
                    map_index=event.map_index,
                    type=event.type,
                    name=event.name,
                    message=event.message,
                    data=event.data or {},
                    result_location=event.result_location,
                )
    return found


def calls(directory: Path) -> list[Key]:
    """The calls of tasks so far."""
    file = directory / "ledger"
    return [(slug, index) for slug, index in map(json.loads, file.read_text().splitlines())] if file.exists() else []


if __name__ == "__main__":
    sys.exit(0 if attempt(Path(sys.argv[1])).is_successful() else 1)
