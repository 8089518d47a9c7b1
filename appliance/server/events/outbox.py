"""Announcing what happened, in the transaction in which it happened: the row is kept or lost with the change itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import crash
from appliance.server.db.rows.events import NewEvent
from appliance.server.db.session import Announcement
from appliance.server.db.writes import events
from appliance.server.domain.sanitize import clean


class Actor(Protocol):
    """Who did it: all that the outbox wants to know of them."""

    @property
    def name(self) -> str: ...


def announce(
    session: Session, topic: str, object_id: UUID, kind: str, data: Mapping[str, object], actor: Actor, at: datetime
) -> None:
    """Store one event; listeners hear of it after the commit."""
    announce_all(session, topic, kind, [(object_id, data)], actor, at)


def announce_all(
    session: Session,
    topic: str,
    kind: str,
    items: Sequence[tuple[UUID, Mapping[str, object]]],
    actor: Actor,
    at: datetime,
) -> None:
    """Store one event per item, all of one kind."""
    if not items:
        return
    name = clean(actor.name, 200)
    rows: list[NewEvent] = [
        {
            "at": at,
            "topic": topic,
            "object_id": object_id,
            "kind": kind,
            "data": data,
            "actor": name,
            "delivered": False,
        }
        for object_id, data in items
    ]
    told = session.info.setdefault("announcements", [])
    crash.point("outbox.announced")
    for id, (object_id, data) in zip(events.store(session, rows), items, strict=True):
        told.append(Announcement(id, at, topic, object_id, kind, data))
