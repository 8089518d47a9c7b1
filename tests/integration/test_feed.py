"""The feed of the live pages: the changes of a moment as one message, with the rows of runs as lists show them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from appliance.config import Settings
from appliance.kit import clock, ids
from appliance.server.actions import presence
from appliance.server.api import events as stream
from appliance.server.db.session import Database
from appliance.server.events.broadcast import Broadcast
from appliance.server.events.feed import Feed
from appliance.server.events.outbox import announce_all
from appliance.server.graphql import run_rows
from appliance.server.graphql.handler import Later
from tests.integration.builders import ALICE, create, register, rows

PATIENCE = 10.0
OPERATIONS = Path(__file__).parents[2] / "ui" / "src" / "api" / "operations" / "flow-runs.graphql"
_endpoint = Later(introspection=True)


@asynccontextmanager
async def feeding(db: Database) -> AsyncIterator[Feed]:
    broadcast = Broadcast(db, presence.beat)
    broadcast.start(asyncio.get_running_loop())
    try:
        yield Feed(broadcast, lambda runs: _endpoint.get().run_rows(db, Settings(), runs))
    finally:
        broadcast.stop()


def test_the_rows_of_the_stream_are_those_of_the_lists() -> None:
    fragment = re.search(r"fragment RunRow on FlowRun \{(.*?)\n\}", OPERATIONS.read_text(), re.DOTALL)
    assert fragment is not None and run_rows.FIELDS.split() == fragment[1].split()


def test_all_changes_of_a_moment_are_one_message_with_the_rows_as_they_are_then(database: Database) -> None:
    flow = register(database)

    async def scenario() -> None:
        async with feeding(database) as feed:
            with feed.subscribe() as one, feed.subscribe() as other:
                first = await asyncio.to_thread(create, database, flow.flow_id)
                second = await asyncio.to_thread(create, database, flow.flow_id)
                told: dict[str, Any] = {}
                while len(told) < 2:
                    news = await one.get(PATIENCE)
                    assert news is not None and news is await other.get(PATIENCE), "all are told the same"
                    message = msgspec.json.decode(news.text)
                    told |= {row["id"]: row for row in message["runs"]}
                    assert {change["id"] for change in message["changes"]} <= {str(first), str(second)}
                    assert news.id <= rows(database, "select max(id) as id from event")[0]["id"]
                row = told[str(first)]
                assert (row["state"]["type"], row["state"]["version"]) == ("SCHEDULED", 1)
                assert row["flow"]["id"] == str(flow.flow_id) and row["taskCounts"]["failed"] == 0

    asyncio.run(scenario())


def test_rows_are_read_only_while_somebody_listens_and_a_failure_to_read_them_leaves_the_changes(
    database: Database,
) -> None:
    flow, asked = register(database), 0

    def fail(_runs: object) -> Any:
        nonlocal asked
        asked += 1
        raise OSError("the disk is away")

    async def scenario() -> None:
        broadcast = Broadcast(database, presence.beat)
        broadcast.start(asyncio.get_running_loop())
        feed = Feed(broadcast, fail)
        try:
            for turn in (1, 2):
                with feed.subscribe() as reader:
                    run = await asyncio.to_thread(create, database, flow.flow_id)
                    news = await reader.get(PATIENCE)
                    assert news is not None
                    message = msgspec.json.decode(news.text)
                    assert message["runs"] == [] and message["changes"][0]["id"] == str(run)
                assert asked == turn
                assert feed._task is None, "it does nothing for no one"
        finally:
            broadcast.stop()

    asyncio.run(scenario())


async def _first(db: Database, feed: Feed, last: int | None) -> list[tuple[str, str | None]]:
    """The messages of a stream up to its first heartbeat, as kind and id."""
    found = []
    async for message in stream._news(db, feed, asyncio.Event(), None, last):  # type: ignore[arg-type]
        found.append((str(message.event), message.id))
        if message.event == "heartbeat":
            return found
    raise AssertionError("the stream ended")


def test_a_stream_that_comes_back_is_told_what_it_missed_or_that_there_is_a_gap(database: Database) -> None:
    flow = register(database)
    before = rows(database, "select max(id) as id from event")[0]["id"]
    create(database, flow.flow_id)
    newest = rows(database, "select max(id) as id from event")[0]["id"]

    async def scenario(last: int | None) -> list[tuple[str, str | None]]:
        async with feeding(database) as feed:
            return await _first(database, feed, last)

    assert asyncio.run(scenario(None)) == [("heartbeat", str(newest))]
    assert asyncio.run(scenario(before)) == [("news", str(newest)), ("heartbeat", None)]
    assert asyncio.run(scenario(newest + 5)) == [("gap", str(newest)), ("heartbeat", None)], "of another database"
    with database.write() as session:
        many: list[tuple[Any, dict[str, Any]]] = [(ids.uuid7(), {}) for _ in range(1_200)]
        announce_all(session, "project", "project.created", many, ALICE, clock.now())
    assert [kind for kind, _ in asyncio.run(scenario(newest))] == ["gap", "heartbeat"]
