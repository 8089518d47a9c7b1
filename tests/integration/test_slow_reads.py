"""No read that is made for a request holds a snapshot for long: it is stopped, and SQLite's log can be folded."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from litestar.testing import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from appliance.config import Settings
from appliance.server import asgi
from appliance.server.app import create_app
from appliance.server.db.read_limit import LONGEST_READ
from appliance.server.db.session import Database, open_database
from appliance.server.errors import TooSlow
from tests.integration.builders import register

ENDLESS = {
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
    "postgresql": "select count(*) from generate_series(1, 1000000000000) as i where i % 7 = 8",
}


@pytest.fixture
def limited(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, longest_read=0.3)
    yield opened
    opened.dispose()


def _endless(session: Session) -> None:
    session.execute(text(ENDLESS[session.connection().dialect.name]))


def test_an_endless_statement_is_stopped_and_the_log_can_be_folded(limited: Database) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def read() -> None:
        with limited.read() as session:
            session.execute(text("select count(*) from flow")).scalar_one()
            reading.set()
            assert go_on.wait(30)
            _endless(session)

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        assert reading.wait(30)
        register(limited)
        if limited.dialect == "sqlite":
            assert not limited.fold_log(), "the open read pins the log"
        go_on.set()
        with pytest.raises(TooSlow, match="too long"):
            reader.result()
    assert limited.busy_connections() == 0
    if limited.dialect == "sqlite":
        assert limited.fold_log()
        assert limited.log_bytes() == 0


def test_the_connection_is_used_again_and_has_no_limit_for_changes(limited: Database) -> None:
    with pytest.raises(TooSlow), limited.read() as session:
        before = session.connection().connection.driver_connection
        _endless(session)
    longer = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) select count(*) from n"
    with limited.write() as session:
        assert session.connection().connection.driver_connection is before
        assert session.execute(text(longer)).scalar_one() == 300_000


def test_after_its_time_a_read_begins_no_statement(database_url: str) -> None:
    database = Database(database_url, longest_read=0.0)
    with pytest.raises(TooSlow), database.read() as session:
        session.execute(text("select 1"))
    with pytest.raises(TooSlow), database.read() as session:
        session.connection().execute(text("select 1"))
    database.dispose()


def test_without_a_limit_a_read_takes_its_time(database: Database) -> None:
    assert database.longest_read is None
    with database.read() as session:
        assert session.execute(text("select 1")).scalar_one() == 1


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v1/flows"), ("POST", "/graphql")])
def test_the_caller_gets_a_sentence(database_url: str, settings: Settings, method: str, path: str) -> None:
    database = Database(database_url, longest_read=0.0)
    with TestClient(create_app(settings, database), raise_server_exceptions=False) as client:
        answer = client.request(method, path, headers={"Authorization": "Bearer apl_api_x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "too_slow")
    assert "narrow the filter" in answer.json()["message"]


def test_the_server_limits_its_reads_and_services_do_not(database_url: str) -> None:
    settings, thresholds = Settings(database_url=database_url), gc.get_threshold()
    try:
        assert asgi.create(settings).state["database"].longest_read == LONGEST_READ == 2.0
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
    assert open_database(settings).longest_read is None
