"""A judge that can't find anything proves nothing: each invariant is broken by hand, in a database that was sound, and has to be named."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from appliance.kit import ids
from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.db import migrate
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.domain.rules import Rules
from tests.chaos.judge import Verdict, judge, over_limit
from tests.chaos.run import check_deaths
from tests.chaos.workload import Workload
from tests.integration.builders import ALICE, create, register
from tests.integration.conftest import (  # noqa: F401 - fixtures
    new_database_name,
    new_postgres,
    postgres_server,
    sqlite_template,
)

MORNING = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
SUCCESS = "(select min(id) from flow_run where state_name = 'Success')"
PLANNED = "(select min(id) from flow_run where schedule_id is not null and state_type = 'SCHEDULED')"
LAST = f"flow_run_id = {SUCCESS} and version = (select max(version) from flow_run_state where flow_run_id = {SUCCESS})"
SKIP = (
    "insert into schedule_skip (schedule_id, version, first, last, count, code, reason, at) "
    "select r.schedule_id, s.version, r.due_at, r.due_at, {count}, 'catch_up', '', r.due_at "
    f"from flow_run r join schedule s on s.id = r.schedule_id where r.id = {PLANNED}"
)

BROKEN = {
    "a run without a state": ("I1", [f"delete from flow_run_state where flow_run_id = {SUCCESS}"]),
    "a task run without a state": (
        "I1", ["delete from task_run_state where task_run_id = (select min(id) from task_run)"]),
    "a gap in the versions": ("I2", [
        f"update flow_run_state set version = version + 1 where {LAST}",
        f"update flow_run set version = version + 1 where id = {SUCCESS}"]),
    "a run that is not what its history says": (
        "I3", [f"update flow_run set state_type = 'FAILED', state_name = 'Failed' where id = {SUCCESS}"]),
    "a run that is a version behind": ("I3", [f"update flow_run set version = version - 1 where id = {SUCCESS}"]),
    "a state after the end": ("I4", ["STATE AFTER"]),
    "a state of an older attempt": ("I4", [f"update flow_run_state set attempt = 0 where {LAST}"]),
    "two runs for one due time": ("I5", [
        f"update flow_run set schedule_id = (select schedule_id from flow_run where id = {PLANNED}), "
        f"due_at = (select substr(due_at, 1, 19) from flow_run where id = {PLANNED}) where id = {SUCCESS}"]),
    "a due time without a run": ("I6", [f"delete from flow_run where id = {PLANNED}"]),
    "a run and a skip for one due time": ("I6", [SKIP.format(count=1)]),
    "a skip that counts wrong": ("I6", [SKIP.format(count=2)]),
    "a due time skipped twice": ("I6", [SKIP.format(count=1), SKIP.format(count=1)]),
    "a run when none was due": (
        "I6", [f"update flow_run set due_at = substr(due_at, 1, 17) || '07.000000' where id = {PLANNED}"]),
    "a live run without a lease": ("I7", [
        "update flow_run set state_type = 'RUNNING', end_time = null, lease_expires_at = null where id = " + SUCCESS]),
    "a live run whose lease is long over": ("I7", [
        "update flow_run set state_type = 'RUNNING', end_time = null, lease_expires_at = start_time where id = "
        + SUCCESS]),
    "a due run that nobody takes": ("I7", [
        f"update flow_run set state_type = 'SCHEDULED', end_time = null where id = {SUCCESS}"]),
    "an end without its time": ("I7", [f"update flow_run set end_time = null where id = {SUCCESS}"]),
    "an end with a lease": ("I7", [f"update flow_run set lease_expires_at = end_time where id = {SUCCESS}"]),
    "more live runs than a label's limit": ("I8", [
        "update concurrency_limit set slots = 0 where name = 'gpu'",
        f"""update flow_run set labels = '["gpu"]', state_type = 'RUNNING' where id = {SUCCESS}"""]),
    "a change that nobody was told of": (
        "I9", ["delete from event where id = (select min(id) from event where kind = 'flow_run.state')"]),
    "a change that was told twice": ("I9", ["EVENT TWICE"]),
    "a row that refers to nothing": ("I12", ["update log set flow_run_id = '" + "0" * 32 + "' where id = 1"]),
    "an index that is not the table's": ("I12", [
        "pragma writable_schema = on",
        "update sqlite_master set sql = replace(sql, 'state_type, scheduled_time', 'state_name, scheduled_time') "
        "where name = 'ix_flow_run_state_due'"]),
}  # fmt: skip
"""What is wrong, under which invariant the judge has to name it, and how it is brought about."""

ORPHAN = [
    "alter table schedule_skip drop constraint fk_schedule_skip_schedule_id_schedule",
    "insert into schedule_skip (schedule_id, version, first, last, count, code, reason, at) "
    "values (gen_random_uuid(), 1, now(), now(), 1, 'catch_up', '', now())",
]


@dataclass
class World:
    """A day's work that ended well: its database, the journal of who asked for it, the ledger of what it did."""

    directory: Path
    time: datetime

    @property
    def file(self) -> Path:
        return self.directory / "appliance.db"

    @property
    def journal(self) -> Path:
        return self.directory / "journal.jsonl"

    @property
    def ledger(self) -> Path:
        return self.directory / "ledger"

    def database(self) -> Database:
        return Database(f"sqlite:///{self.file}", rules=Rules(scheduled_runs_ahead=3))

    def judged(self) -> Verdict:
        db = self.database()
        try:
            return judge(db, self.time, journal=self.journal, ledger=self.ledger)
        finally:
            db.dispose()

    def sql(self, *statements: str) -> list[Any]:
        """Behind the back of every rule; the rows of the last statement."""
        connection = sqlite3.connect(self.file, isolation_level=None)
        found = [connection.execute(statement) for statement in statements][-1].fetchall()
        connection.close()
        return found


