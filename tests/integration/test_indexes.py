"""The statements that run all the time find their rows by an index, however many finished runs there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.protocol.run_filter import RunFilter
from appliance.server.db import listen
from appliance.server.db.reads import dispatch as read_dispatch
from appliance.server.db.reads import flow_runs as runs
from appliance.server.db.reads import quotas, rollups, run_health, run_lists, schedules
from appliance.server.db.session import Database
from appliance.server.db.writes import dispatch
from tests.integration.databases import empty

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LONG, FAILED = RunFilter(longer_than=1.0), RunFilter(states=["FAILED"], longer_than=1.0)


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda session: read_dispatch.any_due(session, read_dispatch.Taker(["a"]), NOW), "ix_flow_run_state_due"),
        (
            lambda session: dispatch.claim(session, ids.uuid7(), read_dispatch.Taker(["a"]), 5, NOW, NOW),
            "ix_flow_run_state_due",
        ),
        (lambda session: run_health.expired(session, NOW, 5), "ix_flow_run_live"),
        (lambda session: listen.next_due(session, NOW), "ix_flow_run_state_due"),
        (lambda session: schedules.to_plan(session, NOW), "ix_schedule_plan"),
        (lambda session: runs.last_successes(session, [ids.uuid7()]), "ix_flow_run_flow_due"),
        (lambda session: quotas.open_runs(session, ids.uuid7(), 9), "ix_flow_run_open"),
        (lambda session: run_lists.page(session, LONG, 9, None, NOW, "-end_time"), "ix_flow_run_end_time"),
        (lambda session: run_lists.page(session, FAILED, 9, None, NOW, "-end_time"), "ix_flow_run_state_due"),
        (lambda session: run_lists.count(session, RunFilter(q="version:1"), NOW), "ix_flow_run_due"),
        (
            lambda session: run_lists.RunList(session, RunFilter(q="state:failed"), NOW).entries(),
            "COVERING INDEX ix_flow_run_state_due",
        ),
        (lambda session: rollups.per_hour(session, NOW, NOW), "COVERING INDEX ix_run_rollup_sums"),
        (lambda session: run_lists._LAST_SHOWN.all(session, {"now": NOW}), "ix_flow_run_retried"),
    ],
)
def test_by_index(tmp_path: Path, sqlite_template: Path, ask: Callable[[Session], Any], index: str) -> None:
    path = tmp_path / "copy.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    sent: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _k, sql, values, *_: sent.append((sql, values)))
    with database.write() as session:
        ask(session)
        sql, values = sent[-1]
        plan = session.connection().exec_driver_sql(f"explain query plan {sql}", values).all()
        names = {
            row[0]
            for row in session.connection().exec_driver_sql("select name from sqlite_master where type = 'index'")
        }
    database.dispose()
    steps = [str(row[3]) for row in plan]
    wanted = (
        index if index.rpartition(" ")[2] in names else "sqlite_autoindex_flow_run"
    )  # SQLite names the indexes of unique keys itself
    assert any(wanted in step for step in steps), steps


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: read_dispatch.due_for(session, read_dispatch.Taker(["a"]), NOW, 5),
        lambda session: dispatch.claim(session, ids.uuid7(), read_dispatch.Taker(["a"]), 5, NOW, NOW),
    ],
)
def test_postgres_looks_for_due_runs_first(postgres_database: str, ask: Callable[[Session], Any]) -> None:
    """It has no statistics of what storages hold, and with a join would read all runs of many versions to find the due ones."""
    empty(postgres_database)
    database = Database(postgres_database)
    sent: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _k, sql, values, *_: sent.append((sql, values)))
    with database.write() as session:
        ask(session)
        [(sql, values)] = [one for one in sent if "storage_type" in one[0]]
        [plan] = session.connection().exec_driver_sql(f"explain (format json) {sql}", values).one()[0]
    database.dispose()
    versions = [step for step in _steps(plan["Plan"]) if step.get("Relation Name") == "flow_version"]
    assert [step["Parent Relationship"] for step in versions] == ["SubPlan"]


def _steps(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for one in step.get("Plans", ()):
        yield from _steps(one)
