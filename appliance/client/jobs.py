"""Jobs on the server: bulk actions, backfills, and the hold on overdue runs after an outage."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.backfills import Backfill, BackfillPreview, BackfillRange
from appliance.protocol.hold import HoldView
from appliance.protocol.jobs import Bulk, JobView
from appliance.protocol.message import Page

PAGE = 200


def bulk(transport: Transport, request: Bulk) -> JobView:
    """Apply one action to many runs: at once if they are few, otherwise as a job to follow."""
    if request.idempotency_key is None:
        request = msgspec.structs.replace(request, idempotency_key=transport.new_key())
    return transport.change("POST", path("bulk"), request, JobView)


def preview(transport: Transport, request: BackfillRange) -> BackfillPreview:
    """What a backfill over the range would do."""
    return transport.post(path("backfills", "preview"), request, BackfillPreview, idempotent=True)


def backfill(transport: Transport, request: Backfill) -> JobView:
    """Create missing runs for past due times."""
    if request.idempotency_key is None:
        request = msgspec.structs.replace(request, idempotency_key=transport.new_key())
    return transport.change("POST", path("backfills"), request, JobView)


def get(transport: Transport, job_id: UUID) -> JobView:
    """One job."""
    return transport.get(path("jobs", job_id), JobView)


def each(transport: Transport, *, state: str | None = None, limit: int | None = None) -> Iterator[JobView]:
    """Jobs, newest first, at most `limit`."""
    after, left = None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = transport.get(path("jobs"), Page, {"state": state, "limit": size, "after": after})
        items = wire.items(page, JobView)
        yield from items
        left = None if left is None else left - len(items)
        after = page.next
        if after is None:
            return


def cancel(transport: Transport, job_id: UUID, reason: str = "") -> JobView:
    """Cancel a job. Changes that it has already made are kept."""
    return transport.change("POST", path("jobs", job_id, "cancel"), {"reason": reason}, JobView)


def hold(transport: Transport) -> HoldView:
    """Whether overdue runs are held."""
    return transport.get(path("system", "hold"), HoldView)


def release_hold(transport: Transport, reason: str = "") -> HoldView:
    """Release the held runs to agents."""
    return transport.change("POST", path("system", "hold", "release"), {"reason": reason}, HoldView)


def skip_held(transport: Transport, reason: str = "") -> JobView:
    """Mark all held runs as Skipped."""
    return transport.change("POST", path("system", "hold", "skip"), {"reason": reason}, JobView)
