"""Secrets of projects: list, set, and delete them. Their values can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from appliance.client.transport import Transport, path
from appliance.protocol.message import Page
from appliance.protocol.secrets import PutSecret, SecretView

PAGE = 200


def listed(transport: Transport, project: str | None = None) -> Iterator[SecretView]:
    """All secrets, or those of one project, by project and name."""
    after: str | None = None
    while True:
        page = transport.get(path("secrets"), Page, {"project": project, "limit": PAGE, "after": after})
        yield from msgspec.convert(page.items, list[SecretView])
        after = page.next
        if after is None:
            return


def put(transport: Transport, request: PutSecret) -> SecretView:
    """Set a secret."""
    return transport.change("PUT", path("secrets"), request, SecretView)


def delete(transport: Transport, secret_id: UUID) -> None:
    """Delete a secret."""
    transport.remove(path("secrets", secret_id))
