"""The broadcast: what is committed, in this process or another, reaches live streams and waiting agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

from appliance.kit import clock as kit_clock
from appliance.kit import ids
from appliance.server.actions import leases, presence
from appliance.server.api import events as stream
from appliance.server.db import listen
from appliance.server.db.session import Database
from appliance.server.events.broadcast import Broadcast
from appliance.server.events.outbox import announce, announce_all
from appliance.server.services.repair import Repair
from tests.integration.builders import ALICE, create, register, rows
from tests.integration.databases import empty

PATIENCE = 10.0


@asynccontextmanager
async def running(db: Database) -> AsyncIterator[Broadcast]:
    broadcast = Broadcast(db, presence.beat)
    broadcast.start(asyncio.get_running_loop())
    try:
        yield broadcast
    finally:
        broadcast.stop()


def test_a_commit_of_this_process_is_heard_once(database: Database) -> None:
    async def scenario() -> None:
        async with running(database) as broadcast:
            with broadcast.subscribe("flow_run") as heard:
                flow = await asyncio.to_thread(register, database)
                run = await asyncio.to_thread(create, database, flow.flow_id)
                first = await heard.get(PATIENCE)
                assert first is not None and (first.object_id, first.kind) == (run, "flow_run.state")
                second = await asyncio.to_thread(create, database, flow.flow_id)
                found = await heard.get(PATIENCE)
                assert found is not None and found.object_id == second

    asyncio.run(scenario())


def test_a_commit_of_another_process_is_heard(database: Database, database_url: str) -> None:
    other = Database(database_url)

    async def scenario() -> None:
        async with running(database) as broadcast:
            with broadcast.subscribe() as heard:
                flow = await asyncio.to_thread(register, other)
                kinds = set()
                while "flow.registered" not in kinds:
                    found = await heard.get(PATIENCE)
                    assert found is not None, kinds
                    kinds.add(found.kind)
                ticket = broadcast.work_ready.ticket()
                await asyncio.to_thread(create, other, flow.flow_id)
                assert await broadcast.work_ready.wait(PATIENCE, ticket)

    asyncio.run(scenario())
    other.dispose()


def test_on_sqlite_a_long_wait_ends_with_a_commit_of_others_or_when_it_is_told_to(
    tmp_path: Path, sqlite_template: Path
) -> None:
    path = tmp_path / "appliance.db"
    path.write_bytes(sqlite_template.read_bytes())
    database, other = Database(f"sqlite:///{path}"), Database(f"sqlite:///{path}")
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 3:
            register(other)
        return len(pauses) == 5

    with listen.watcher(database, pause) as watcher:
        assert watcher.wait(60.0).look, "where it begins is news"
        assert watcher.wait(60.0).look
        assert pauses == [listen.POLL] * 3
        assert not watcher.wait(60.0).look
        assert len(pauses) == 5
    for one in (database, other):
        one.dispose()


def test_on_postgres_a_long_wait_ends_at_once_when_it_is_told_to(postgres_database: str) -> None:
    database = Database(postgres_database)
    with listen.watcher(database, pause=Event().wait) as watcher, ThreadPoolExecutor(1) as pool:
        watcher.wait(0)  # the first look
        waiting = pool.submit(watcher.wait, 600)
        watcher.wake()
        assert waiting.result(PATIENCE) == listen.News()
    database.dispose()


def test_agents_are_woken_when_a_planned_run_becomes_due(database: Database) -> None:
    flow = register(database)

    async def scenario() -> None:
        async with running(database) as broadcast:
            due = kit_clock.now() + timedelta(seconds=1)
            ticket = broadcast.work_ready.ticket()
            await asyncio.to_thread(create, database, flow.flow_id, scheduled_time=due)
            woken = False
            while not woken:
                assert await broadcast.work_ready.wait(PATIENCE, ticket), "nobody was woken when the run came due"
                woken, ticket = kit_clock.now() >= due, broadcast.work_ready.ticket()

    asyncio.run(scenario())


def test_a_run_planned_for_at_once_came_due_all_the_same(database: Database) -> None:
    before = kit_clock.now()
    due = before + timedelta(milliseconds=1)
    create(database, register(database).flow_id, scheduled_time=due)
    with database.read() as session:
        assert listen.came_due(session, before, due)
        assert not listen.came_due(session, due, due + timedelta(hours=1))
        assert not listen.came_due(session, before - timedelta(hours=1), before)


def test_a_reader_that_falls_behind_is_ended_and_a_stop_ends_all(database: Database) -> None:
    async def scenario() -> None:
        async with running(database) as broadcast:
            with broadcast.subscribe() as slow:
                for number in range(1_500):
                    slow.offer(number)  # type: ignore[arg-type]
                assert len([item async for item in slow]) == 1_000
            waiting = broadcast.subscribe("flow")
        assert [item async for item in waiting] == []

    asyncio.run(scenario())


def test_a_server_says_that_it_is_there(database: Database) -> None:
    async def scenario() -> None:
        async with running(database) as broadcast:
            flow = await asyncio.to_thread(register, database)
            ticket = broadcast.work_ready.ticket()
            await asyncio.to_thread(create, database, flow.flow_id)
            assert await broadcast.work_ready.wait(PATIENCE, ticket)
            for _ in range(100):
                if await asyncio.to_thread(leases.find, database, presence.NAME):
                    return
                await broadcast.work_ready.wait(0.1)
            raise AssertionError("no beat")

    asyncio.run(scenario())
    assert Repair(database).run_once(kit_clock.now()) == {"crashed": 0, "cancelled": 0, "returned": 0, "timed_out": 0}


def test_a_commit_whose_ids_are_old_is_heard_all_the_same(postgres_database: str) -> None:
    """A transaction may get its events' ids long before it commits: others that got theirs later are then heard of first."""
    empty(postgres_database)
    here, there = Database(postgres_database), Database(postgres_database)

    async def scenario() -> None:
        async with running(here) as broadcast:
            with broadcast.subscribe("project") as heard:
                with there.write() as early:
                    announce(early, "project", first := ids.uuid7(), "project.created", {}, ALICE, kit_clock.now())
                    with here.write() as others:
                        many: list[tuple[UUID, dict[str, Any]]] = [
                            (ids.uuid7(), {}) for _ in range(2 * listen.LOOK_BACK)
                        ]
                        announce_all(others, "other", "other.created", many, ALICE, kit_clock.now())
                found = await heard.get(2.0)  # less than the slow look takes
                assert found is not None and found.object_id == first

    asyncio.run(scenario())
    here.dispose()
    there.dispose()


