"""Writing the index of the names of runs. On Postgres, a trigger and a foreign key do what `add` and `forget` do on SQLite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, column, insert, literal, select, table
from sqlalchemy.orm import Session

from appliance.server.db import direct
from appliance.server.db.bulk import BulkInsert
from appliance.server.db.reads import readable
from appliance.server.db.tables import metadata
from appliance.server.db.upserts import upsert

_names, _run = metadata.tables["run_name"], metadata.tables["flow_run"]
_SEARCH = table("run_search", column("run_search"), column("rowid"), column("name"))
_LAST = "select coalesce(max(id), 0) from run_name"
_ADD = "insert into run_search (rowid, name) select id, name from run_name where id > ?"
_insert = BulkInsert(_names)


def add(connection: Connection, runs: Iterable[tuple[UUID, str]]) -> None:
    """Add the names of runs that SQLite's index doesn't have yet."""
    last = direct.execute(connection, _LAST).fetchone()[0]
    _insert(connection, [{"flow_run_id": run, "name": name} for run, name in runs])
    direct.execute(connection, _ADD, (last,))


def forget(session: Session, runs: ColumnElement[bool]) -> None:
    """Take names out of SQLite's index, before the runs for which this condition holds are deleted."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return
    gone = select(literal("delete"), _names.c.id, _names.c.name).join(_run, _run.c.id == _names.c.flow_run_id)
    connection.execute(insert(_SEARCH).from_select(["run_search", "rowid", "name"], gone.where(runs)))


def fill(session: Session, after: UUID, limit: int) -> UUID | None:
    """Add the names of the runs whose ids follow this one, if they lack; the last of them. None when there are no more."""
    query = select(_run.c.id, _run.c.name, _names.c.id.label("number"))
    query = query.join(_names, _names.c.flow_run_id == _run.c.id, isouter=True).where(_run.c.id > after)
    query = query.order_by(_run.c.id).limit(limit).with_for_update(key_share=True, read=True, of=_run)
    rows: list[Any] = readable.every(session, query)
    lacking = [(row.id, row.name) for row in rows if row.number is None]
    connection = session.connection()
    if lacking and connection.dialect.name == "sqlite":
        add(connection, lacking)
    elif lacking:
        new = [{"flow_run_id": run, "name": name} for run, name in lacking]
        connection.execute(upsert(connection, _names).on_conflict_do_nothing(), new)
    return rows[-1].id if rows else None
