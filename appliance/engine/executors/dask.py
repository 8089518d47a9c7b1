"""Runs the code of tasks on a Dask cluster. States, handlers, retries and results stay in the flow's process."""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from appliance.core import artifacts
from appliance.core.async_functions import refuse_async
from appliance.core.states import Cancelled, Crashed, Failed, State
from appliance.engine import failures, thread_context
from appliance.engine.calls import Invocation
from appliance.engine.deadlines import timed_out
from appliance.engine.executors import dask_settings, pickling, remote_logs
from appliance.engine.executors.channel import Content
from appliance.engine.executors.executor import not_open
from appliance.engine.executors.threads import ThreadExecutor
from appliance.kit import clock, distribution, ids, options
from appliance.kit.errors import ApplianceError

TAG = "dask-resource:"
_TOPIC = "appliance"  # shared by all runs, because the scheduler keeps the last events of each topic forever
_GRACE = 3.0
"""Seconds after the timeout in which a worker must report that the task exceeded it."""
_LATE_LINES = 2.0
"""Seconds in which log lines must arrive after the state of their task."""
_LOST = 10
"""How many times a call is sent if its worker dies before the call begins, because another task has killed the worker."""
_LARGE = 64 * 1024
"""Characters from which what a task makes is sent with its state: the scheduler would keep it in its memory."""
_BEGUN, _LOG, _DONE = "begun", "log", "done"


class DaskExecutor(ThreadExecutor):
    """Runs tasks on the Dask cluster at `address`, or on a temporary cluster for each flow run.

    The temporary cluster is `cluster_class(**cluster_kwargs)`, by default a LocalCluster with one single-threaded process per
    processor. `adapt_kwargs` (such as `minimum` and `maximum`) make it scale up and down; `client_kwargs` are passed to the Client. A
    task tagged `dask-resource:GPU=1` runs on workers that have that resource. Inputs and results pass through the flow's process.

    Each task submitted to Dask occupies a thread of the flow's process until it ends, so at most `max_concurrent` are submitted at
    once. A task that exceeds its timeout ends TimedOut. In a temporary cluster, its worker is killed; otherwise its code may
    continue. When the run is cancelled, a temporary cluster is shut down; otherwise tasks that have begun run to completion.
    """

    def __init__(
        self,
        address: str | None = None,
        cluster_class: Callable[..., Any] | str | None = None,
        cluster_kwargs: Mapping[str, Any] | None = None,
        adapt_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
        max_concurrent: int = 128,
    ) -> None:
        if address is not None and (cluster_class or cluster_kwargs or adapt_kwargs):
            raise ValueError("Pass DaskExecutor the address of a cluster or the options of a temporary one, not both.")
        super().__init__(options.whole_number("max_concurrent", max_concurrent, 1))
        self.address = options.text("address", address)
        if cluster_class is not None and not isinstance(cluster_class, str) and not callable(cluster_class):
            raise TypeError("cluster_class must be a class, or the dotted name of one.")
        refuse_async("cluster_class", cluster_class)
        self.cluster_class = cluster_class
        self.cluster_kwargs = options.mapping("cluster_kwargs", cluster_kwargs)
        self.adapt_kwargs = options.mapping("adapt_kwargs", adapt_kwargs)
        self.client_kwargs = options.mapping("client_kwargs", client_kwargs)
        self._session: _Session | None = None

    def start(self) -> None:
        """Connect to the cluster. Raises ApplianceError if Dask isn't installed or the cluster isn't available."""
        try:
            import distributed  # noqa: F401 - optional; importing it takes 0.3 s
        except ImportError as error:
            raise ApplianceError(f"DaskExecutor needs Dask; run: {distribution.install('dask')}") from error
        _refuse_bootstrap()
        pickling.choose_what_travels_whole(elsewhere=self.address is not None)
        self._session = _Session(self)
        super().start()

    def invoke(self, invocation: Invocation) -> State:
        """Run the task's code on the cluster and return its state. Called in the executor's threads."""
        try:
            payload = pickling.pack(invocation)
            resources = wanted_resources(invocation.context.task_tags)
        except (pickling.NotPicklable, ValueError) as error:
            return Failed(str(error), error)
        if self._session is None:
            raise not_open(self)
        return self._session.call(payload, invocation, resources)

    def shutdown(self, cancel: bool = False) -> None:
        session = self._session
        if session is None:
            return
        if cancel:
            session.stop()
        try:
            super().shutdown(cancel)
        finally:
            self._session = None
            session.close()


