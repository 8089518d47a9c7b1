"""Concurrency limits: list, set, and remove them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from appliance.client.transport import Transport, path
from appliance.protocol.message import Page


def listed(transport: Transport) -> list[dict[str, Any]]:
    """All limits with their holders."""
    return transport.get(path("concurrency-limits"), Page).items


def put(transport: Transport, kind: str, name: str, slots: int, per: float | None = None) -> dict[str, Any]:
    """Set a limit; one of the kind task_rate has a period, `per` seconds."""
    message = {"kind": kind, "name": name, "slots": slots, **({} if per is None else {"per": per})}
    return transport.change("PUT", path("concurrency-limits"), message, dict[str, Any])


def delete(transport: Transport, limit_id: UUID) -> None:
    """Remove a limit."""
    transport.remove(path("concurrency-limits", limit_id))
