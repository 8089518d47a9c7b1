"""Flows on the server: register, list, and read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from appliance.client.transport import Transport, path
from appliance.protocol.flow_history import FlowHistory, FlowTasks
from appliance.protocol.flows import Registered, Registration, RegistrationPreview, RollBack, SetFlowDefaults
from appliance.protocol.jobs import JobView
from appliance.protocol.life_cycle import DeleteTree, DeletionPreview, EditFlow, VersionComparison
from appliance.protocol.message import Page

PAGE = 200


def register(transport: Transport, registration: Registration) -> Registered:
    """Register a flow's metadata. The same content is one version, so sending it twice is harmless."""
    return transport.change("POST", path("flows"), registration, Registered)


def preview(transport: Transport, registration: Registration) -> RegistrationPreview:
    """What registering would do; nothing is changed."""
    return transport.post(path("flows", "preview"), registration, RegistrationPreview, idempotent=True)


def get(transport: Transport, flow_id: UUID) -> dict[str, Any]:
    """One flow with its latest version."""
    return transport.get(path("flows", flow_id), dict[str, Any])


def set_run_timeout(transport: Transport, flow_id: UUID, seconds: float | None) -> dict[str, Any]:
    """How long runs of the flow may take. 0: as long as they need; None: what its code says, or else the site."""
    return transport.change("PUT", path("flows", flow_id, "run-timeout"), {"seconds": seconds}, dict[str, Any])


def set_defaults(transport: Transport, flow_id: UUID, request: SetFlowDefaults) -> dict[str, Any]:
    """Replace what new runs of the flow have beside what its code says."""
    return transport.change("PUT", path("flows", flow_id, "defaults"), request, dict[str, Any])


def each(
    transport: Transport,
    project: str | None = None,
    name: str | None = None,
    limit: int | None = None,
    archived: bool = False,
) -> Iterator[dict[str, Any]]:
    """Flows by name, page by page, at most `limit`."""
    after, left = None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        filters = {"project": project, "name": name, "archived": archived or None}
        page = transport.get(path("flows"), Page, filters | {"limit": size, "after": after})
        yield from page.items
        after, left = page.next, None if left is None else left - len(page.items)
        if after is None or not page.items:
            return


def versions(transport: Transport, flow_id: UUID, limit: int = PAGE) -> list[dict[str, Any]]:
    """A flow's versions, newest first, at most 200."""
    return transport.get(path("flows", flow_id, "versions"), Page, {"limit": min(limit, PAGE)}).items


def each_version(transport: Transport, flow_id: UUID) -> Iterator[dict[str, Any]]:
    """All versions of a flow, newest first, page by page."""
    after = None
    while True:
        page = transport.get(path("flows", flow_id, "versions"), Page, {"limit": PAGE, "after": after})
        yield from page.items
        after = page.next
        if after is None:
            return


def compare(transport: Transport, flow_id: UUID, before: int, after: int) -> VersionComparison:
    """What differs between two versions of a flow."""
    return transport.get(path("flows", flow_id, "versions", before, "compare", after), VersionComparison)


def roll_back(transport: Transport, flow_id: UUID, request: RollBack) -> Registered:
    """Make a copy of an earlier version the newest one."""
    return transport.change("POST", path("flows", flow_id, "rollback"), request, Registered)


def preview_rollback(transport: Transport, flow_id: UUID, request: RollBack) -> RegistrationPreview:
    """What a rollback would do; nothing is changed."""
    return transport.post(path("flows", flow_id, "rollback", "preview"), request, RegistrationPreview, idempotent=True)


def history(transport: Transport, flow_id: UUID) -> FlowHistory:
    """How long the last runs of a flow took, and why some failed."""
    return transport.get(path("flows", flow_id, "history"), FlowHistory)


def tasks(transport: Transport, flow_id: UUID) -> FlowTasks:
    """What each task took in the last runs of a flow."""
    return transport.get(path("flows", flow_id, "tasks"), FlowTasks)


def edit(transport: Transport, flow_id: UUID, request: EditFlow) -> dict[str, Any]:
    """Rename a flow, pause it or archive it, or undo either."""
    return transport.change("PATCH", path("flows", flow_id), request, dict[str, Any])


def deletion(transport: Transport, flow_id: UUID) -> DeletionPreview:
    """What deleting a flow would delete."""
    return transport.get(path("flows", flow_id, "deletion"), DeletionPreview)


def delete(transport: Transport, flow_id: UUID, request: DeleteTree) -> JobView:
    """Delete a flow with everything that belongs to it, as a job to follow."""
    return transport.change("DELETE", path("flows", flow_id), request, JobView)
