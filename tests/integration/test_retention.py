"""Retention on real databases: what is old goes in small steps, what is live, planned or still needed stays."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from appliance.config import Settings
from appliance.kit import clock as kit_clock
from appliance.kit import ids
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import rollups
from appliance.server.actions import run_protocol as attempts
from appliance.server.actions.retention import Sweep
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.reads import disk
from appliance.server.db.session import Database
from appliance.server.db.writes import task_runs
from appliance.server.domain.retention import Keep
from appliance.server.events.outbox import announce
from appliance.server.services.retention import Retention
from tests.integration import builders
from tests.integration.conftest import StoppedClock

DAY = timedelta(days=1)
ENOUGH = 3_600.0
"""Seconds for a sweep, which otherwise would end halfway on a busy machine."""


def _no_pause(_seconds: float) -> None:
    pass


def _sweep(db: Database, now: datetime, **keep: Any) -> dict[str, int]:
    found = Sweep(db, Keep(**keep), now, seconds=ENOUGH, pause=_no_pause).run()
    return {name: rows for name, rows in found.items() if rows and name != "pages"}


def _ended(db: Database, agent: UUID, flow: UUID, lines: int = 2) -> UUID:
    run = builders.create(db, flow)
    assert [item.flow_run_id for item in builders.claim(db, agent)] == [run]
    attempts.begin(db, builders.RUN, run, Begin(attempt=1))
    told = [builders.line(f"line {number}") for number in range(lines)]
    task = builders.task("extract-1", "RUNNING", "Running"), builders.task("extract-1", "SUCCESS", "Success")
    builders.send(db, run, 1, *task, *told, builders.flow("SUCCESS", "Success"))
    return run


def _count(db: Database, table: str) -> int:
    return int(builders.one(db, f"select count(*) as n from {table}")["n"])


def _ids(db: Database) -> set[UUID]:
    return {UUID(str(row["id"])) for row in builders.rows(db, "select id from flow_run")}


def test_old_ended_runs_go_with_all_that_is_theirs(database: Database, clock: StoppedClock) -> None:
    agent, flow = builders.enrol(database), builders.register(database).flow_id
    old = [_ended(database, agent, flow) for _ in range(3)]
    clock.move(5 * 86_400)
    young = _ended(database, agent, flow)
    assert _sweep(database, clock.time, runs_days=4)["runs"] == len(old)
    assert _ids(database) == {young}
    for table in ("log", "task_run", "task_run_state", "flow_run_state"):
        noun = "task_run" if table == "task_run_state" else "flow_run"
        left = builders.rows(database, f"select {noun}_id from {table}")
        assert left, table
    assert _count(database, "task_run") == 1 and _count(database, "log") == 2
    builders.check_histories(database)
    assert _sweep(database, clock.time, runs_days=4) == {}


def test_live_planned_and_paused_runs_stay(database: Database, clock: StoppedClock) -> None:
    agent, flow = builders.enrol(database), builders.register(database).flow_id
    running = builders.create(database, flow)
    builders.claim(database, agent)
    planned = builders.create(database, flow)
    clock.move(400 * 86_400)
    assert _sweep(database, clock.time, runs_days=1, runs_bytes=1) == {}
    assert _ids(database) == {running, planned}


def test_a_run_that_ended_lately_stays_however_long_ago_it_was_due(database: Database, clock: StoppedClock) -> None:
    flow, run = builders.register(database).flow_id, None
    run = builders.create(database, flow)
    clock.move(50 * 86_400)
    agent = builders.enrol(database)
    builders.claim(database, agent)
    attempts.begin(database, builders.RUN, run, Begin(attempt=1))
    builders.send(database, run, 1, builders.flow("FAILED", "Failed"))
    assert _sweep(database, clock.time + DAY, runs_days=2) == {}
    assert _sweep(database, clock.time + 3 * DAY, runs_days=2)["runs"] == 1


def test_a_large_run_goes_in_small_transactions(database: Database, clock: StoppedClock) -> None:
    agent, flow = builders.enrol(database), builders.register(database).flow_id
    run = _ended(database, agent, flow, lines=700)
    _many_tasks(database, run, 3_000, clock.time)
    rows: list[int] = []
    watched = ("DELETE",)
    current = [0]

    def executed(_c: Any, cursor: Any, sql: str, *_rest: Any) -> None:
        if sql.startswith(watched):
            current[0] += cursor.rowcount

    def committed(_connection: Any) -> None:
        rows.append(current[0])
        current[0] = 0

    event.listen(database.engine, "after_cursor_execute", executed)
    event.listen(database.engine, "commit", committed)
    sweep = Sweep(database, Keep(runs_days=1), clock.time + 2 * DAY, seconds=ENOUGH, pause=_no_pause)
    assert sweep.run()["runs"] == 1
    assert sum(rows) >= 700 + 2 * 3_000
    assert max(rows) <= 2_000 + 1_100, "a batch, and the states of its last task runs"
    assert len([number for number in rows if number]) >= 4
    assert _ids(database) == set() and _count(database, "task_run_state") == 0


def _many_tasks(db: Database, run: UUID, number: int, now: datetime) -> None:
    common = {"state_type": "SUCCESS", "state_name": "Success", "state_message": "", "state_data": None}
    tasks, states = [], []
    for index in range(number):
        task = ids.uuid7()
        tasks.append(
            common
            | {"id": task, "flow_run_id": run, "task_slug": "load-1", "map_index": index, "name": "load", "tags": []}
            | {"state_at": now, "version": 1, "attempt": 1, "run_count": 1, "created": now}
        )
        states.append(
            {"task_run_id": task, "version": 1, "attempt": 1, "type": "SUCCESS", "name": "Success", "message": ""}
            | {"data": None, "at": now}
        )
    with db.write() as session:
        task_runs.store(session, tasks, [], states)


def test_logs_go_by_age_even_of_runs_that_stay_and_clocks_that_were_wrong(
    database: Database, clock: StoppedClock
) -> None:
    run, _agent = builders.begun(database)
    builders.send(database, run, 1, *(builders.line(f"old {number}") for number in range(50)))
    clock.move(10 * 86_400)
    long_ago, ahead = clock.time - 3_000 * DAY, clock.time + 3_000 * DAY
    young = [builders.line("young"), builders.line("ahead", at=ahead), builders.line("young"), builders.line("young")]
    builders.send(database, run, 2, *young, builders.line("behind", at=long_ago), builders.line("young"))
    _sweep(database, clock.time, logs_days=5)
    left = [row["message"] for row in builders.rows(database, "select message from log order by id")]
    assert [text for text in left if text.startswith("old")] == []
    assert [text for text in left if text in ("young", "ahead")] == ["young", "ahead", "young", "young", "young"]


def test_logs_go_by_bytes_the_oldest_first(database: Database, clock: StoppedClock) -> None:
    run, _agent = builders.begun(database)
    for seq in range(1, 11):
        builders.send(database, run, seq, *(builders.line(f"{seq:02} " + "x" * 1_000) for _ in range(40)))
    with database.read() as session:
        size = disk.estimated_bytes(session, "log")
    assert 400 * 1_000 < size < 400 * 1_400
    clock.move(60)
    _sweep(database, clock.time, logs_bytes=size // 2)
    left = [row["message"][:2] for row in builders.rows(database, "select message from log order by id")]
    assert 150 <= len(left) <= 200 and left[-1] == "10" and "01" not in left
    assert _sweep(database, clock.time, logs_bytes=size // 2) == {}, "below its limit, nothing goes"


def test_events_wait_for_the_sums_and_the_newest_stays(database: Database, clock: StoppedClock) -> None:
    _ended(database, builders.enrol(database), builders.register(database).flow_id)
    newest = builders.one(database, "select max(id) as id from event")["id"]
    later = clock.time + 40 * DAY
    assert "events" not in _sweep(database, later, events_days=30), "the sums have not seen them"
    rollups.advance(database, later)
    assert _sweep(database, later, events_days=30)["events"] > 3
    assert [row["id"] for row in builders.rows(database, "select id from event")] == [newest]
    with database.write() as session:
        announce(session, "flow", ids.uuid7(), "flow.changed", {}, SYSTEM, later)
    assert builders.one(database, "select max(id) as id from event")["id"] > newest, "ids never begin anew"


def test_events_that_a_stream_may_resume_from_stay_whatever_the_limit(database: Database, clock: StoppedClock) -> None:
    _ended(database, builders.enrol(database), builders.register(database).flow_id)
    before = _count(database, "event")
    rollups.advance(database, clock.time + timedelta(minutes=5))
    assert "events" not in _sweep(database, clock.time + timedelta(minutes=5), events_bytes=1, events_days=0.0001)
    assert _count(database, "event") == before
    _sweep(database, clock.time + timedelta(hours=2), events_bytes=1)
    assert _count(database, "event") < before


def test_small_classes_go_by_age_too(database: Database, clock: StoppedClock) -> None:
    past, far = clock.time - 100 * DAY, clock.time + DAY
    with database.write() as session:
        for state in ("done", "failed", "running", "queued"):
            session.execute(
                text(
                    "insert into job (id, kind, request, progress, state, message, total, done, refused, cancel_requested,"
                    " created, updated, created_by) values (:id, 'cancel', '{}', '{}', :state, '', 0, 0, 0, false, :at, :at, 'a')"
                ),
                {"id": ids.uuid7().hex, "state": state, "at": past.replace(tzinfo=None)},
            )
    found = _sweep(database, far, events_days=30)
    assert found == {"jobs": 2}
    states = {row["state"] for row in builders.rows(database, "select state from job")}
    assert states == {"running", "queued"}


def test_tables_under_retention_stop_growing(database: Database, clock: StoppedClock) -> None:
    """Twenty days of work with three days of memory: from the fourth day on nothing grows any more."""
    agent, flow = builders.enrol(database), builders.register(database).flow_id
    service = Retention(
        database,
        Settings(retention_runs_days=3, retention_logs_days=2, retention_events_days=2, retention_rollups_days=10),
        round_seconds=ENOUGH,
    )
    sizes: list[dict[str, int]] = []
    tables = ("flow_run", "flow_run_state", "task_run", "task_run_state", "log", "event", "run_rollup")
    for _day in range(20):
        for _ in range(4):
            clock.move(6 * 3_600)
            _ended(database, agent, flow)
        rollups.advance(database, clock.time + timedelta(minutes=1))
        service.run_once(clock.time + timedelta(minutes=1))
        sizes.append({table: _count(database, table) for table in tables})
    assert sizes[-1] == sizes[12], (sizes[12], sizes[-1])
    assert sizes[-1]["flow_run"] <= 4 * 3 + 1 and sizes[-1]["run_rollup"] <= 4 * 10 + 1
    assert builders.one(database, "select sum(runs) as n from run_rollup")["n"] <= 41


def test_by_bytes_the_oldest_runs_go_and_the_file_shrinks(
    tmp_path: Path, sqlite_template: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "copy.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    agent, flow = builders.enrol(database), builders.register(database).flow_id
    runs = [_ended(database, agent, flow, lines=0) for _ in range(6)]
    for run in runs:
        _many_tasks(database, run, 4_000, clock.time)
        clock.move(1)
    database.fold_log()
    before = path.stat().st_size
    with database.read() as session:
        used = disk.used_bytes(session)
    limit = used // 2
    found = Sweep(database, Keep(runs_bytes=limit), clock.time + DAY, seconds=ENOUGH, pause=_no_pause).run()
    assert found["runs"] >= 2
    left = _ids(database)
    assert left and left == set(runs[-len(left) :]), "the youngest stay"
    with database.read() as session:
        assert limit // 2 < disk.used_bytes(session) <= limit
    Sweep(database, Keep(), clock.time, seconds=ENOUGH, essential=True, pause=_no_pause).run()
    database.fold_log()
    assert path.stat().st_size < 0.7 * before
    assert builders.one(database, "pragma integrity_check")["integrity_check"] == "ok"
    database.dispose()


def test_a_budget_makes_what_is_old_go_sooner(tmp_path: Path, sqlite_template: Path, clock: StoppedClock) -> None:
    path = tmp_path / "copy.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    agent, flow = builders.enrol(database), builders.register(database).flow_id
    old = _ended(database, agent, flow)
    _many_tasks(database, old, 5_000, clock.time)
    clock.move(20 * 86_400)
    young = _ended(database, agent, flow)
    with database.read() as session:
        used = disk.used_bytes(session)
    Retention(database, Settings(disk_budget_bytes=2 * used), round_seconds=ENOUGH).run_once(clock.time)
    assert _ids(database) == {old, young}
    Retention(database, Settings(disk_budget_bytes=used // 2), round_seconds=ENOUGH).run_once(clock.time)
    assert _ids(database) == {young}
    database.dispose()


def reads_all(step: str) -> bool:
    """Whether a step of SQLite's plan reads a whole table; a constant is one row."""
    return step.startswith("SCAN ") and "INDEX" not in step and step != "SCAN CONSTANT ROW"


