"""Saved views of one's own: list, save, edit, and delete them."""

from __future__ import annotations

from uuid import UUID

import msgspec

from appliance.client.transport import Transport, path
from appliance.protocol.message import Page
from appliance.protocol.saved_views import EditView, SavedViewView, SaveView


def listed(transport: Transport) -> list[SavedViewView]:
    """All of them, by name."""
    return msgspec.convert(transport.get(path("views"), Page).items, list[SavedViewView])


def save(transport: Transport, request: SaveView) -> SavedViewView:
    """Save one, in place of that of the same name."""
    return transport.change("PUT", path("views"), request, SavedViewView)


def edit(transport: Transport, view_id: UUID, request: EditView) -> SavedViewView:
    """Rename one, or make it the default."""
    return transport.change("PATCH", path("views", view_id), request, SavedViewView)


def delete(transport: Transport, view_id: UUID) -> None:
    """Delete one."""
    transport.remove(path("views", view_id))
