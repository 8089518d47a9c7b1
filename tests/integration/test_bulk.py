"""Rows inserted in bulk are stored as SQLAlchemy stores them, value by value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from appliance.kit import ids
from appliance.server.db.bulk import BulkInsert
from appliance.server.db.session import Database
from appliance.server.db.sqlite import dbapi as sqlite3
from appliance.server.db.tables import metadata
from tests.integration import builders

_states = metadata.tables["task_run_state"]
_tasks = metadata.tables["task_run"]
_TIMES = (
    datetime(2026, 3, 2, 8, 0, tzinfo=UTC),
    datetime(2026, 3, 2, 8, 0, 0, 7, tzinfo=UTC),
    datetime(2026, 3, 2, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(812, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)
_DATA: tuple[dict[str, Any] | None, ...] = (None, {}, {"a": [1, "ü", None]}, {"b": 1.5}, None)


def _task(run: Any, index: int) -> dict[str, Any]:
    at = _TIMES[index % len(_TIMES)]
    state = {"state_type": "RUNNING", "state_name": "Running", "state_message": "it's", "state_at": at}
    more = {"version": 1, "attempt": 1, "run_count": 0, "cache_key": None, "result_location": None}
    place = {"id": ids.uuid7(), "flow_run_id": run, "task_slug": "t", "map_index": index, "name": f"t[{index}]"}
    times = {"start_time": at, "end_time": None, "created": at}
    return (
        place | state | more | times | {"state_data": _DATA[index % len(_DATA)], "tags": ["a", 'b"'] if index else []}
    )


def test_the_same_as_one_by_one(tmp_path: Path, sqlite_template: Path) -> None:
    stored = []
    rows: list[dict[str, Any]] = []
    for number, bulk in enumerate((False, True)):
        path = tmp_path / f"{number}.db"
        path.write_bytes(sqlite_template.read_bytes())
        database = Database(f"sqlite:///{path}")
        run, _agent = builders.begun(database)
        rows = rows or [_task(run, index) for index in range(5)]
        mine = [row | {"flow_run_id": run} for row in rows]
        with database.write() as session:
            if bulk:
                BulkInsert(_tasks)(session.connection(), mine)
            else:
                session.connection().execute(insert(_tasks), mine)
        database.dispose()
        columns = ", ".join(column.name for column in _tasks.c if column.name != "flow_run_id")
        with sqlite3.connect(path) as connection:
            stored.append(connection.execute(f"select {columns} from task_run order by map_index").fetchall())
    assert len(stored[0]) == 5
    assert stored[0] == stored[1]


def test_any_number_of_rows_reads_back(database: Database) -> None:
    run, _agent = builders.begun(database)
    put, written = BulkInsert(_tasks), 0
    for number in (0, 1, 3, 4, 200):
        rows = [_task(run, written + place) for place in range(number)]
        with database.write() as session:
            put(session.connection(), rows)
        written += number
        with database.read() as session:
            found = session.execute(_tasks.select().order_by(_tasks.c.map_index)).all()
        assert [row.map_index for row in found] == list(range(written))
        assert [row.state_at for row in found[:5]] == list(_TIMES[: len(found)])
        assert [row.state_data for row in found[:5]] == list(_DATA[: len(found)])


def test_a_time_without_a_zone_and_a_row_twice_are_refused(database: Database) -> None:
    run, _agent = builders.begun(database)
    rows = [_task(run, index) for index in range(6)]
    with pytest.raises(Exception, match="without a zone"), database.write() as session:
        BulkInsert(_tasks)(session.connection(), [row | {"created": datetime(2026, 1, 1)} for row in rows])  # noqa: DTZ001
    with pytest.raises(IntegrityError), database.write() as session:
        BulkInsert(_tasks)(session.connection(), [*rows, rows[0]])
    with database.read() as session:
        assert session.execute(_tasks.select()).all() == []