@pytest.fixture(scope="module")
def sound(
    sqlite_template: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    world = World(tmp_path_factory.mktemp("sound"), MORNING)
    shutil.copy(sqlite_template, world.file)
    db = world.database()
    workload = Workload(db, world.journal, MORNING)
    workload.script()
    workload.settle()
    db.dispose()
    world.time = workload.time
    done = "select distinct r.flow_run_id, s.attempt, r.task_slug from task_run_state s join task_run r on r.id = s.task_run_id"
    lines = [f"{run} {attempt} {slug}\n" for run, attempt, slug in world.sql(f"{done} where s.type = 'SUCCESS'")]
    world.ledger.write_text("".join(lines))
    return world


@pytest.fixture
def world(sound: World, tmp_path: Path) -> Iterator[World]:
    shutil.copytree(sound.directory, tmp_path / "world")
    yield World(tmp_path / "world", sound.time)


def broken(verdict: Verdict) -> set[str]:
    return {violation.partition(":")[0] for violation in verdict.violations}


def statements(world: World, texts: list[str]) -> list[str]:
    """The two that copy a row need the names of its columns."""

    def copied(table: str, where: str, **instead: str) -> str:
        names = [row[1] for row in world.sql(f"pragma table_info({table})")]
        wanted = ", ".join(instead.get(name, f'"{name}"') for name in names)
        return f"insert into {table} select {wanted} from {table} where {where}"

    state_after = copied("flow_run_state", LAST, id="null", version="version + 1", type="'RUNNING'", name="'Running'")
    twice = copied("event", "id = (select min(id) from event where kind = 'flow_run.state')", id="null")
    return [{"STATE AFTER": state_after, "EVENT TWICE": twice}.get(text, text) for text in texts]


def test_a_sound_database_is_found_sound(sound: World) -> None:
    verdict = sound.judged()
    assert verdict.violations == []
    for noun in ("runs", "task runs", "due times", "skipped due times", "limits", "acknowledged", "ledger lines"):
        assert verdict.counts[noun] > 0, noun


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_in_the_database_is_named(world: World, what: str) -> None:
    invariant, texts = BROKEN[what]
    world.sql(*statements(world, texts))
    assert invariant in broken(world.judged()), what


def test_runs_that_a_wrong_clock_made_early_are_judged_by_the_schedule(world: World) -> None:
    """Beyond what is planned now, as the clock was set back."""
    world.sql(f"update schedule set scheduled_until = (select due_at from flow_run where id = {PLANNED})")
    assert world.judged().violations == []
    world.sql(*BROKEN["a run when none was due"][1])
    assert broken(world.judged()) == {"I6"}


@pytest.mark.parametrize("op", ["create", "cancel", "change", "report"])
def test_an_acknowledged_change_of_a_run_that_is_gone_is_named(world: World, op: str) -> None:
    append(world, op=op, run=str(ids.uuid7()), key="lost", attempt=1, seq=1)
    assert broken(world.judged()) == {"I10"}


@pytest.mark.parametrize(
    "entry",
    [
        {"op": "create", "key": "create-2", "parameters": {"n": 99}},
        {"op": "create", "key": "another"},
        {"op": "cancel"},
        {"op": "change", "key": "never-heard-of"},
        {"op": "report", "attempt": 1, "seq": 99},
        {"op": "delete"},
    ],
    ids=lambda entry: "-".join(map(str, entry.values())),
)
def test_an_acknowledged_change_that_left_no_mark_is_named(world: World, entry: dict[str, Any]) -> None:
    [[run]] = world.sql("select id from flow_run where idempotency_key = 'create-2'")
    append(world, run=run, **{"key": "", **entry})
    assert broken(world.judged()) == {"I10"}


def test_an_acknowledged_change_that_another_request_had_made_is_there_by_its_key(world: World) -> None:
    db = world.database()
    run = create(db, register(db, "other").flow_id, scheduled_time=datetime(2099, 1, 1, tzinfo=UTC))
    for key in ("overtook", "came later"):
        pause_run(db, ALICE, run, ChangeFlowRun(idempotency_key=key))
    db.dispose()
    append(world, op="change", run=str(run), key="came later")
    assert world.judged().violations == []


def test_a_key_that_was_answered_with_two_runs_is_named(world: World) -> None:
    told = [json.loads(line) for line in world.journal.read_text().splitlines()]
    first, second = [entry for entry in told if entry["op"] == "create"][:2]
    append(world, **{**first, "run": second["run"]})
    assert "I10" in broken(world.judged())


def test_an_attempt_that_did_its_work_twice_is_named(world: World) -> None:
    line = world.ledger.read_text().splitlines()[0]
    world.ledger.write_text(world.ledger.read_text() + line + "\n")
    assert broken(world.judged()) == {"I14"}


def test_an_attempt_that_nobody_knows_of_is_named(world: World) -> None:
    run, _, slug = world.ledger.read_text().splitlines()[0].split()
    world.ledger.write_text(world.ledger.read_text() + f"{run} 99 {slug}\n{ids.uuid7()} 1 {slug}\n")
    assert broken(world.judged()) == {"I14"}


def test_a_success_that_never_ran_is_named(world: World) -> None:
    world.ledger.write_text("\n".join(world.ledger.read_text().splitlines()[1:]) + "\n")
    assert broken(world.judged()) == {"I14"}


def test_a_limit_is_judged_while_runs_are_live(world: World) -> None:
    db = world.database()
    assert over_limit(db) == []
    world.sql(*BROKEN["more live runs than a label's limit"][1])
    assert len(over_limit(db)) == 1
    db.dispose()


def test_a_run_that_died_without_our_doing_is_named(world: World) -> None:
    db, verdict = world.database(), Verdict()
    runs = metadata.tables["flow_run"]
    with db.read() as session:
        crashed = session.execute(select(runs).where(runs.c.state_name == "Crashed")).all()
    dead = {str(run.id): run.state_at for run in crashed}
    assert dead
    noticed = check_deaths(verdict, db, {id: at - timedelta(seconds=30) for id, at in dead.items()})
    assert (verdict.violations, set(noticed)) == ([], {30.0})
    check_deaths(verdict, db, {})
    assert broken(verdict) == {"P7"}
    check_deaths(verdict, db, {id: at - timedelta(seconds=181) for id, at in dead.items()})
    assert broken(verdict) == {"P6", "P7"}
    db.dispose()


def test_postgres_rows_that_refer_to_nothing_are_named(postgres_server: str) -> None:  # noqa: F811 - the fixture
    with new_postgres(postgres_server, new_database_name()) as url:
        migrate.upgrade(url)
        db = Database(url)
        assert judge(db, MORNING).violations == []
        with db.write() as session:
            for statement in ORPHAN:
                session.execute(text(statement))
        found = broken(judge(db, MORNING))
        db.dispose()
    assert found == {"I12"}


def append(world: World, **entry: Any) -> None:
    with world.journal.open("a") as file:
        file.write(json.dumps(entry) + "\n")