def test_deleting_finds_its_rows_by_index(tmp_path: Path, sqlite_template: Path, clock: StoppedClock) -> None:
    path = tmp_path / "copy.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    _ended(database, builders.enrol(database), builders.register(database).flow_id)
    rollups.advance(database, clock.time)
    sent: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _k, sql, values, *_: sent.append((sql, values)))
    keep = Keep(runs_days=1, logs_days=1, events_days=1, rollups_days=1, runs_bytes=1, logs_bytes=1, events_bytes=1)
    Sweep(database, keep, clock.time + 2 * DAY, seconds=ENOUGH, pause=_no_pause).run()
    small = ("api_token", "job", "pragma_", "setting")
    scans = []
    with database.read() as session:
        for sql, values in sent:
            if not sql.startswith(("SELECT", "DELETE")) or any(name in sql for name in small):
                continue
            plan = session.connection().exec_driver_sql(f"explain query plan {sql}", values).all()
            scans += [(row[3], sql) for row in plan if reads_all(row[3])]
    database.dispose()
    assert sent and [scan for scan in scans if "LIMIT" not in scan[1]] == []


def test_a_new_file_can_give_pages_back_and_an_old_one_still_works(tmp_path: Path, sqlite_template: Path) -> None:
    with Database(f"sqlite:///{sqlite_template}").read() as session:
        assert disk.gives_back(session)
    from appliance.server.db.sqlite import dbapi as sqlite3

    shutil.copy(sqlite_template, tmp_path / "old.db")
    old = sqlite3.connect(tmp_path / "old.db")
    old.executescript("pragma auto_vacuum = none; vacuum;")
    old.close()
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    with database.read() as session:
        assert not disk.gives_back(session)
    assert _sweep(database, kit_clock.now(), runs_days=1, logs_days=1) == {}
    database.dispose()


@pytest.mark.parametrize("table", ["log", "event"])
def test_an_empty_table_takes_no_room(database: Database, table: str) -> None:
    with database.read() as session:
        assert disk.estimated_bytes(session, table) == 0
        assert disk.last_before(session, table, kit_clock.now()) == 0
