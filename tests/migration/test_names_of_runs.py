"""The upgrade that introduced the index of the names of runs: it is filled afterwards, and searches answer honestly until then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.kit import clock
from appliance.protocol.run_filter import RunFilter
from appliance.server.actions import run_names as actions
from appliance.server.db import migrate
from appliance.server.db.reads import run_lists, run_names
from appliance.server.db.session import Database
from appliance.server.services.run_names import RunNames
from tests.integration import builders
from tests.integration.test_run_names import found, indexed, narrow
from tests.migration.test_first import postgres_server, url

__all__ = ["narrow", "postgres_server", "url"]


@pytest.mark.usefixtures("narrow")
def test_an_upgrade_fills_the_index_later_and_until_then_a_walk_answers(url: str) -> None:
    migrate.upgrade(url)
    database = Database(url)
    flow = builders.register(database).flow_id
    for number in range(7):
        builders.create(database, flow, name=f"report {number}")
    database.dispose()
    migrate.downgrade(url, "0017")
    migrate.upgrade(url)
    builders.create(database, flow, name="a newer one")
    wanted = RunFilter(text="report 0", include_future=True)
    with database.read() as session:
        page = run_lists.page(session, wanted, 50, None, clock.now())
        assert page.next is not None and run_lists.count(session, wanted, clock.now()).capped
    assert actions.fill(database, clock.now(), limit=3) and actions.fill(database, clock.now(), limit=3)
    with database.read() as session:
        assert run_names.FILL.find(session) is not None and run_names.containing(session, "report 0") is None
    assert RunNames(database).run_once(clock.now()) == {"batches": 1}
    assert RunNames(database).run_once(clock.now() + timedelta(minutes=1)) == {"batches": 0}
    assert indexed(database) == 8
    assert found(database, "report 0") == ["report 0"]
    database.dispose()
