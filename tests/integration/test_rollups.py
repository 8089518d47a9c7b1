"""The hourly sums: every end once, whatever runs beside, however often it is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from appliance.kit import clock as kit_clock
from appliance.kit import crash
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import rollups
from appliance.server.actions import run_protocol as attempts
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.session import Database
from appliance.server.db.tables.columns import Time
from appliance.server.events.outbox import announce
from appliance.server.services.rollups import Rollups
from tests.integration import builders
from tests.integration.conftest import StoppedClock
from tests.integration.server_fixtures import Site

LATER = timedelta(minutes=1)  # Postgres' events settle first


def _ended(db: Database, clock: StoppedClock, type: str = "SUCCESS", name: str = "Success", flow: str = "etl") -> None:
    run = builders.create(db, builders.register(db, flow).flow_id)
    work = builders.claim(db, builders.enrol(db))
    assert [item.flow_run_id for item in work] == [run]
    attempts.begin(db, builders.RUN, run, Begin(attempt=1))
    clock.move(30)
    builders.send(db, run, 1, builders.flow(type, name))


def _sums(db: Database) -> list[dict[str, Any]]:
    return builders.rows(db, "select state_name, runs, seconds, longest from run_rollup order by hour, state_name")


def test_ends_are_summed_up_once(database: Database, clock: StoppedClock) -> None:
    for _ in range(2):
        _ended(database, clock)
    _ended(database, clock, "FAILED", "TimedOut")
    service = Rollups(database)
    service.run_once(clock.time + LATER)
    expected = [
        {"state_name": "Success", "runs": 2, "seconds": 60.0, "longest": 30.0},
        {"state_name": "TimedOut", "runs": 1, "seconds": 30.0, "longest": 30.0},
    ]
    assert _sums(database) == expected
    assert service.run_once(clock.time + LATER) == {"events": 0}
    assert _sums(database) == expected
    _ended(database, clock)
    service.run_once(clock.time + LATER)
    assert _sums(database)[0]["runs"] == 3


def test_a_crash_before_the_commit_loses_and_doubles_nothing(database: Database, clock: StoppedClock) -> None:
    _ended(database, clock)
    crash.arm("rollup.applied:1:raise")
    try:
        with pytest.raises(crash.Crashed):
            rollups.advance(database, clock.time + LATER)
    finally:
        crash.arm("")
    assert _sums(database) == []
    rollups.advance(database, clock.time + LATER)
    assert [row["runs"] for row in _sums(database)] == [1]


def test_two_at_once_count_nothing_twice(database: Database, clock: StoppedClock) -> None:
    for _ in range(6):
        _ended(database, clock)
    now = clock.time + LATER

    def work(_number: int) -> int:
        return sum(rollups.advance(database, now, limit=3) for _ in range(12))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    while rollups.advance(database, now, limit=3):
        pass
    assert [row["runs"] for row in _sums(database)] == [6]


@pytest.mark.parametrize(
    "database_url", ["postgres"], indirect=True
)  # on SQLite, with one writer, ids come into sight in order
def test_an_event_that_comes_into_sight_late_is_not_missed(database: Database) -> None:
    run, _agent = builders.begun(database)
    real = kit_clock.now()
    with database.write() as slow:
        slow.execute(text("select pg_current_xact_id()"))  # changes something, and stays open
        announce(slow, "flow_run", run, "flow_run.state", {"type": "FAILED", "name": "Failed"}, SYSTEM, real)
        with database.write() as quick:
            announce(quick, "flow_run", run, "flow_run.state", {"type": "SUCCESS", "name": "Success"}, SYSTEM, real)
        rollups.advance(database, _database_time(database) + LATER)
        held = rollups.position(database)
    rollups.advance(database, _database_time(database) + LATER)
    assert held < builders.one(database, "select max(id) as id from event")["id"]
    assert sorted(row["state_name"] for row in _sums(database)) == ["Failed", "Success"]


def _database_time(database: Database) -> Any:
    with database.read() as session:
        return session.execute(text("select clock_timestamp() as now").columns(now=Time)).scalar_one()


def test_graphql_tells_them_by_flow_and_project(clock: StoppedClock, site: Site) -> None:
    _ended(site.database, clock)
    _ended(site.database, clock, "FAILED", "Failed", flow="other")
    rollups.advance(site.database, clock.time + LATER)
    query = """query($since: DateTime!, $until: DateTime!, $flow: UUID, $project: String) {
        runRollups(since: $since, until: $until, flowId: $flow, project: $project) { hour stateType stateName runs seconds longest } }"""
    span = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00Z"}
    found = site.data(query, "viewer", **span)["runRollups"]
    assert [(row["stateName"], row["runs"]) for row in found] == [("Failed", 1), ("Success", 1)]
    assert found[1]["seconds"] == found[1]["longest"] == 30
    flow = builders.one(site.database, "select id from flow where name = 'etl'")["id"]
    found = site.data(query, "viewer", **span, flow=str(flow))["runRollups"]
    assert [row["stateName"] for row in found] == ["Success"]
    assert len(site.data(query, "viewer", **span, project="demo")["runRollups"]) == 2
    unknown = site.graphql(query, "viewer", **span, project="no such")
    assert unknown["errors"][0]["message"] == "There is no project 'no such'; the projects are demo."
    refused = site.graphql(query, "viewer", since="2026-03-02T00:00:00Z", until="2027-03-02T00:00:00Z")
    assert "hours" in refused["errors"][0]["message"]
