"""When a run was recorded, by the clock of the server that stored it: what reading it back costs is not part of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

_TIMES = """
select (select created from flow_run where id = :id), (select min(start_time) from task_run where flow_run_id = :id), max(at)
from event where object_id = :id and kind = 'flow_run.state'
"""
_COUNTS = """
select count(*), sum(state_type = 'SUCCESS'), sum(coalesce(result_location, '') <> '') from task_run where flow_run_id = :id
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


def read(data_dir: Path, run_id: str) -> Recorded:
    """Read it from a server's file, which may be in use."""
    identity = {"id": UUID(run_id).hex}
    with sqlite3.connect(f"file:{data_dir / 'appliance.db'}?mode=ro", uri=True) as database:
        created, started, ended = (_seconds(value) for value in database.execute(_TIMES, identity).fetchone())
        tasks, successful, kept = database.execute(_COUNTS, identity).fetchone()
    return Recorded(ended - created, ended - started, tasks, successful, kept)


def _seconds(value: str) -> float:
    return datetime.fromisoformat(value).timestamp()
