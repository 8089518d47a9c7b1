"""Flows on the server: register one, list and read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from appliance.client.transport import Transport, path
from appliance.core.protocol import Page, Registered, Registration


def register(transport: Transport, registration: Registration) -> Registered:
    """Register a flow's metadata. The same content twice is one version, so it may be sent again."""
    return transport.post(path("flows"), registration, Registered, idempotent=True)


def get(transport: Transport, flow_id: UUID) -> dict[str, Any]:
    """One flow with its newest version."""
    return transport.get(path("flows", flow_id), dict[str, Any])


def each(
    transport: Transport, project: str | None = None, name: str | None = None, limit: int = 200
) -> Iterator[dict[str, Any]]:
    """All flows, page by page."""
    after: str | None = None
    while True:
        page = transport.get(path("flows"), Page, {"project": project, "name": name, "limit": limit, "after": after})
        yield from page.items
        after = page.next
        if after is None:
            return
