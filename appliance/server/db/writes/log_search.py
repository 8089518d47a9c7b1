"""Writing the index of the words of log lines. On Postgres, triggers do what `follow` and `forget` do on SQLite."""

from __future__ import annotations

from sqlalchemy import ColumnElement, column, delete, select, table, text
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.tables import metadata

_log, _run = metadata.tables["log"], metadata.tables["flow_run"]
_SEARCH = table("log_search", column("rowid"))
_FOLLOW = text(
    "insert into log_search (rowid, message) select id, message from log where id > :after order by id limit :limit"
)
_FILL = {
    "sqlite": text(
        "insert into log_search (rowid, message) select id, message from log where id between :first and :last"
        " and id not in (select rowid from log_search where rowid between :first and :last) order by id"
    ),
    "postgresql": text(
        "insert into log_search (log_id, words) select id, array_to_tsvector(log_search_words(message)) from log"
        " where id between :first and :last on conflict do nothing"
    ),
}


def follow(session: Session, after: int, limit: int) -> int:
    """Add the next lines whose numbers follow this one to SQLite's index; how many they were. One transaction for many lines: adding a single one
    costs as much as adding thirty."""
    return int(session.connection().execute(_FOLLOW, {"after": after, "limit": limit}).rowcount)


def forget(session: Session, lines: ColumnElement[bool]) -> None:
    """Take the lines for which this condition holds out of SQLite's index, before they are deleted."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.execute(delete(_SEARCH).where(_SEARCH.c.rowid.in_(select(_log.c.id).where(lines))))


def forget_runs(session: Session, runs: ColumnElement[bool]) -> None:
    """The same for all lines of the runs for which this condition holds."""
    forget(session, _log.c.flow_run_id.in_(select(_run.c.id).where(runs)))


def fill(session: Session, below: int, limit: int) -> int | None:
    """Add the newest lines whose numbers are below this one, if they lack; the number from which to continue. None when there are no more.

    They are added oldest first: SQLite's index would write a part of its own for each line with a lower number than the one before."""
    query = select(_log.c.id).where(_log.c.id < below).order_by(_log.c.id.desc()).limit(limit)
    query = query.with_for_update(key_share=True, read=True)
    ids: list[int] = readable.scalars(session, query)
    if not ids:
        return None
    connection = session.connection()
    connection.execute(_FILL[connection.dialect.name], {"first": ids[-1], "last": ids[0]})
    return ids[-1]