def wanted_resources(tags: Iterable[str]) -> dict[str, float]:
    """The resources that the tags `dask-resource:NAME=NUMBER` request. Raises ValueError."""
    resources = {}
    for tag in tags:
        if tag.startswith(TAG):
            name, _, number = tag.removeprefix(TAG).partition("=")
            try:
                resources[name] = float(number)
            except ValueError:
                raise ValueError(f"The tag {tag!r} is not valid; write it as {TAG}GPU=1.") from None
    return resources


class _Session:
    """The connection to the cluster during one flow run."""

    def __init__(self, options: DaskExecutor) -> None:
        import distributed

        dask_settings.apply()
        self._cluster: Any = None
        try:
            self._cluster = None if options.address else _cluster(options)
            connect: Any = distributed.Client
            self._client = connect(
                self._cluster or options.address, **{"set_as_default": False} | options.client_kwargs
            )
        except BaseException as error:
            self._release()
            if not isinstance(error, Exception):
                raise
            what = f"connect to the Dask cluster at {options.address}" if options.address else "start a Dask cluster"
            raise ApplianceError(f"Can't {what}: {failures.summary(error)}.") from error
        self._run = str(ids.uuid7())
        self._numbers = itertools.count()
        self._calls: dict[int, _DaskCall] = {}
        self._stopping = False
        self._killable = isinstance(self._cluster, distributed.LocalCluster)
        self._client.subscribe_topic(_TOPIC, self._on_event)

    def call(self, payload: bytes, invocation: Invocation, resources: dict[str, float]) -> State:
        """Run the call on the cluster and wait for its state."""
        for _ in range(_LOST):
            call = _DaskCall(self._client, invocation, self._killable)
            number = next(self._numbers)
            self._calls[number] = call
            try:
                if self._stopping:
                    break
                call.submit(payload, (self._run, number), resources)
                state = call.wait()
            except Exception as error:  # noqa: BLE001 - whatever Dask or the user's log handlers raise fails the task
                state = failures.failed_state(error)
            finally:
                del self._calls[number]
            if state is not None:
                break
        if self._stopping:
            return Cancelled("The task was stopped with its run.")
        return state or Crashed("The Dask workers of the task kept dying before it began.")

    def stop(self) -> None:
        """Stop waiting for calls, and kill those that can be killed."""
        self._stopping = True
        for call in list(self._calls.values()):
            call.inbox.put((_DONE, None))
            call.kill()

    def close(self) -> None:
        self._client.close()
        self._release()

    def _release(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
        dask_settings.release()

    def _on_event(self, event: tuple[float, Any]) -> None:
        (run, number), kind, content = event[1]
        call = self._calls.get(number) if run == self._run else None
        if call is not None:
            call.inbox.put((kind, content))


class _DaskCall:
    """One call on the cluster, for which one thread waits."""

    def __init__(self, client: Any, invocation: Invocation, killable: bool) -> None:
        self.inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._client, self._context, self._timeout = client, invocation.context, invocation.timeout
        self._killable = killable
        self._worker: str | None = None
        self._pid: int | None = None
        self._lines = 0
        self._future: Any = None

    def submit(self, payload: bytes, identity: tuple[str, int], resources: dict[str, float]) -> None:
        index = self._context.map_index
        self._future = self._client.submit(
            work, payload, identity, remote_logs.levels(), key=f"{self._context.task_slug}-{identity[0]}-{identity[1]}",
            pure=False, resources=resources or None, priority=-index if index >= 0 else 1,
        )  # fmt: skip
        self._future.add_done_callback(lambda _future: self.inbox.put((_DONE, None)))

    def wait(self) -> State | None:
        """The state, or None if the worker died before the call began."""
        deadline = None
        while True:
            try:
                left = None if deadline is None else max(0.0, deadline - clock.monotonic())
                kind, content = self.inbox.get(timeout=left)
            except queue.Empty:
                self._future.cancel()
                return self._timed_out()
            if kind == _DONE:
                return self._outcome()
            self._handle(kind, content)
            if kind == _BEGUN and self._timeout is not None:
                deadline = clock.monotonic() + min(self._timeout, threading.TIMEOUT_MAX / 2) + _GRACE

    def _handle(self, kind: str, content: Any) -> None:
        if kind == _BEGUN:
            self._worker, pid, threads = content
            self._pid = pid if threads == 1 else None  # otherwise other tasks may be running there
        elif kind == _LOG:
            self._lines += 1
            remote_logs.replay(json.loads(content))

    def _outcome(self) -> State | None:
        from distributed import KilledWorker

        future = self._future
        if future.status == "finished":
            state, result, overran, lines, large = future.result()
            self._wait_for_lines(lines)
            for content in large:
                remote_logs.replay(json.loads(content))
            return self._timed_out() if overran else pickling.unpack_state((state, result))
        if future.status == "error":
            error = future.exception()
            if not isinstance(error, KilledWorker):
                return Failed(f"The Dask worker could not run the task: {failures.summary(error)}.", error)
            return (
                None
                if self._worker is None
                else Crashed(f"The Dask worker at {self._worker} died while it ran the task.")
            )
        future.cancel()
        return Crashed("The Dask cluster lost the task: its scheduler stopped or was restarted.")

    def _wait_for_lines(self, lines: int) -> None:
        deadline = clock.monotonic() + _LATE_LINES
        while self._lines < lines:
            try:
                kind, content = self.inbox.get(timeout=max(0.0, deadline - clock.monotonic()))
            except queue.Empty:
                return
            self._handle(kind, content)

    def _timed_out(self) -> State:
        message = f"The task ran longer than its timeout of {self._timeout:g} s"
        if self.kill():
            return timed_out(f"{message} and its Dask worker was killed.")
        return timed_out(f"{message}; its code may continue in its Dask worker, but its result is dropped.")

    def kill(self) -> bool:
        """Kill the code's process, if it is on this machine and runs nothing else."""
        if not self._killable or self._pid is None:
            return False
        with suppress(ProcessLookupError):  # it has already died
            os.kill(self._pid, signal.SIGKILL)  # its nanny starts another
        return True


def _cluster(options: DaskExecutor) -> Any:
    import distributed

    cls, kwargs = options.cluster_class, options.cluster_kwargs
    if isinstance(cls, str):
        module, _, name = cls.rpartition(".")
        cls = getattr(importlib.import_module(module), name)
    if cls is None:
        cls = distributed.LocalCluster
        quiet = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
        kwargs = quiet | ({"n_workers": 0} if options.adapt_kwargs else {}) | kwargs
    cluster = cls(**kwargs)
    if options.adapt_kwargs:
        cluster.adapt(**options.adapt_kwargs)
    return cluster


def _refuse_bootstrap() -> None:
    """End a worker process that is importing the script: it can't start a cluster itself, and must not go on with the script."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and getattr(processes.current_process(), "_inheriting", False):
        raise SystemExit(
            'Dask starts processes that import this script again; put flow.run() under `if __name__ == "__main__":`.'
        )


# --- on the cluster

_send: ContextVar[Callable[[remote_logs.Fields], None] | None] = ContextVar("dask_send", default=None)
thread_context.carry(_send)


def _forward(fields: remote_logs.Fields) -> None:
    send = _send.get()
    if send is not None:
        send(fields)


_forwarder = remote_logs.Forwarder(_forward)


def work(
    payload: bytes, identity: tuple[str, int], levels: remote_logs.Levels
) -> tuple[Content, Content, bool, int, list[str]]:
    """Run the call in this worker. Returns its packed state, whether it exceeded its timeout, the number of its log lines and artifacts, and those
    that are large."""
    from distributed import get_worker
    from distributed.utils import sync

    worker: Any = get_worker()
    lines = itertools.count()
    large: list[str] = []

    def tell(kind: str, content: Any) -> None:
        worker.log_event(_TOPIC, (identity, kind, content))

    def begun() -> None:
        me = (worker.address, os.getpid(), worker.state.nthreads)
        # Waits for the scheduler's reply, because the task may end or block this process before an ordinary event is sent.
        sync(worker.loop, worker.scheduler.log_event, topic=_TOPIC, msg=(identity, _BEGUN, me))

    def send(fields: remote_logs.Fields) -> None:
        content = json.dumps(fields)
        if len(content) >= _LARGE:
            large.append(content)
        else:
            next(lines)
            tell(_LOG, content)

    remote_logs.forward(levels, _forwarder)
    token = _send.set(send)
    elsewhere = remote_logs.forward_artifacts(send)
    try:
        (state, result), overran = pickling.run(payload, begun)
    finally:
        _send.reset(token)
        artifacts.elsewhere.reset(elsewhere)
    return state, result, overran, next(lines), large
