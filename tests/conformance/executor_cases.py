"""The executors that the suite runs over, and what its tasks leave behind for the test to see: they may run in other processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor
from appliance.engine.executors.dask import DaskExecutor
from tests.conformance.parity_surroundings import SECRETS

IN_PROCESS: dict[str, Callable[[], Executor]] = {
    "local": LocalExecutor,
    "threads": lambda: ThreadExecutor(max_workers=4),
    "one thread": lambda: ThreadExecutor(max_workers=1),
}
ELSEWHERE = ("processes", "dask")
ALL = (*IN_PROCESS, *ELSEWHERE)
WORKERS = 2
"""Of the Dask cluster."""


@contextmanager
def dask_cluster() -> Iterator[Any]:
    """A real cluster of two processes that lose nothing to a dead sibling."""
    import dask
    import distributed

    with pytest.MonkeyPatch.context() as environment, dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        for name, value in SECRETS.items():
            environment.setenv(name, value)
        cluster: Any = distributed.LocalCluster
        with cluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=False
        ) as made:
            yield made


def make(name: str, request: pytest.FixtureRequest) -> Executor:
    """The executor of that name; the cluster is started by the first test that needs it."""
    if name in IN_PROCESS:
        return IN_PROCESS[name]()
    if name == "processes":
        return ProcessExecutor(max_workers=2)
    cluster = request.getfixturevalue("cluster")
    wait_for_workers(cluster)
    return DaskExecutor(address=cluster.scheduler_address)


def wait_for_workers(cluster: Any, seconds: float = 120) -> None:
    """Until all workers run, and the scheduler and their nannies know it.

    A nanny doesn't replace a worker that dies before it knows, and on a busy machine that takes a while; one that fails to replace it ends.
    Tests that kill workers one after the other would end with a cluster without any. The scheduler is the first to hear of a death: until
    the nanny hears of it too, it takes the dead worker for a running one.
    """
    tick = threading.Event()
    for _ in range(int(seconds / 0.01)):
        nannies = list(cluster.workers.values())
        if len(nannies) < WORKERS:
            cluster.scale(WORKERS)
        elif len(cluster.scheduler.workers) == WORKERS and all(map(_is_running, nannies)):
            return
        tick.wait(0.01)
    raise TimeoutError("a Dask worker was not replaced")


def _is_running(nanny: Any) -> bool:
    return nanny.process is not None and nanny.process.status.name == "running"


class Trace:
    """A file to which tasks in any process add lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, line: str) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(fd, f"{line}\n".encode())
        os.close(fd)

    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []

    def wait_for(self, line: str, seconds: float = 20) -> None:
        """Until the line is there."""
        tick = threading.Event()
        for _ in range(int(seconds / 0.01)):
            if line in self.lines():
                return
            tick.wait(0.01)
        raise TimeoutError(line)
