"""The site store: ask for bundles of code, upload, download and list them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.bundles import AskBundle, BundleContent, BundleOffer, BundleView, PutBundle, TakeBundle
from appliance.protocol.message import Page

PAGE = 200


def ask(transport: Transport, project: str, digest: str = "") -> BundleOffer:
    """Whether the server keeps code, and has this bundle. A server of an earlier release raises NotFound."""
    return transport.post(
        path("bundles", "ask"), AskBundle(project=project, digest=digest), BundleOffer, idempotent=True
    )


def put(transport: Transport, request: PutBundle) -> BundleOffer:
    """Upload a bundle. Sending it twice is harmless."""
    return transport.ask("PUT", path("bundles"), BundleOffer, wire.encode(request), idempotent=True)


def take(transport: Transport, flow_run_id: UUID, attempt: int) -> BundleContent:
    """Download the bundle with the code of a run, with the token of its attempt."""
    request = TakeBundle(attempt=attempt)
    return transport.post(path("flow-runs", flow_run_id, "bundle"), request, BundleContent, idempotent=True)


def listed(transport: Transport) -> Iterator[BundleView]:
    """All bundles, newest first."""
    after: str | None = None
    while True:
        page = transport.get(path("bundles"), Page, {"limit": PAGE, "after": after})
        yield from msgspec.convert(page.items, list[BundleView])
        after = page.next
        if after is None:
            return
