"""Statements that go to the driver directly read, write and fail as SQLAlchemy's do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from appliance.kit import ids
from appliance.protocol.state_change import StateChange
from appliance.server.db.reads import flow_runs, flows, task_runs, tokens
from appliance.server.db.session import Database
from appliance.server.db.writes import flow_runs as write_runs
from appliance.server.db.writes import states
from appliance.server.db.writes import task_runs as write_tasks
from appliance.server.errors import DamagedRow, Interrupted, Unavailable
from tests.integration import builders
from tests.integration.server_fixtures import add_token, add_user

pytestmark = pytest.mark.usefixtures("clock")


@contextmanager
def by_sqlalchemy(db: Database) -> Iterator[list[str]]:
    """Somebody listens to the statements, so that none goes past SQLAlchemy."""
    heard: list[str] = []

    def note(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        heard.append(sql)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield heard
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
        db.engine._has_events = False  # as if nobody had ever listened


def reported(db: Database) -> UUID:
    """A run with task runs whose columns are filled, and empty, two of which changed at once."""
    run, _agent = builders.begun(db)
    running = builders.task("load-1", "RUNNING", "Running", run_count=1, map_index=0)
    builders.send(db, run, 1, running, builders.task("load-1", "RUNNING", "Running", map_index=1))
    done = {"result_location": "a/b", "data": {"a": [1, None]}, "message": "'\"%s :x ?", "task_run_name": "Ü"}
    builders.send(
        db, run, 2, builders.task("load-1", "SUCCESS", "Success", run_count=2, map_index=0, **done),
        builders.task("load-1", "RUNNING", "Running", run_count=2, map_index=1), builders.line("One line."),
    )  # fmt: skip
    builders.send(db, run, 3, builders.flow("RUNNING", "Running", data={"x": 1}))
    return run


def stored(db: Database) -> list[list[dict[str, Any]]]:
    """What that has stored, without what is random."""
    return [
        builders.rows(db, "select task_slug, map_index, name, state_type, state_name, state_message, state_data, state_at, version, attempt, run_count,"
                          " result_location, tags, start_time, end_time from task_run order by map_index"),
        builders.rows(db, "select version, attempt, type, name, message, data, at from task_run_state order by at, version, type, message"),
        builders.rows(db, "select version, type, name, message, data, actor is null as nobody from flow_run_state order by version"),
        builders.rows(db, "select task_slug, map_index, level, logger, message from log order by id"),
        builders.rows(db, "select stored_rows, stored_bytes, log_rows, log_bytes, last_seq, version, state_type, start_time is null as a from flow_run"),
        builders.rows(db, "select sum(stored_rows) as a, sum(stored_bytes) as b from project_usage"),
        builders.rows(db, "select kind, topic, data from event order by id"),
    ]  # fmt: skip


def test_they_store_what_sqlalchemy_stores(database: Database) -> None:
    found = []
    for listens in (False, False, True):  # the first one registers the flow
        with by_sqlalchemy(database) if listens else nullcontext():
            reported(database)
        found.append(stored(database))
        with database.write() as session:
            for table in (
                "log",
                "task_run_state",
                "task_run",
                "flow_run_state",
                "event",
                "project_usage",
                "flow_run",
            ):
                session.execute(text(f'delete from "{table}"'))
    _, directly, usually = found
    assert directly == usually
    assert [row["name"] for row in directly[0]] == ["Ü", "load[1]"]


READS: dict[str, Callable[[Any, UUID], Any]] = {
    "locked": states.lock,
    "token": flow_runs.token_of,
    "attempt": write_runs.lock_attempt,
    "open task runs": lambda session, run: list(write_tasks._OPEN.all(session, {"flow_run": run})),
    "a person's token": lambda session, _run: tokens.by_hash(
        session, session.execute(text("select token_hash from api_token")).scalar()
    ),
    "flow": lambda session, run: list(flows.runnable(session, states.lock(session, run).flow_id, None, None) or ()),
    "flow by name": lambda session, _run: list(flows.runnable(session, None, "demo", "etl") or ()),
    "task runs": lambda session, run: list(
        task_runs.by_ids(session, ids.derived_all(run, [("load-1", index) for index in (0, 1, 2)])).values()
    ),
}


@pytest.mark.parametrize("name", READS)
def test_they_read_what_sqlalchemy_reads(database: Database, name: str) -> None:
    run = reported(database)
    add_user(database, "ann", "operator")
    add_token(database, "ann")
    with database.write() as session:
        directly = READS[name](session, run)
    with by_sqlalchemy(database) as heard, database.write() as session:
        usually = READS[name](session, run)
    assert heard
    assert directly
    for one, other in zip(*(x if isinstance(x, list) else [x] for x in (directly, usually)), strict=True):
        assert one._asdict() == other._asdict()


def test_no_row_is_none(database: Database) -> None:
    with database.write() as session:
        assert states.lock(session, uuid4()) is None
        assert task_runs.by_ids(session, [uuid4()]) == {}


def test_a_value_that_nobody_could_have_stored_is_a_damaged_row(database: Database) -> None:
    run = reported(database)
    with database.write() as session:
        if database.dialect != "sqlite":
            session.execute(text("alter table flow_run drop constraint if exists ck_flow_run_state_type"))
        session.execute(text("update flow_run set state_type = 'BOGUS'"))
    with pytest.raises(DamagedRow), database.write() as session:
        states.lock(session, run)


def test_a_text_that_is_none_is_a_damaged_row(database: Database) -> None:
    run = reported(database)
    if database.dialect != "sqlite":
        return  # Postgres stores no such text
    with database.write() as session:
        session.execute(text("update flow_run set name = cast(x'ff' as text)"))
    with pytest.raises(DamagedRow), database.write() as session:
        states.lock(session, run)


def test_what_the_database_forbids_is_sqlalchemys_error(database: Database) -> None:
    run = reported(database)
    row = states.row(run, 1, 1, StateChange("RUNNING", "Running", datetime(2026, 3, 2, tzinfo=UTC)), "somebody")
    with pytest.raises(IntegrityError), database.write() as session:
        states.add(session, [row])
    with database.read() as session:  # the connection is usable, and nothing is left of the transaction
        assert flow_runs.token_of(session, run) is not None


def test_what_was_not_committed_is_not_there_for_the_next(database: Database) -> None:
    run = reported(database)

    class Stop(Exception):
        pass

    with pytest.raises(Stop), database.write() as session:
        session.execute(text("update flow_run set name = 'lost'"))
        raise Stop
    with database.read() as session:
        session.execute(text("select 1"))
    assert builders.run_row(database, run)["name"] != "lost"
    assert database.busy_connections() == 0


def test_a_locked_database_is_unavailable_and_usable_afterwards(database: Database) -> None:
    if database.dialect != "sqlite":
        return  # rows are locked there, not the database
    run = reported(database)
    with database.engine.connect() as other:
        other.exec_driver_sql("begin immediate")
        with pytest.raises(Unavailable), database.at_once(), database.write():
            pass
        other.rollback()
    with database.write() as session:
        assert states.lock(session, run) is not None
    assert database.busy_connections() == 0


def test_a_connection_that_is_lost_in_a_read_is_replaced(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("it has none to lose")
    add_user(database, "ann", "operator")
    add_token(database, "ann")
    with pytest.raises(Interrupted), database.read() as session:
        assert tokens.by_hash(session, "none") is None
        pid = session.execute(text("select pg_backend_pid()")).scalar_one()
        with database.write() as other:
            other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        tokens.by_hash(session, "none")
    with database.read() as session:
        assert tokens.live(session)


def test_a_short_read_begins_no_transaction_and_sees_each_commit(database: Database) -> None:
    run = reported(database)
    with database.read(short=True) as short, database.read() as whole:
        before = [flow_runs.token_of(session, run) for session in (short, whole)]
        assert before[0] == before[1]
        with database.write() as session:
            session.execute(text("update flow_run set attempt = attempt + 1"))
        after = [flow_runs.token_of(session, run) for session in (short, whole)]
    assert before[0] is not None
    assert after[0] is not None
    assert after[0].attempt == before[0].attempt + 1
    if database.dialect == "sqlite":
        assert after[1] == before[1]  # one snapshot
    assert database.busy_connections() == 0


def test_the_numbers_of_one_run_are_of_one_moment(database: Database) -> None:
    run, _agent = builders.begun(database)
    started: list[str] = []

    def start_a_task(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        """As soon as a statement has counted."""
        if "count(" in statement and not started:
            started.append(statement)
            with ThreadPoolExecutor(1) as other:
                other.submit(builders.send, database, run, 1, builders.task("load-1", "RUNNING", "Running")).result(30)

    event.listen(database.engine, "after_cursor_execute", start_a_task)
    with database.read() as session:
        assert task_runs.counts(session, [run]) == {}
    assert started
    with database.read() as session:
        assert task_runs.counts(session, [run])[run].by_type == {"RUNNING": 1}
