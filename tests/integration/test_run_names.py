"""A part of a run's name is found by an index among all runs, whatever it consists of, and the index has exactly the runs that there are."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from appliance.kit import clock, ids
from appliance.protocol.run_filter import RunFilter
from appliance.server.actions import schedules
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.db.reads import run_lists, run_names
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.db.writes import flow_runs, retention
from appliance.server.services.scheduler import Scheduler
from tests.integration import builders
from tests.integration.server_fixtures import Site

STRANGE = (
    'x" OR "run',
    "NEAR(a b)",
    "run*",
    "-run AND NOT",
    "50%_\\",
    "naïve ÜBER 東京駅",
    "o'clock; --",
    "x\"y'z",
    "🦊🦊🦊",
)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk sees only two runs: what else is found is found by the index."""
    monkeypatch.setattr(run_lists, "TEXT_WINDOW", 2)
    monkeypatch.setattr(run_lists, "TEXT_LEAST", 2)


def found(db: Database, part: str, **criteria: object) -> list[str]:
    """The names on the first page, which is the only one, and which the count agrees with."""
    wanted = RunFilter(text=part, include_future=True, **criteria)  # type: ignore[arg-type]
    with db.read() as session:
        page = run_lists.page(session, wanted, 50, None, clock.now())
        count = run_lists.count(session, wanted, clock.now())
    assert page.next is None and count == run_lists.Count(len(page.rows), False)
    return [row.name for row in page.rows]


def indexed(db: Database) -> int:
    """How many names the index has, each of which is the one of a run; on SQLite, its own comparison finds no other entry in it."""
    with db.write() as session:
        if db.dialect == "sqlite":
            session.execute(text("insert into run_search (run_search, rank) values ('integrity-check', 1)"))
        mine = "select count(*) from run_name n join flow_run r on r.id = n.flow_run_id and r.name = n.name"
        names, runs, both = (
            int(session.execute(text(query)).scalar_one())
            for query in ("select count(*) from run_name", "select count(*) from flow_run", mine)
        )
    assert names == runs == both
    return names


@pytest.mark.usefixtures("narrow")
def test_an_old_run_is_found_on_the_first_page(database: Database) -> None:
    flow = builders.register(database).flow_id
    for number in range(9):
        builders.create(database, flow, name=f"report {number} of May")
    assert found(database, "port 1 of") == ["report 1 of May"]
    assert found(database, "PORT 1") == ["report 1 of May"]
    assert found(database, "of May", states=["SCHEDULED"])[-1] == "report 0 of May"
    assert found(database, "port 1 of", states=["SUCCESS"]) == []
    assert found(database, "May report") == []


@pytest.mark.usefixtures("narrow")
def test_runs_are_found_by_the_name_of_their_flow_or_their_own_and_come_once(database: Database) -> None:
    nightly, other = (builders.register(database, name).flow_id for name in ("nightly", "other"))
    for flow, name in ((nightly, "one"), (other, "not nightly"), (nightly, "very nightly"), (other, "two")):
        builders.create(database, flow, name=name)
    assert found(database, "nightly", flow="other") == ["not nightly"]
    with database.read() as session:
        rows = run_lists.page(session, RunFilter(text="nightly", include_future=True), 50, None, clock.now()).rows
    assert [row.name for row in rows] == ["very nightly", "not nightly", "one"]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("name", STRANGE)
def test_a_text_means_itself(database: Database, name: str) -> None:
    flow = builders.register(database).flow_id
    builders.create(database, flow, name=name)
    for number in range(4):
        builders.create(database, flow, name=f"run {number}")
    assert found(database, name) == [name]
    assert found(database, name[:3]) == [name] or name[:3] == "run"
    assert found(database, f"{name}zzz") == []


