"""Flow runs on the server: create, read, list, and change them; read their states, task runs, and logs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.kit import clock
from appliance.protocol import filter_texts
from appliance.protocol.continuation import Continuation
from appliance.protocol.flow_runs import (
    ChangeFlowRun,
    CreateFlowRun,
    EditFlowRun,
    FlowRunView,
    MarkFlowRun,
    RestartFlowRun,
    ResumeFlowRun,
)
from appliance.protocol.logs import LogView, Stream
from appliance.protocol.message import Page
from appliance.protocol.run_filter import NEWEST_FIRST, ListOrder, RunFilter
from appliance.protocol.states import MarkedState, StateView
from appliance.protocol.task_runs import TaskGroupView, TaskRunView

T = TypeVar("T")
K = TypeVar("K", CreateFlowRun, ChangeFlowRun, RestartFlowRun, ResumeFlowRun, MarkFlowRun, EditFlowRun)

PAGE = 200


def create(transport: Transport, request: CreateFlowRun) -> FlowRunView:
    """Create a run. A request without an idempotency key gets one, so that a lost answer can't start the run twice."""
    return transport.change("POST", path("flow-runs"), _with_key(transport, request), FlowRunView)


def get(transport: Transport, flow_run_id: UUID) -> FlowRunView:
    """One run."""
    return transport.get(path("flow-runs", flow_run_id), FlowRunView)


def cancel(transport: Transport, flow_run_id: UUID, reason: str = "") -> FlowRunView:
    """Cancel a run. Sending the request twice is harmless."""
    return _change(transport, flow_run_id, "cancel", ChangeFlowRun(reason=reason))


def pause(transport: Transport, flow_run_id: UUID, reason: str = "") -> FlowRunView:
    """Hold a scheduled run until it is resumed."""
    return _change(transport, flow_run_id, "pause", ChangeFlowRun(reason=reason))


def resume(
    transport: Transport,
    flow_run_id: UUID,
    reason: str = "",
    *,
    task_slug: str | None = None,
    map_index: int | None = None,
    anywhere: bool = False,
) -> FlowRunView:
    """Resume a paused run: all of its paused tasks, or just one. With `anywhere`, any agent may take the run, also one that waits for an agent that can
    read its results; tasks whose results only some agents can read run again."""
    request = ResumeFlowRun(reason=reason, task_slug=task_slug, map_index=map_index, anywhere=anywhere)
    return _change(transport, flow_run_id, "resume", request)


def restart(
    transport: Transport,
    flow_run_id: UUID,
    reason: str = "",
    *,
    newest_version: bool = False,
    from_task: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    anywhere: bool = False,
) -> FlowRunView:
    """Rerun the unsuccessful tasks of a run that has ended, `from_task`, and everything downstream of them. The run uses the code it
    had or the latest version of its flow; `parameters` replace values that it had. With `anywhere`, any agent may take it, and tasks whose results
    only some agents can read run again."""
    request = RestartFlowRun(
        reason=reason,
        newest_version=newest_version,
        from_task=from_task,
        parameters=dict(parameters or {}),
        idempotency_key=idempotency_key,
        anywhere=anywhere,
    )
    return _change(transport, flow_run_id, "restart", request)


def continuation(
    transport: Transport,
    flow_run_id: UUID,
    *,
    newest_version: bool = False,
    from_task: str | None = None,
    task_slug: str | None = None,
    map_index: int | None = None,
    anywhere: bool = False,
) -> Continuation:
    """Preview which tasks run again, which are reused, and why: if a run that has ended is restarted (the first two options), if a paused one is resumed
    (the next two), or when one that waits for its next attempt goes on."""
    params = {
        "from_task": from_task,
        "newest_version": "true" if newest_version else None,
        "task_slug": task_slug,
        "map_index": map_index,
        "anywhere": "true" if anywhere else None,
    }
    return transport.get(path("flow-runs", flow_run_id, "continuation"), Continuation, params)


def mark(
    transport: Transport,
    flow_run_id: UUID,
    state: MarkedState,
    reason: str = "",
    *,
    task_slug: str | None = None,
    map_index: int = -1,
) -> FlowRunView:
    """Set the final state of a run that is not live, or of one of its task runs."""
    request = MarkFlowRun(state=state, reason=reason, task_slug=task_slug, map_index=map_index)
    return _change(transport, flow_run_id, "mark", request)


def start_now(transport: Transport, flow_run_id: UUID, reason: str = "") -> FlowRunView:
    """Make a scheduled run due now."""
    return _change(transport, flow_run_id, "start-now", ChangeFlowRun(reason=reason))


