"""Known failures: list, mark, and remove them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from appliance.client.transport import Transport, path
from appliance.protocol.known_failures import KnownFailureView, MarkFailure
from appliance.protocol.message import Page

PAGE = 200


def listed(transport: Transport, project: str | None = None, *, resolved: bool = False) -> Iterator[KnownFailureView]:
    """All open ones, or all that are resolved, newest first."""
    after: str | None = None
    while True:
        query = {"project": project, "resolved": resolved or None, "limit": PAGE, "after": after}
        page = transport.get(path("known-failures"), Page, query)
        yield from msgspec.convert(page.items, list[KnownFailureView])
        after = page.next
        if after is None:
            return


def mark(transport: Transport, request: MarkFailure) -> KnownFailureView:
    """Mark why a run failed as known."""
    return transport.change("POST", path("known-failures"), request, KnownFailureView)


def unmark(transport: Transport, known_failure_id: UUID) -> None:
    """Remove a known failure."""
    transport.remove(path("known-failures", known_failure_id))
