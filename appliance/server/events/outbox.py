"""Announces changes in the transaction that makes them: the event is committed or rolled back with the change itself."""

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
    """Who made the change: all that the outbox needs to know about them."""

    @property
    def name(self) -> str: ...


def announce(
    session: Session, topic: str, object_id: UUID, kind: str, data: Mapping[str, object], actor: Actor, at: datetime
) -> None:
    """Store one event. Listeners receive it after the commit."""
    announce_all(session, topic, kind, [(object_id, data)], actor, at)


def announce_all(
    session: Session,
    topic: str,
    kind: str,
    items: Sequence[tuple[UUID, Mapping[str, object]]],
    actor: Actor,
    at: datetime,
) -> None:
    """Store one event per item, all of the same kind."""
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
    announcements = session.info.setdefault("announcements", [])
    crash.point("outbox.announced")
    for id, (object_id, data) in zip(events.store(session, rows), items, strict=True):
        announcements.append(Announcement(id, at, topic, object_id, kind, data))