def edit(transport: Transport, flow_run_id: UUID, request: EditFlowRun) -> FlowRunView:
    """Change the name, labels, priority, or time of a run that has not started."""
    return transport.change("PATCH", path("flow-runs", flow_run_id), _with_key(transport, request), FlowRunView)


def delete(transport: Transport, flow_run_id: UUID, reason: str = "") -> None:
    """Delete a run that has ended or has not started, with everything that belongs to it."""
    transport.remove(path("flow-runs", flow_run_id), _with_key(transport, ChangeFlowRun(reason=reason)))


def _change(transport: Transport, flow_run_id: UUID, verb: str, request: ChangeFlowRun) -> FlowRunView:
    return transport.change("POST", path("flow-runs", flow_run_id, verb), _with_key(transport, request), FlowRunView)


def _with_key(transport: Transport, request: K) -> K:
    """The request with an idempotency key, so that sending it again after a lost answer has no second effect."""
    if request.idempotency_key:
        return request
    return msgspec.structs.replace(request, idempotency_key=transport.new_key())


def each(
    transport: Transport, runs: RunFilter | None = None, *, sort: ListOrder = NEWEST_FIRST, limit: int | None = None
) -> Iterator[FlowRunView]:
    """The runs that a filter selects, newest first unless `sort` says otherwise, at most `limit`."""
    params: dict[str, Any] = _query(runs or RunFilter())
    if sort != NEWEST_FIRST:
        params["sort"] = sort
    return _each(transport, path("flow-runs"), FlowRunView, params, limit)


def _query(runs: RunFilter) -> dict[str, Any]:
    """The filter as query parameters."""
    return {
        "q": runs.q,
        "state": runs.states or None,
        "flow_id": runs.flow_id,
        "flow": runs.flow,
        "project": runs.project,
        "name": runs.name,
        "text": runs.text,
        "since": None if runs.since is None else clock.isoformat(runs.since),
        "until": None if runs.until is None else clock.isoformat(runs.until),
        "label": runs.labels or None,
        "parameter": [filter_texts.parameter_text(*item) for item in runs.parameters.items()] or None,
        "longer_than": _plain(runs.longer_than),
        "shorter_than": _plain(runs.shorter_than),
        "parent": runs.parent,
        "include_future": "true" if runs.include_future else None,
    }


def _plain(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.6f}"


def states(transport: Transport, flow_run_id: UUID) -> list[StateView]:
    """The history of a run's states."""
    return list(_each(transport, path("flow-runs", flow_run_id, "states"), StateView, {}, None))


def task_runs(
    transport: Transport, flow_run_id: UUID, *, states: Sequence[str] = (), task: str | None = None
) -> Iterator[TaskRunView]:
    """The task runs of a run: all, those in one of these states (names or types), or those of one task."""
    params = {"state": list(states) or None, "task": task}
    return _each(transport, path("flow-runs", flow_run_id, "task-runs"), TaskRunView, params, None)


def task_groups(transport: Transport, flow_run_id: UUID) -> Iterator[TaskGroupView]:
    """The tasks of a run, with the number of their task runs in each state."""
    return _each(transport, path("flow-runs", flow_run_id, "task-groups"), TaskGroupView, {}, None)


def logs(
    transport: Transport,
    flow_run_id: UUID,
    *,
    after: int | str | None = None,
    level: str | None = None,
    stream: Stream | None = None,
) -> Iterator[LogView]:
    """The log lines of a run, oldest first. To follow a run, call this again with the last line's id as `after`."""
    return _each(
        transport,
        path("flow-runs", flow_run_id, "logs"),
        LogView,
        {"level": level, "stream": stream, "after": _cursor(after) if isinstance(after, int) else after},
        None,
        grows=True,
    )


def _each(
    transport: Transport,
    where: str,
    kind: type[T],
    params: Mapping[str, Any],
    limit: int | None,
    *,
    grows: bool = False,
) -> Iterator[T]:
    """The items of all pages. A list that `grows` has a cursor at its end too; of others, a page may be short before the end."""
    after = params.get("after")
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = transport.get(where, Page, {**params, "limit": size, "after": after})
        items = wire.items(page, kind)
        yield from items
        left = None if left is None else left - len(items)
        after = page.next
        if after is None or (grows and len(items) < size):
            return


def _cursor(log_id: int) -> str:
    """The cursor that continues after a log line."""
    return base64.urlsafe_b64encode(str(log_id).encode()).decode().rstrip("=")
