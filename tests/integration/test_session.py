"""Transactions: all or nothing, one writer at a time, and faults that pass are told from bugs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from appliance.kit import ids
from appliance.server.actions import leases, projects
from appliance.server.db import migrate
from appliance.server.db.reads import settings as read_settings
from appliance.server.db.session import Announcement, Database, address
from appliance.server.db.sqlite import dbapi as sqlite3
from appliance.server.db.writes import settings
from appliance.server.errors import Invalid, Unavailable
from appliance.server.events.outbox import announce
from tests.integration.builders import ALICE, one, rows

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_sqlite_keeps_what_it_acknowledged(sqlite_template: Path) -> None:
    database = Database(f"sqlite:///{sqlite_template}")
    with database.read() as session:
        found = {
            name: session.execute(text(f"pragma {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_an_exception_undoes_all(database: Database) -> None:
    heard: list[Announcement] = []
    database.on_commit(heard.extend)

    def half() -> None:
        with database.write() as session:
            projects.ensure(session, ALICE, "demo", NOW)
            raise Invalid("no")

    with pytest.raises(Invalid):
        half()
    assert rows(database, "select id from project") == rows(database, "select id from event") == heard == []


def test_listeners_hear_of_commits_in_order(database: Database) -> None:
    heard: list[Announcement] = []
    database.on_commit(lambda _announcements: 1 / 0)  # a listener's fault must not look like a failed change
    database.on_commit(heard.extend)
    with database.write() as session:
        for number in range(3):
            announce(session, "flow", ids.uuid7(), "flow.registered", {"version": number}, ALICE, NOW)
        assert heard == []
    assert [item.data["version"] for item in heard] == [0, 1, 2]
    assert [item.id for item in heard] == sorted(item.id for item in heard)


def test_a_read_sees_one_moment_and_changes_nothing(database: Database) -> None:
    with database.read() as session:
        session.execute(text("select 1"))
    if database.dialect == "postgresql":
        with (
            pytest.raises((OperationalError, ProgrammingError, Exception), match="read-only"),
            database.read() as session,
        ):
            session.execute(text("delete from project"))


def test_one_who_comes_during_a_long_write_reads_at_once(database: Database, database_url: str) -> None:
    other = Database(database_url)
    with database.write() as session:
        settings.put(session, "one", "1", NOW)
        with other.read() as reading:  # over a connection that is opened now
            assert read_settings.get(reading, "one") is None
    other.dispose()


def test_many_writers_lose_nothing(database: Database, database_url: str) -> None:
    leases.acquire(database, "counter", "a", 60)
    others = [Database(database_url) for _ in range(3)]

    def work(db: Database) -> None:
        for _ in range(25):
            with db.write() as session:
                found = session.execute(
                    text(
                        "select epoch from lease where name = 'counter' for update"
                        if db.dialect != "sqlite"
                        else "select epoch from lease"
                    )
                )
                epoch = found.scalar_one()
                session.execute(text("update lease set epoch = :epoch"), {"epoch": epoch + 1})

    threads = [threading.Thread(target=work, args=(db,)) for db in (database, *others) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for db in others:
        db.dispose()
    assert one(database, "select epoch from lease") == {"epoch": 201}


def test_a_locked_database_is_unavailable_and_a_wrong_statement_is_a_bug(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "copy.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    with database.write() as session:
        session.execute(text("pragma busy_timeout=1"))  # of this pooled connection, which the next block gets
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(Unavailable, match="try again"):
        database.check_writable()
    other.execute("rollback")
    database.check_writable()
    with pytest.raises(OperationalError, match="no such column"), database.read() as session:
        session.execute(text("select nowhere"))
    other.close()
    database.dispose()


def test_a_database_that_is_away_is_unavailable() -> None:
    database = Database("postgresql://127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(Unavailable, match="can't be used right now"):
        database.schema_version()
    database.dispose()
    with pytest.raises(Unavailable):
        migrate.upgrade("postgresql://127.0.0.1:1/none?connect_timeout=1")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [("nonsense", "can't be read"), ("mysql://u:p@h/d", "SQLite or Postgres"), ("", "can't be read")],
)
def test_other_addresses_are_refused(url: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        Database(url)


def test_addresses_get_our_drivers() -> None:
    assert address("postgresql://u:p@host/db") == "postgresql+psycopg://u:p@host/db"
    assert address("sqlite:////x/appliance.db") == "sqlite:////x/appliance.db"


def test_a_lease_has_one_holder_and_a_growing_epoch(database: Database) -> None:
    assert leases.acquire(database, "scheduler", "a", 10, now=NOW) == 1
    assert leases.acquire(database, "scheduler", "b", 10, now=NOW) is None
    assert leases.acquire(database, "scheduler", "a", 10, now=NOW) == 1
    later = NOW.replace(second=11)
    assert leases.acquire(database, "scheduler", "b", 10, now=later) == 2
    assert leases.record(database, "scheduler", 1, {"created": 3}, 10, now=later) is False
    assert leases.record(database, "scheduler", 2, {"created": 3}, 10, now=later) is True
    leases.release(database, "scheduler", "b", 2, now=later)
    assert leases.acquire(database, "scheduler", "a", 10, now=later.replace(second=12)) == 3
    row = leases.find(database, "scheduler")
    assert row is not None and (row.last_counts, row.last_run_at) == ("created=3", later)


def test_one_of_many_takes_a_lease(database: Database) -> None:
    found: list[int | None] = []
    threads = [
        threading.Thread(target=lambda name=f"h{number}": found.append(leases.acquire(database, "x", name, 60)))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == [1] + [None] * 7


def test_a_new_file_that_another_process_is_opening_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin exclusive")
    database = Database(f"sqlite:///{path}")

    def mode() -> str:
        with database.read() as session:
            return str(session.execute(text("pragma journal_mode")).scalar_one())

    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(mode)
        with pytest.raises(TimeoutError):
            opened.result(timeout=0.2)
        other.execute("commit")
        other.close()
        assert opened.result(timeout=10) == "wal"
    database.dispose()
