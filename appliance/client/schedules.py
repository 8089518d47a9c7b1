"""The schedules of flows: list, create, edit, pause, resume, and delete them, and list the due times that got no run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from appliance.client.transport import Transport, path
from appliance.protocol.message import Page
from appliance.protocol.schedules import DueTime, PreviewSchedule, ScheduleDeletion, SchedulePreview, SkipDueTime

PAGE = 200


def listed(
    transport: Transport,
    flow_id: UUID | None = None,
    *,
    flow: str | None = None,
    project: str | None = None,
    active: bool | None = None,
) -> list[dict[str, Any]]:
    """Schedules, page by page: all, those of a flow or project, or those that are on or off."""
    where = {
        "flow_id": flow_id,
        "flow": flow,
        "project": project,
        "active": None if active is None else str(active).lower(),
    }
    items: list[dict[str, Any]] = []
    after = None
    while True:
        page = transport.get(path("schedules"), Page, {**where, "limit": PAGE, "after": after})
        items.extend(page.items)
        after = page.next
        if after is None:
            return items


def get(transport: Transport, schedule_id: UUID) -> dict[str, Any]:
    """A schedule."""
    return transport.get(path("schedules", schedule_id), dict[str, Any])


def create(transport: Transport, flow_id: UUID, fields: dict[str, Any]) -> dict[str, Any]:
    """Add a schedule to a flow: its document, parameters, and policies."""
    return transport.change("POST", path("flows", flow_id, "schedules"), fields, dict[str, Any])


def edit(transport: Transport, schedule_id: UUID, fields: dict[str, Any]) -> dict[str, Any]:
    """Change these fields of a schedule. Its planned runs are replaced."""
    return transport.change("PATCH", path("schedules", schedule_id), fields, dict[str, Any])


def next_times(transport: Transport, schedule_id: UUID, limit: int = 10) -> SchedulePreview:
    """The next due times of a schedule, with notes."""
    return transport.get(path("schedules", schedule_id, "next"), SchedulePreview, {"limit": limit})


def preview(transport: Transport, flow_id: UUID, request: PreviewSchedule) -> SchedulePreview:
    """The due times of a schedule that a flow might have. Nothing is changed."""
    return transport.post(path("flows", flow_id, "schedules", "preview"), request, SchedulePreview, idempotent=True)


def skip(transport: Transport, schedule_id: UUID, request: SkipDueTime) -> DueTime:
    """Skip one due time. Its planned run is removed, and the schedule stays as it is."""
    return transport.change("POST", path("schedules", schedule_id, "skip"), request, DueTime)


def unskip(transport: Transport, schedule_id: UUID, request: SkipDueTime) -> DueTime:
    """Restore a due time that was skipped. Its run is planned again."""
    return transport.change("POST", path("schedules", schedule_id, "unskip"), request, DueTime)


def skips(transport: Transport, schedule_id: UUID, limit: int = PAGE) -> list[dict[str, Any]]:
    """Due times that got no run, newest first."""
    return transport.get(path("schedules", schedule_id, "skips"), Page, {"limit": min(limit, PAGE)}).items


def set_active(transport: Transport, schedule_id: UUID, active: bool) -> dict[str, Any]:
    """Pause or resume a schedule. Its planned runs are removed or created accordingly."""
    return transport.change("PATCH", path("schedules", schedule_id), {"active": active}, dict[str, Any])


def deletion(transport: Transport, schedule_id: UUID) -> ScheduleDeletion:
    """What deleting a schedule would delete."""
    return transport.get(path("schedules", schedule_id, "deletion"), ScheduleDeletion)


def delete(transport: Transport, schedule_id: UUID) -> None:
    """Delete a schedule with its planned runs."""
    transport.remove(path("schedules", schedule_id))
