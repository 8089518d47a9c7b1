"""Writing log lines in bulk."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from appliance.server.db.tables.logs import Log

_INSERT = insert(Log.__table__)  # type: ignore[attr-defined]


def add(session: Session, rows: list[dict[str, Any]]) -> None:
    """Append lines in their order."""
    if rows:
        session.connection().execute(_INSERT, rows)
