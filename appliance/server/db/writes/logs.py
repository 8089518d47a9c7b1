"""Writing log lines in bulk."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from appliance.server.db.bulk import BulkInsert
from appliance.server.db.tables.logs import Log

_insert = BulkInsert(Log.__table__)  # type: ignore[attr-defined]


def add(session: Session, rows: list[dict[str, Any]]) -> None:
    """Append lines in their order."""
    if rows:
        _insert(session.connection(), rows)
