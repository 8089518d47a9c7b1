"""Writing down which runs were deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata
from appliance.server.db.upserts import upsert

_removed = metadata.tables["removed_run"]


def add(session: Session, ids: Iterable[UUID], now: datetime) -> None:
    """Note that these runs are deleted in this transaction."""
    rows = [{"id": id, "at": now} for id in ids]
    if rows:
        session.connection().execute(upsert(session, _removed).on_conflict_do_nothing(), rows)
