"""Recording the names that flows and projects had before they were renamed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.server.db.tables import metadata

_former = metadata.tables["former_name"]


def record(session: Session, noun: str, scope_id: UUID, name: str, object_id: UUID, now: datetime) -> None:
    """Remember that the object had this name. What had it before is forgotten."""
    release(session, noun, scope_id, name)
    row = {"id": ids.uuid7(), "noun": noun, "scope_id": scope_id, "name": name, "object_id": object_id, "at": now}
    session.connection().execute(insert(_former), row)


def release(session: Session, noun: str, scope_id: UUID, name: str) -> None:
    """Forget who had this name before: it is in use again."""
    same = (_former.c.noun == noun, _former.c.scope_id == scope_id, _former.c.name == name)
    session.connection().execute(delete(_former).where(*same))


def forget(session: Session, object_id: UUID) -> None:
    """Forget all former names of an object."""
    session.connection().execute(delete(_former).where(_former.c.object_id == object_id))
