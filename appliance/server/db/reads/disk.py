"""How much space the database takes, in total and by kind of data, without reading whole tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Table, Text, cast, func, select, text, type_coerce
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.reads.settings import Stored
from appliance.server.db.tables import metadata
from appliance.server.domain.retention import Sample

SAMPLES = Stored("disk.samples", list[Sample])
"""How full the disk was, hour by hour."""
LOW = Stored("disk.low", bool)
"""Whether it was announced last that disk space is low."""
_SPREAD = 200
_ROW = {"log": 110, "event": 150}
"""Bytes of a row and its index entries without its text, measured on SQLite."""
_TEXT = {"log": "message", "event": "data"}


def used_bytes(session: Session) -> int:
    """Bytes of the database in use: on SQLite, without the unused pages of its file."""
    if session.get_bind().dialect.name == "sqlite":
        statement = text(
            "select (page_count - freelist_count) * page_size"
            " from pragma_page_count(), pragma_freelist_count(), pragma_page_size()"
        )
    else:
        statement = text("select pg_database_size(current_database())")
    return int(session.execute(statement).scalar_one())


def gives_back(session: Session) -> bool:
    """Whether SQLite's file can shrink a page at a time; files created by early versions can't."""
    return int(session.execute(text("select auto_vacuum from pragma_auto_vacuum()")).scalar_one()) == 2


def unused_pages(session: Session) -> int:
    """Unused pages of SQLite's file."""
    return int(session.execute(text("select freelist_count from pragma_freelist_count()")).scalar_one())


def id_range(session: Session, table: str) -> tuple[int, int]:
    """The lowest and highest id of a table with growing ids; (0, -1) when it is empty."""
    rows = metadata.tables[table]
    low = session.execute(select(func.min(rows.c.id))).scalar()
    high = session.execute(select(func.max(rows.c.id))).scalar()
    return (0, -1) if low is None or high is None else (low, high)


def last_before(session: Session, table: str, time: datetime) -> int:
    """The highest id up to which rows are older than a time, by bisection: times grow with ids, except for late arrivals."""
    rows = metadata.tables[table]
    low, high = id_range(session, table)
    if high < low:
        return 0
    newest = low - 1
    while low <= high:
        middle = (low + high) // 2
        next_row = readable.rows(
            session, select(rows.c.id, rows.c.at).where(rows.c.id >= middle).order_by(rows.c.id), 1
        )
        row = next_row[0] if next_row else None
        if row is not None and row.id <= high and row.at < time:
            newest, low = row.id, row.id + 1
        else:
            high = middle - 1
    return newest


def estimated_bytes(session: Session, table: str) -> int:
    """Roughly how much space a table of texts takes, estimated from rows spread evenly over its ids."""
    rows = metadata.tables[table]
    low, high = id_range(session, table)
    span = high - low + 1
    if span <= 0:
        return 0
    ids = sorted({low + span * place // _SPREAD for place in range(_SPREAD)})
    size = func.length(_as_text(rows, session))
    count, length = session.execute(select(func.count(), func.sum(size)).where(rows.c.id.in_(ids))).one()
    if not count:
        return 0
    return int(span * count / len(ids) * (float(length or 0) / count + _ROW[rows.name]))


def _as_text(rows: Table, session: Session) -> ColumnElement[str]:
    """A column as text: SQLite stores documents as text, Postgres doesn't."""
    column = rows.c[_TEXT[rows.name]]
    return cast(column, Text) if session.get_bind().dialect.name == "postgresql" else type_coerce(column, Text)
