"""Schedules of flows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from appliance.client.transport import Transport, path


def listed(transport: Transport, flow_id: UUID | None = None) -> list[dict[str, Any]]:
    """The schedules, of one flow when it is named."""
    answer = transport.get(path("schedules"), Any, {"flow_id": flow_id})
    items = answer.get("items", []) if isinstance(answer, dict) else answer
    return list(items)
