"""One server for all tests of a module, whose tables each test finds empty: building an app takes longer than most of what is asked of it.

A module that imports these fixtures has them instead of those that make a new server for each test. It fits where nothing depends on what a
server keeps in memory: metrics, live streams, connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from appliance.client.transport import Transport
from appliance.config import Settings
from appliance.server.app import create_app
from appliance.server.db.session import Database
from appliance.server.domain.rules import Rules
from tests.integration.databases import PATIENCE, delete_rows, new_url, without_fsync
from tests.integration.server_fixtures import Site, claim, listening


@contextmanager
def started(url: str, folder: Path, **options: Any) -> Iterator[Site]:
    """A server on this database that nobody has claimed."""
    database = without_fsync(Database(url, patience=PATIENCE))
    settings = Settings(site_name="Test site", data_dir=str(folder), **options)
    app = create_app(settings, database)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Site(app, client, database, settings=settings)
    database.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def lasting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("lasting")
    with started(new_url(request, folder), folder) as site:
        yield site


@pytest.fixture(scope="module")
def lasting_address(lasting: Site) -> Iterator[str]:
    with listening(create_app(lasting.settings, lasting.database)) as url:
        yield url


@pytest.fixture
def database(lasting: Site) -> Database:
    delete_rows(lasting.database.engine)
    lasting.database.rules = Rules()
    return lasting.database


@pytest.fixture
def site(lasting: Site, database: Database) -> Site:
    lasting.client.cookies.clear()
    lasting.app.dependencies["throttle"].dependency()._counted.clear()  # nobody has tried a password yet
    return replace(lasting, tokens=claim(database))


@pytest.fixture
def address(site: Site, lasting_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The site on a port, and the environment of an operator's command line."""
    monkeypatch.setenv("APPLIANCE_URL", lasting_address)
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["operator"])
    return lasting_address


@pytest.fixture
def transport(site: Site, address: str) -> Transport:
    return Transport(address, site.tokens["operator"])
