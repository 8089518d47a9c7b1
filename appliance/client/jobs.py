"""Jobs on the server: bulk actions, backfills, and the hold after an outage."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import msgspec

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.backfills import Backfill, BackfillPreview, BackfillRange
from appliance.protocol.hold import HoldView
from appliance.protocol.jobs import Bulk, JobView
from appliance.protocol.message import Page

PAGE = 200


def bulk(transport: Transport, request: Bulk) -> JobView:
    """Do one thing to many runs: done at once when they are few, else a job to follow."""
    if request.idempotency_key is None:
        request = msgspec.structs.replace(request, idempotency_key=_key())
    return transport.post(path("bulk"), request, JobView, idempotent=True)


def preview(transport: Transport, wanted: BackfillRange) -> BackfillPreview:
    """What a backfill over the range would do."""
    return transport.post(path("backfills", "preview"), wanted, BackfillPreview, idempotent=True)


def backfill(transport: Transport, request: Backfill) -> JobView:
    """Create the runs that due times of the past lack."""
    if request.idempotency_key is None:
        request = msgspec.structs.replace(request, idempotency_key=_key())
    return transport.post(path("backfills"), request, JobView, idempotent=True)


def get(transport: Transport, job_id: UUID) -> JobView:
    """One job."""
    return transport.get(path("jobs", job_id), JobView)


def each(transport: Transport, *, state: str | None = None, limit: int | None = None) -> Iterator[JobView]:
    """Jobs, newest first, at most `limit`."""
    after, left = None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = transport.get(path("jobs"), Page, {"state": state, "limit": size, "after": after})
        found = wire.items(page, JobView)
        yield from found
        left = None if left is None else left - len(found)
        after = page.next
        if after is None:
            return


def cancel(transport: Transport, job_id: UUID, reason: str = "") -> JobView:
    """End a job; what it has done stays."""
    return transport.post(path("jobs", job_id, "cancel"), {"reason": reason}, JobView, idempotent=True)


def hold(transport: Transport) -> HoldView:
    """Whether overdue runs are held."""
    return transport.get(path("system", "hold"), HoldView)


def release_hold(transport: Transport, reason: str = "") -> HoldView:
    """Let the held runs be handed out."""
    return transport.post(path("system", "hold", "release"), {"reason": reason}, HoldView, idempotent=True)


def skip_held(transport: Transport, reason: str = "") -> JobView:
    """Mark all held runs as Skipped."""
    message = {"reason": reason, "idempotency_key": _key()}
    return transport.post(path("system", "hold", "skip"), message, JobView, idempotent=True)


def _key() -> str:
    return f"client-{uuid4()}"
