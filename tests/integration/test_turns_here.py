"""Short writes in the event loop's own thread: as long as nobody else writes and the disk is quick, and nothing is done twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from appliance.kit import clock
from appliance.server.api.turns import SLOW, SPARED, Turns
from appliance.server.db.session import Database
from appliance.server.db.sqlite import dbapi as sqlite3
from appliance.server.errors import MustWait

LIMIT = 20


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with made.write() as session:
        session.execute(text("create table noted (thread integer)"))
    yield made
    made.dispose()


@pytest.fixture
def turns(database: Database) -> Iterator[Turns]:
    made = Turns(database)
    yield made
    made.close()


@pytest.fixture
def other(database: Database, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another process' connection, as far as SQLite can tell."""
    made = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    yield made
    made.close()


def note(database: Database) -> int:
    """Write which thread this is."""
    with database.write() as session:
        session.execute(text("insert into noted values (:thread)"), {"thread": threading.get_ident()})
    return threading.get_ident()


def noted(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.execute(text("select thread from noted order by rowid")).scalars())


def test_a_short_turn_is_taken_here_and_any_other_in_the_line(database: Database, turns: Turns) -> None:
    async def both() -> tuple[int, int]:
        return await turns.take(lambda: note(database), short=True), await turns.take(lambda: note(database))

    here, there = asyncio.run(both())
    assert here == threading.get_ident() != there
    assert noted(database) == [here, there]


@pytest.mark.parametrize("holder", ["another process", "another thread"])
def test_the_loop_goes_on_while_others_write(
    database: Database, turns: Turns, other: sqlite3.Connection, holder: str
) -> None:
    """The change waits in the line, is made once, and what comes after it comes after it."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        if holder == "another process":
            other.execute("begin immediate")
            held.set()
            assert release.wait(LIMIT)
            other.execute("rollback")
            return
        with database.write():
            held.set()
            assert release.wait(LIMIT)

    holding = threading.Thread(target=hold)
    holding.start()
    assert held.wait(LIMIT)

    async def two() -> list[int]:
        first = asyncio.create_task(turns.take(lambda: note(database), short=True))
        second = asyncio.create_task(turns.take(lambda: note(database), short=True))
        asyncio.get_running_loop().call_soon(release.set)  # only a loop that goes on comes to this
        return [await first, await second]

    threads = asyncio.run(two())
    holding.join(LIMIT)
    assert noted(database) == threads
    assert threads[0] == threads[1] != threading.get_ident()


def test_a_slow_disk_spares_the_loop_for_a_while(
    database: Database, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [clock.monotonic()]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])

    def after(seconds: float) -> Callable[[], int]:
        def work() -> int:
            now[0] += seconds
            return note(database)

        return work

    async def take(seconds: float) -> bool:
        thread: int = await turns.take(after(seconds), short=True)
        return thread == threading.get_ident()

    async def lived() -> list[bool]:
        found = [await take(SLOW / 2), await take(SLOW * 2), await take(0)]
        now[0] += SPARED
        return [*found, await take(0)]

    assert asyncio.run(lived()) == [True, True, False, True]


def test_a_connection_is_there_whatever_the_worker_threads_hold(database: Database, turns: Turns) -> None:
    """Forty of them, each with one that reads and one that changes something."""
    with ExitStack() as held:
        for _ in range(80):
            held.enter_context(database.read())
        assert asyncio.run(turns.take(lambda: note(database), short=True)) == threading.get_ident()
    assert len(noted(database)) == 1


def test_no_step_waits_here_and_only_the_last_is_done_once(
    database: Database, turns: Turns, other: sqlite3.Connection
) -> None:
    """Admitting a caller may change something too, before the change that the request is about."""
    admitted = []

    def admit() -> None:
        admitted.append(note(database))
        if len(admitted) == 1:
            other.execute("begin immediate")

    async def both() -> Any:
        taken = asyncio.create_task(turns.take(admit, lambda: note(database), short=True))
        asyncio.get_running_loop().call_soon(other.rollback)
        return await taken

    there = asyncio.run(both())
    assert admitted == [threading.get_ident(), there]
    assert noted(database) == [threading.get_ident(), there, there]


def test_only_the_first_change_may_not_wait(database: Database, other: sqlite3.Connection) -> None:
    """What a turn has begun it carries through: a second attempt would do its first change twice."""
    other.execute("begin immediate")
    with database.at_once(), pytest.raises(MustWait):
        note(database)
    other.execute("rollback")
    with database.at_once():
        note(database)
        other.execute("begin immediate")
        release = threading.Timer(0.05, other.rollback)
        release.start()
        note(database)
        release.join()
    assert len(noted(database)) == 2


def test_the_next_of_the_thread_waits_as_always(database: Database, other: sqlite3.Connection) -> None:
    other.execute("begin immediate")
    with database.at_once(), pytest.raises(MustWait):
        note(database)
    release = threading.Timer(0.05, other.rollback)
    release.start()
    note(database)
    release.join()
    assert len(noted(database)) == 1
