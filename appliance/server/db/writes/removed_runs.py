"""Writing down which runs were deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata

_removed = metadata.tables["removed_run"]
_ADD = {
    "postgresql": postgresql.insert(_removed).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(_removed).on_conflict_do_nothing(),
}


def add(session: Session, ids: Iterable[UUID], now: datetime) -> None:
    """Note that these runs are deleted in this transaction."""
    rows = [{"id": id, "at": now} for id in ids]
    if rows:
        connection = session.connection()
        connection.execute(_ADD[connection.dialect.name], rows)
