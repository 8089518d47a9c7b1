"""When a run was recorded, by the clock of the server that stored it: what reading it back costs is not part of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine, text

from appliance.server.db.session import address

_TIMES = """
select (select created from flow_run where id = :id), (select min(start_time) from task_run where flow_run_id = :id), max(at)
from event where object_id = :id and kind = 'flow_run.state'
"""
_COUNTS = """
select count(*), count(*) filter (where state_type = 'SUCCESS'), count(*) filter (where coalesce(result_location, '') <> '')
from task_run where flow_run_id = :id
"""


@dataclass(frozen=True)
class Recorded:
    """What the database has of a run that has ended."""

    whole: float
    """Seconds from the creation of the run until the server stored its last report."""
    seconds: float
    """The same from the start of its first task."""
    tasks: int
    successful: int
    kept: int
    """How many of the task runs have a result that is kept."""


def read(data_dir: Path, run_id: str, postgres: str = "") -> Recorded:
    """Read it from a server's file, or from its Postgres, either of which may be in use."""
    times, counts = _of_postgres(postgres, run_id) if postgres else _of_file(data_dir, run_id)
    created, started, ended = map(_seconds, times)
    return Recorded(ended - created, ended - started, *counts)


def _of_file(data_dir: Path, run_id: str) -> tuple[Any, Any]:
    identity = {"id": UUID(run_id).hex}
    with sqlite3.connect(f"file:{data_dir / 'appliance.db'}?mode=ro", uri=True) as database:
        return tuple(database.execute(query, identity).fetchone() for query in (_TIMES, _COUNTS))  # type: ignore[return-value]


def _of_postgres(url: str, run_id: str) -> tuple[Any, Any]:
    engine = create_engine(address(url))
    try:
        with engine.connect() as connection:
            return tuple(connection.execute(text(query), {"id": UUID(run_id)}).one() for query in (_TIMES, _COUNTS))  # type: ignore[return-value]
    finally:
        engine.dispose()


def _seconds(value: str | datetime) -> float:
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).timestamp()
