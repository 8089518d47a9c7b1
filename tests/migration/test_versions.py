"""Versions of flows through the migration that lets several have the same content."""

from __future__ import annotations

from sqlalchemy import text

from appliance.kit import ids
from appliance.server.db import migrate
from appliance.server.db.session import Database
from tests.integration.builders import create, register, rows, run_row
from tests.migration.test_first import postgres_server, url

__all__ = ["postgres_server", "url"]

BEFORE = "0004"
AS_THE_VERSION_BEFORE = "select id from flow_version where flow_id = :flow and content_hash = :hash"


def test_versions_and_their_runs_come_through_and_are_recognized(url: str) -> None:
    migrate.upgrade(url)
    database = Database(url)
    flow = register(database, content="a")
    runs = [create(database, flow.flow_id)]
    register(database, content="b")
    runs.append(create(database, flow.flow_id))
    with database.write("test") as session:  # as the version before stored them
        for number, content in ((1, "a"), (2, "b")):
            values = {"hash": ids.sha256(content), "number": number}
            session.execute(text("update flow_version set content_hash = :hash where number = :number"), values)
    before = [run_row(database, run)["flow_version_id"] for run in runs]
    database.dispose()
    migrate.downgrade(url, BEFORE)
    migrate.upgrade(url)
    database = Database(url)
    assert [run_row(database, run)["flow_version_id"] for run in runs] == before
    assert not register(database, content="b").created
    assert register(database, content="a").restores == 1
    database.dispose()


def test_the_version_before_never_finds_several(url: str) -> None:
    """It looks for the one version that has the hash that its client sent."""
    migrate.upgrade(url)
    database = Database(url)
    for content in ("a", "b", "a", "b", "a"):
        flow = register(database, content=content)
    for content in ("a", "b"):
        found = rows(database, AS_THE_VERSION_BEFORE, flow=flow.flow_id, hash=ids.sha256(content))
        assert len(found) <= 1
    database.dispose()


def test_back_at_the_revision_before_every_content_hash_is_unique(url: str) -> None:
    migrate.upgrade(url)
    database = Database(url)
    for content in ("a", "b", "a", "b"):
        register(database, content=content)
    database.dispose()
    migrate.downgrade(url, BEFORE)
    database = Database(url)
    assert [row["number"] for row in rows(database, "select number from flow_version order by number")] == [1, 2, 3, 4]
    database.dispose()