async def _resumed(db: Database, broadcast: Broadcast, last: int, until: int, shown: Any = None) -> list[int]:
    """The ids that a stream tells which begins again after `last`, until it has told that of `until`."""
    found: list[int] = []
    async for message in stream._messages(db, broadcast, asyncio.Event(), shown, last, ("project",)):
        if message.id is not None:
            found.append(int(message.id))
        if found and found[-1] == until:
            return found
    raise AssertionError("the stream ended")


def _announced(db: Database, number: int) -> list[int]:
    with db.write() as session:
        many: list[tuple[UUID, dict[str, Any]]] = [(ids.uuid7(), {}) for _ in range(number)]
        announce_all(session, "project", "project.created", many, ALICE, kit_clock.now())
    return [row["id"] for row in rows(db, "select id from event order by id")][-number:]


def test_a_stream_that_comes_back_is_told_all_that_it_missed(database: Database) -> None:
    """However much that is, and then what happens from now on, each event once."""
    missed = _announced(database, 2_500)

    async def scenario() -> list[int]:
        async with running(database) as broadcast:
            asking = asyncio.create_task(_resumed(database, broadcast, missed[9], missed[-1] + 1))
            await asyncio.to_thread(_announced, database, 1)
            return await asyncio.wait_for(asking, PATIENCE)

    found = asyncio.run(scenario())
    again = [id for id in found if id <= missed[9]]
    assert again == (missed[:10] if database.dialect == "postgresql" else [])
    assert found[len(again) :] == [*missed[10:], missed[-1] + 1]


def test_an_event_that_was_committed_late_is_told_to_a_stream_that_comes_back(postgres_database: str) -> None:
    empty(postgres_database)
    here, there = Database(postgres_database), Database(postgres_database)
    with there.write() as early:
        announce(early, "project", ids.uuid7(), "project.created", {}, ALICE, kit_clock.now())
        newest = _announced(here, 3)[-1]  # a browser has seen this one when the earlier one is committed

    async def scenario() -> list[int]:
        async with running(here) as broadcast:
            return await asyncio.wait_for(_resumed(here, broadcast, newest, newest), PATIENCE)

    assert asyncio.run(scenario()) == list(range(newest - 3, newest + 1))
    here.dispose()
    there.dispose()
