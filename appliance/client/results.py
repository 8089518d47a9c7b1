"""Results that the appliance keeps: the run's side, whose requests are sent once, and that of administrators."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from appliance.client.transport import Transport, path
from appliance.client.wire import items
from appliance.protocol.message import Page
from appliance.protocol.results import (
    AskKeptResult,
    AskResult,
    KeptResultView,
    ResultContent,
    ResultFacts,
    StoreResult,
)

PAGE = 200


def store(transport: Transport, flow_run_id: UUID, request: StoreResult) -> ResultFacts:
    """Store a result of an attempt."""
    return transport.post(path("flow-runs", flow_run_id, "results", "store"), request, ResultFacts)


def read(transport: Transport, flow_run_id: UUID, request: AskResult) -> ResultContent:
    """The bytes of a result of the run's project."""
    return transport.post(path("flow-runs", flow_run_id, "results", "read"), request, ResultContent)


def find(transport: Transport, flow_run_id: UUID, request: AskResult) -> ResultFacts:
    """Whether the run's project has a result."""
    return transport.post(path("flow-runs", flow_run_id, "results", "find"), request, ResultFacts)


def read_as_person(transport: Transport, location: str, project: str | None = None) -> ResultContent:
    """The bytes of a result, with an administrator's token."""
    request = AskKeptResult(location=location, project=project)
    return transport.post(path("results", "read"), request, ResultContent, idempotent=True)


def page(
    transport: Transport,
    project: str | None = None,
    *,
    prefix: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> tuple[list[KeptResultView], str | None]:
    """Results without their bytes, newest first, and how to continue. `prefix`: the beginning of the location, within one project."""
    params = {"project": project, "prefix": prefix, "limit": limit, "after": after}
    answer = transport.get(path("results"), Page, params)
    return items(answer, KeptResultView), answer.next


def each(
    transport: Transport, project: str | None = None, *, prefix: str | None = None, limit: int | None = None
) -> Iterator[KeptResultView]:
    """The same, page after page, up to `limit` results."""
    left: int | None = limit
    after: str | None = None
    while left is None or left > 0:
        views, after = page(
            transport, project, prefix=prefix, limit=PAGE if left is None else min(PAGE, left), after=after
        )
        yield from views
        left = None if left is None else left - len(views)
        if after is None:
            return


def remove(transport: Transport, result_id: UUID) -> None:
    """Remove a result, so that its task runs again when the result is needed."""
    transport.remove(path("results", result_id))
