"""The upgrade that introduced the index of the words of lines: it is filled afterwards, newest first, and searches say so until then."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import create_engine, text

from appliance.kit import clock
from appliance.server.actions import log_search as actions
from appliance.server.db import migrate
from appliance.server.db.reads import log_search
from appliance.server.db.reads.log_search import LogSearch as Search
from appliance.server.db.session import Database, address
from appliance.server.db.writes import flow_runs
from appliance.server.domain.log_words import parse
from appliance.server.services.log_search import LogSearch
from tests.integration import builders
from tests.integration.conftest import new_database_name
from tests.integration.test_log_search import found, indexed, written
from tests.migration.test_first import postgres_server, url

__all__ = ["postgres_server", "url"]


def is_complete(database: Database) -> bool:
    with database.read() as session:
        return log_search.page(session, Search(parse("line")), 5, None).complete


def test_an_upgrade_fills_the_index_later(url: str) -> None:
    migrate.upgrade(url)
    database = Database(url)
    run = written(database, *(f"line {number}" for number in range(7)))
    gone = written(database, "line of another", "line of another", name="other")
    database.dispose()
    migrate.downgrade(url, "0019")
    migrate.upgrade(url)
    with database.write() as session:
        flow_runs.delete_one(session, gone, clock.now())  # SQLite gives its numbers again
    builders.send(database, run, 2, builders.line("line of a newer one"))
    assert not is_complete(database) and found(database, "newer") == ["line of a newer one"]
    assert actions.fill(database, clock.now(), limit=3)
    assert found(database, "line 6 ") == ["line 6"] and found(database, "line 0 ") == []
    assert LogSearch(database).run_once(clock.now())["batches"] > 0
    assert LogSearch(database).run_once(clock.now() + timedelta(minutes=1)) == {"batches": 0}
    assert is_complete(database) and indexed(database) == 8 and len(found(database, "line ")) == 8
    database.dispose()


def test_a_postgres_that_knows_no_letters_but_ours_finds_words_of_others(postgres_server: str) -> None:
    name = new_database_name()
    engine = create_engine(address(postgres_server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name} template template0 encoding 'UTF8' locale 'C'"))
    engine.dispose()
    url = create_engine(address(postgres_server)).url.set(database=name).render_as_string(hide_password=False)
    migrate.upgrade(url)
    database = Database(url)
    written(database, "naïve/東京駅_x", "plain")
    assert found(database, "naïve") == found(database, "東京駅 x") == found(database, "東京") == ["naïve/東京駅_x"]
    database.dispose()