def test_what_an_index_cannot_answer_is_answered_by_a_walk_that_says_where_it_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = builders.register(database).flow_id
    for number in range(9):
        builders.create(database, flow, name=f"run {number}")
    with database.read() as session:
        assert run_names.containing(session, "ru") is None  # shorter than an entry
        assert run_names.containing(session, "run 3") is not None
        monkeypatch.setattr(run_names, "MOST", 8)
        assert run_names.containing(session, "run") is None  # too many
        monkeypatch.setattr(run_names, "_COMMON", 9)
        assert run_names.containing(session, "un ") is None  # nearly all of the newest have it
        monkeypatch.setattr(run_lists, "TEXT_WINDOW", 2)
        monkeypatch.setattr(run_lists, "TEXT_LEAST", 2)
        page = run_lists.page(session, RunFilter(text="0", include_future=True), 50, None, clock.now())
        count = run_lists.count(session, RunFilter(text="0", include_future=True), clock.now())
    assert (page.rows, count) == ([], run_lists.Count(0, True)) and page.next is not None


def test_the_rarest_groups_are_asked_for() -> None:
    names = ["report-01", "report-02", "report-03"] * 30
    assert run_names.rarest_groups("report-77", names) == ["-77", "t-7"][::-1]
    assert run_names.rarest_groups("report", names) == ["rep", "epo", "por", "ort"]
    assert len(run_names.rarest_groups("abcdefghijklmnopqrstuvwxyz", [])) == 8


def test_every_way_in_and_out_is_in_the_index(database: Database) -> None:
    flow = builders.register(database, "planned", schedules=[builders.YEARLY]).flow_id
    [schedule] = builders.rows(database, "select id from schedule where flow_id = :flow", flow=flow)
    Scheduler(database).run_once(clock.now())
    planned = indexed(database)
    assert planned > 0
    schedules.move_planned(database, UUID(str(schedule["id"])))
    runs = [
        builders.create(database, flow, name=f"by hand {number}", idempotency_key=str(number)) for number in range(5)
    ]
    assert builders.create(database, flow, name="by hand 0", idempotency_key="0") == runs[0]
    assert indexed(database) == planned + 5
    with database.write() as session:
        flow_runs.delete_one(session, runs[0], clock.now())
        flow_runs.delete_all(session, runs[1:3], clock.now())
        assert retention.run(session, runs[3], 100, clock.now())[1]
    assert indexed(database) == planned + 1
    with database.write() as session:
        gone = flow_runs.delete_planned(session, UUID(str(schedule["id"])), datetime.now().astimezone())
    assert gone > 0 and indexed(database) == planned + 1 - gone
    assert found(database, "hand 4") == ["by hand 4"] and found(database, "hand 3") == []


def test_a_new_database_has_nothing_to_fill(database: Database) -> None:
    with database.read() as session:
        assert run_names.FILL.find(session) is None
        assert run_names.containing(session, "report") is not None


def test_on_postgres_runs_that_a_node_of_the_version_before_creates_are_found(database: Database) -> None:
    if database.dialect == "sqlite":
        return  # it has one node
    builders.create(database, builders.register(database).flow_id, name="mine")
    columns = [column.name for column in metadata.tables["flow_run"].c if column.name not in ("id", "name")]
    statement = f"insert into flow_run (id, name, {', '.join(columns)}) select :id, 'an older one', {', '.join(columns)} from flow_run"
    with database.write() as session:
        session.execute(text(statement), {"id": ids.uuid7()})
    assert indexed(database) == 2
    assert found(database, "older") == ["an older one"]


def test_the_longest_text_that_a_filter_may_have_finds_nothing(site: Site) -> None:
    builders.create(site.database, builders.register(site.database).flow_id, name="short")
    for part in ("x" * 500, "é" * 500, '"' * 500, "* " * 250):
        answer = site.client.get("/api/v1/flow-runs", params={"text": part}, headers=site.headers("viewer"))
        assert answer.status_code == 200 and answer.json()["items"] == [], answer.text


def test_a_run_is_deleted_with_its_name_by_a_person(site: Site) -> None:
    run = builders.create(site.database, builders.register(site.database).flow_id, name="to go")
    assert indexed(site.database) == 1
    delete_run(site.database, builders.ALICE, run)
    assert indexed(site.database) == 0
