"""A stored value that can't be read: its row is left out and counted, and whoever reads goes on."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from appliance.kit import clock
from appliance.server.actions import disk, leases, soundness
from appliance.server.db import listen, sqlite
from appliance.server.db.reads import events, readable
from appliance.server.db.session import Database
from appliance.server.services.soundness import Soundness
from tests.integration import builders

DAMAGE = {"data": ["{", "", "\x00"], "at": ["yesterday", "", "2026-13-99 00:00:00"]}


def damage(database: Database, statement: str, **values: object) -> None:
    with database.write() as session:
        session.execute(text(statement), values)


def ids(database: Database) -> list[int]:
    return [row["id"] for row in builders.rows(database, "select id from event order by id")]


@pytest.mark.parametrize(
    ("column", "value"), [(column, value) for column, values in DAMAGE.items() for value in values]
)
def test_a_damaged_event_is_left_out_of_every_read(database: Database, column: str, value: str) -> None:
    if database.dialect == "postgresql":
        return  # it stores no such value
    builders.begun(database)
    every = ids(database)
    damage(database, f"update event set {column} = :value where id = :id", value=value, id=every[1])
    before, expected = readable.skipped(), [every[0], *every[2:]]
    with database.read() as session:
        assert [event.id for event in listen.read_events(session, 0)] == expected
        assert [row.id for row in events.after(session, 0, 1000)] == expected
        assert [row.id for row in events.with_runs_after(session, 0, 1000)] == expected
        assert [row.id for row in events.after(session, 0, 2)] == expected[:2]
    assert readable.skipped() == before + 4


@pytest.mark.parametrize("column", ["expires", "last_run_at", "since"])
@pytest.mark.parametrize("value", ["zzz", ""])
def test_a_damaged_lease_is_taken_again(database: Database, column: str, value: str) -> None:
    if database.dialect == "postgresql":
        return  # it stores no such value
    assert leases.acquire(database, "scheduler", "one", 60) == 1
    damage(database, f"update lease set {column} = :value", value=value)
    assert leases.find(database, "scheduler") is None
    taken = leases.acquire(database, "scheduler", "two" if column == "expires" else "one", 60)
    assert taken is not None


def test_the_file_is_looked_through_once_after_a_start(database: Database) -> None:
    service = Soundness(database)
    first, second = service.run_once(clock.now()), service.run_once(clock.now())
    assert first == {"checked": 1, "problems": 0}
    assert second == {"checked": 0, "problems": 0}
    assert disk.measure(database, 0).warnings == []


def test_damage_in_the_file_becomes_a_warning(database: Database) -> None:
    if database.dialect == "postgresql":
        return  # it checks its own pages
    root = int(builders.one(database, "select rootpage as page from sqlite_master where name = 'log'")["page"])
    file = sqlite.file_of(database.url)
    assert file is not None
    database.dispose()
    with file.open("r+b") as content:
        content.seek((root - 1) * 4096)
        content.write(b"\xff" * 4096)
    result = soundness.check(database, clock.now())
    assert result.problems
    last = soundness.last(database)
    assert last == result
    assert any("damaged" in warning for warning in disk.measure(database, 0).warnings)
