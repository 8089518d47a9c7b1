"""How large the database is."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def database_bytes(session: Session) -> int:
    """Bytes on disk, without SQLite's write-ahead log."""
    if session.get_bind().dialect.name == "sqlite":
        statement = text("select page_count * page_size from pragma_page_count(), pragma_page_size()")
    else:
        statement = text("select pg_database_size(current_database())")
    return int(session.execute(statement).scalar_one())
