"""How much a transaction adds to what projects have stored. It is written at the transaction's end, in one order, so that it
is locked for a moment only, and never in a circle."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.tables import metadata
from appliance.server.db.upserts import upsert_for

_SHARDS = 8
_KEY = "usage"
_usage = metadata.tables["project_usage"]


@cache
def _adding(dialect: str) -> Prepared:
    values = {"project_id": "project", "shard": "at", "stored_rows": "rows", "stored_bytes": "bytes"}
    statement = upsert_for(dialect, _usage).values({column: bindparam(name) for column, name in values.items()})
    return Prepared(
        statement.on_conflict_do_update(
            index_elements=["project_id", "shard"],
            set_={name: _usage.c[name] + statement.excluded[name] for name in ("stored_rows", "stored_bytes")},
        )
    )


def add(session: Session, project_id: UUID, source: UUID, rows: int, bytes: int) -> None:
    """Add to what a project has stored. `source`: the run or flow that it is of, which chooses the shard."""
    sums = session.info.setdefault(_KEY, {})
    key = project_id, source.int % _SHARDS
    before = sums.get(key, (0, 0))
    sums[key] = before[0] + rows, before[1] + bytes


def store(session: Session) -> None:
    """Write what the transaction has added."""
    sums = session.info.pop(_KEY, None)
    if sums:
        add = _adding(session.connection().dialect.name)
        for (project, shard), (rows, size) in sorted(sums.items()):
            add.change(session, {"project": project, "at": shard, "rows": rows, "bytes": size})
