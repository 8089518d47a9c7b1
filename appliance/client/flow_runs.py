"""Flow runs on the server: create, read, list, and all that people do with them; their states, task runs and logs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.flow_runs import (
    ChangeFlowRun,
    CreateFlowRun,
    EditFlowRun,
    FlowRunView,
    MarkFlowRun,
    RestartFlowRun,
    ResumeFlowRun,
)
from appliance.protocol.logs import LogView
from appliance.protocol.message import Page
from appliance.protocol.states import MarkedState, StateView
from appliance.protocol.task_runs import TaskRunView

T = TypeVar("T")
K = TypeVar("K", CreateFlowRun, ChangeFlowRun, RestartFlowRun, ResumeFlowRun, MarkFlowRun, EditFlowRun)

PAGE = 200


def create(transport: Transport, request: CreateFlowRun) -> FlowRunView:
    """Create a run. It gets an idempotency key when it has none, so a lost answer can't start it twice."""
    return transport.post(path("flow-runs"), _keyed(request), FlowRunView, idempotent=True)


def get(transport: Transport, flow_run_id: UUID) -> FlowRunView:
    """One run."""
    return transport.get(path("flow-runs", flow_run_id), FlowRunView)


def cancel(transport: Transport, flow_run_id: UUID, reason: str = "") -> FlowRunView:
    """Ask for the end of a run; asking twice is harmless."""
    return _change(transport, flow_run_id, "cancel", ChangeFlowRun(reason=reason))


def pause(transport: Transport, flow_run_id: UUID, reason: str = "") -> FlowRunView:
    """Hold a scheduled run until someone resumes it."""
    return _change(transport, flow_run_id, "pause", ChangeFlowRun(reason=reason))


def resume(
    transport: Transport,
    flow_run_id: UUID,
    reason: str = "",
    *,
    task_slug: str | None = None,
    map_index: int | None = None,
) -> FlowRunView:
    """Let a paused run go on, with all of its paused tasks or with the one that is named."""
    wanted = ResumeFlowRun(reason=reason, task_slug=task_slug, map_index=map_index)
    return _change(transport, flow_run_id, "resume", wanted)


def restart(
    transport: Transport,
    flow_run_id: UUID,
    reason: str = "",
    *,
    newest_version: bool = False,
    from_task: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> FlowRunView:
    """Run again what did not succeed of a run that has ended, the task that is named, and all that comes after them: with the
    code it had or with the flow's newest version, and with other values for some parameters."""
    wanted = RestartFlowRun(
        reason=reason,
        newest_version=newest_version,
        from_task=from_task,
        parameters=dict(parameters or {}),
        idempotency_key=idempotency_key,
    )
    return _change(transport, flow_run_id, "restart", wanted)


def mark(
    transport: Transport,
    flow_run_id: UUID,
    state: MarkedState,
    reason: str = "",
    *,
    task_slug: str | None = None,
    map_index: int = -1,
) -> FlowRunView:
    """Set how a run that is not live has ended, or one of its task runs."""
    wanted = MarkFlowRun(state=state, reason=reason, task_slug=task_slug, map_index=map_index)
    return _change(transport, flow_run_id, "mark", wanted)


def start_now(transport: Transport, flow_run_id: UUID, reason: str = "") -> FlowRunView:
    """Let a scheduled run be due now."""
    return _change(transport, flow_run_id, "start-now", ChangeFlowRun(reason=reason))


def edit(transport: Transport, flow_run_id: UUID, wanted: EditFlowRun) -> FlowRunView:
    """Change name, labels, priority or time of a run that has not started."""
    content = wire.encode(_keyed(wanted))
    answer = transport.send("PATCH", path("flow-runs", flow_run_id), content, idempotent=True)
    return wire.decode(answer, FlowRunView)


def delete(transport: Transport, flow_run_id: UUID, reason: str = "") -> None:
    """Delete a run that has ended or waits for its time, with all that belongs to it."""
    content = wire.encode(_keyed(ChangeFlowRun(reason=reason)))
    transport.send("DELETE", path("flow-runs", flow_run_id), content, idempotent=True)


def _change(transport: Transport, flow_run_id: UUID, verb: str, wanted: ChangeFlowRun) -> FlowRunView:
    return transport.post(path("flow-runs", flow_run_id, verb), _keyed(wanted), FlowRunView, idempotent=True)


def _keyed(request: K) -> K:
    """The request with an idempotency key, so that a lost answer can't have it done twice."""
    if request.idempotency_key:
        return request
    return msgspec.structs.replace(request, idempotency_key=f"client-{uuid4()}")


def each(
    transport: Transport,
    *,
    state: str | None = None,
    flow: str | None = None,
    project: str | None = None,
    limit: int | None = None,
) -> Iterator[FlowRunView]:
    """Runs, newest first, at most `limit`."""
    filters = {"state": state, "flow": flow, "project": project}
    return _each(transport, path("flow-runs"), FlowRunView, filters, limit)


def states(transport: Transport, flow_run_id: UUID) -> list[StateView]:
    """The history of a run's states."""
    return list(_each(transport, path("flow-runs", flow_run_id, "states"), StateView, {}, None))


def task_runs(transport: Transport, flow_run_id: UUID) -> Iterator[TaskRunView]:
    """The task runs of a run."""
    return _each(transport, path("flow-runs", flow_run_id, "task-runs"), TaskRunView, {}, None)


def logs(
    transport: Transport, flow_run_id: UUID, *, after: int | str | None = None, level: str | None = None
) -> Iterator[LogView]:
    """The log lines of a run, oldest first. To follow a run, ask again with the last line's id as `after`."""
    return _each(
        transport,
        path("flow-runs", flow_run_id, "logs"),
        LogView,
        {"level": level, "after": _cursor(after) if isinstance(after, int) else after},
        None,
    )


def _each(transport: Transport, where: str, kind: type[T], params: Mapping[str, Any], limit: int | None) -> Iterator[T]:
    after = params.get("after")
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = _page(transport.send("GET", where, params={**params, "limit": size, "after": after}, idempotent=True))
        found = wire.items(page, kind)
        yield from found
        left = None if left is None else left - len(found)
        after = page.next
        if after is None or len(found) < size:  # the cursor of log lines stays usable at the end
            return


def _cursor(log_id: int) -> str:
    """Where to go on after a log line."""
    return base64.urlsafe_b64encode(str(log_id).encode()).decode().rstrip("=")


def _page(content: bytes) -> Page:
    """A page, or a short list that the server sends whole."""
    if content.lstrip().startswith(b"["):
        return Page(items=wire.decode(content, list[Any]))
    return wire.decode(content, Page)
