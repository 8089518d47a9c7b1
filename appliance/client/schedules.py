"""The schedules of flows: list, create, edit, switch and delete them, and see which due times got no run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.message import Page

PAGE = 200


def listed(transport: Transport, flow_id: UUID | None = None) -> list[dict[str, Any]]:
    """The schedules of one flow, or all of them, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = transport.get(path("schedules"), Page, {"flow_id": flow_id, "limit": PAGE, "after": after})
        found.extend(page.items)
        after = page.next
        if after is None:
            return found


def create(transport: Transport, flow_id: UUID, fields: dict[str, Any]) -> dict[str, Any]:
    """Give a flow a schedule: its document, parameters and policies."""
    return transport.post(path("flows", flow_id, "schedules"), fields, dict[str, Any])


def edit(transport: Transport, schedule_id: UUID, fields: dict[str, Any]) -> dict[str, Any]:
    """Change what is named of a schedule; its future runs follow."""
    answer = transport.send("PATCH", path("schedules", schedule_id), wire.encode(fields), idempotent=True)
    return wire.decode(answer, dict[str, Any])


def skips(transport: Transport, schedule_id: UUID, limit: int = PAGE) -> list[dict[str, Any]]:
    """Due times that got no run, the newest first."""
    return transport.get(path("schedules", schedule_id, "skips"), Page, {"limit": min(limit, PAGE)}).items


def set_active(transport: Transport, schedule_id: UUID, active: bool) -> dict[str, Any]:
    """Pause or resume a schedule; its future runs follow."""
    content = wire.encode({"active": active})
    answer = transport.send("PATCH", path("schedules", schedule_id), content, idempotent=True)
    return wire.decode(answer, dict[str, Any])


def delete(transport: Transport, schedule_id: UUID) -> None:
    """Delete a schedule with its future runs."""
    transport.send("DELETE", path("schedules", schedule_id))
