"""Writing log lines in bulk."""

from __future__ import annotations

from sqlalchemy.orm import Session

from appliance.server.db.bulk import BulkInsert
from appliance.server.db.rows.logs import NewLog
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.logs import Log

_insert = BulkInsert(table(Log))


def add(session: Session, rows: list[NewLog]) -> None:
    """Append lines in order."""
    if rows:
        _insert(session.connection(), rows)
