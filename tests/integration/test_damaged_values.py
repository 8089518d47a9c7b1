"""Every value that a person, a disk or another program can damage: its row is set aside and counted, and every list goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Table, text

from appliance.kit import clock
from appliance.server.actions import disk, soundness
from appliance.server.db import damaged_rows
from appliance.server.db.reads import readable
from appliance.server.db.session import Database
from appliance.server.db.sqlite import dbapi, file_of
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Id, Json, OneOf, Time
from appliance.server.services.jobs import Jobs
from appliance.server.services.late import Late
from appliance.server.services.repair import Repair
from appliance.server.services.rollups import Rollups
from appliance.server.services.scheduler import Scheduler
from tests.integration import builders
from tests.integration.server_fixtures import Site, add_token, add_user

WRONG: dict[type, list[Any]] = {
    Json: ["{", "7", b"\xff"],
    Time: ["yesterday", b"\xff"],
    Id: ["not-a-uuid"],
    OneOf: ["BOGUS"],
}
LISTS = (
    "/api/v1/flows", "/api/v1/flow-runs?include_future=true", "/api/v1/schedules", "/api/v1/agents", "/api/v1/jobs", "/api/v1/users",
    "/api/v1/tokens", "/api/v1/concurrency-limits", "/api/v1/system/disk", "/api/v1/system/hold", "/api/v1/system/maintenance",
)  # fmt: skip
OF_RUN = ("states", "task-runs", "logs")
QUERY = """query ($run: UUID!) {
  projects { name }
  flows { items { name project { name } version { number parameters { name } } schedules { description }
                  recentRuns(first: 5) { name parameters } nextRun { name } } }
  flowRuns(filter: {includeFuture: true}) { items { name parameters flow { name } version { number } agent { name } } }
  taskRuns(flowRunId: $run) { items { name } }
  logs(flowRunId: $run) { items { message } }
  agents { name }
  jobs { items { state } }
  disk { warnings }
}"""


@pytest.fixture
def lived_in(site: Site) -> Site:
    """A site with rows in the tables that lists read, at least two in each that a list of things is made of."""
    database = site.database
    run, _ = builders.begun(database, schedules=[builders.YEARLY])
    builders.send(database, run, 1, builders.task("extract-1", "RUNNING", "Running"), builders.line("hello"))
    add_user(database, "bob", "viewer")
    add_token(database, "bob")
    builders.create(database, builders.register(database, "other").flow_id)
    site.client.put(
        "/api/v1/concurrency-limits", json={"kind": "label", "name": "db", "slots": 3}, headers=site.headers("admin")
    )
    site.post("/api/v1/bulk", {"action": "cancel", "ids": [str(run)]}, "operator")
    return site


def columns() -> list[tuple[Table, Column[Any]]]:
    return [
        (table, column)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, tuple(WRONG))
    ]


@contextmanager
def damaged(database: Database, table: str, column: str, value: Any) -> Iterator[bool]:
    """The newest row of the table with this value in the column; False if the table is empty. Undone afterwards."""
    file = file_of(database.url)
    assert file is not None
    with _opened(file) as connection:
        row = connection.execute(f'select max(rowid), "{column}" from "{table}"').fetchone()
        connection.execute(f'update "{table}" set "{column}" = cast(? as text) where rowid = ?', (value, row[0]))
    try:
        yield row[0] is not None
    finally:
        with _opened(file) as connection:
            connection.execute(f'update "{table}" set "{column}" = ? where rowid = ?', (row[1], row[0]))


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    connection = dbapi.connect(file, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_every_list_answers_whatever_value_is_damaged(lived_in: Site, table: str) -> None:
    database = lived_in.database
    if database.dialect == "postgresql":
        return  # it refuses such values; the next test damages what it stores
    run = builders.rows(database, "select id from flow_run order by id desc")[0]["id"]
    for owner, column in columns():
        if owner.name != table:
            continue
        for value in WRONG[type(column.type)]:
            with damaged(database, table, column.name, value) as is_there:
                if not is_there:
                    return
                place = f"{table}.{column.name} = {value!r}"
                for path in (*LISTS, *(f"/api/v1/flow-runs/{run}/{part}" for part in OF_RUN)):
                    answer = lived_in.get(path, "admin")
                    refused = path.startswith(f"/api/v1/flow-runs/{run}") and answer.status_code in (404, 409)
                    assert answer.status_code == 200 or refused, (place, path, answer.text)
                answer = lived_in.graphql(QUERY, "admin", run=str(run))
                assert "errors" not in answer, (place, answer)
                faults = {(one.table, one.column) for one in damaged_rows.scan(database)}
                assert (table, column.name) in faults, place


def test_the_services_go_on_past_a_damaged_row(lived_in: Site) -> None:
    database = lived_in.database
    if database.dialect == "postgresql":
        return
    now = clock.now() + timedelta(hours=2)
    services = (Scheduler, Repair, Late, Jobs, Rollups)
    for table in ("flow", "flow_version", "schedule", "flow_run", "job", "event"):
        for owner, column in columns():
            if owner.name == table and not column.primary_key:
                with damaged(database, table, column.name, WRONG[type(column.type)][0]):
                    for service in services:
                        service(database).run_once(now)


def test_a_damaged_run_is_not_handed_out_and_stops_no_other(database: Database) -> None:
    flow = builders.register(database).flow_id
    agent = builders.enrol(database)
    first, second = builders.create(database, flow), builders.create(database, flow)
    wrong = "'{'" if database.dialect == "sqlite" else "'{}'::jsonb"
    with database.write() as session:
        session.execute(text(f"update flow_run set labels = {wrong}, run_config = {wrong} where id = :id"),
                        {"id": first.hex if database.dialect == "sqlite" else first})  # fmt: skip
    assert second in [work.flow_run_id for work in builders.claim(database, agent, 8)]


def test_a_damaged_run_asked_for_by_its_id_says_so(site: Site) -> None:
    database = site.database
    flow = builders.register(database).flow_id
    run, whole = builders.create(database, flow), builders.create(database, flow)
    wrong = "'{'" if database.dialect == "sqlite" else "'[]'::jsonb"
    with database.write() as session:
        id = run.hex if database.dialect == "sqlite" else run
        session.execute(text(f"update flow_run set parameters = {wrong} where id = :id"), {"id": id})
    before = readable.skipped()
    answer = site.get(f"/api/v1/flow-runs/{run}")
    assert (answer.status_code, answer.json()["code"]) == (409, "damaged")
    error = site.graphql("query ($id: UUID!) { flowRun(id: $id) { name } }", id=str(run))["errors"][0]
    assert error["extensions"]["code"] == "damaged"
    listed = site.get("/api/v1/flow-runs?limit=1").json()
    assert [item["id"] for item in listed["items"]] == [str(whole)]
    assert readable.skipped() > before
    found = list(damaged_rows.scan(database))
    assert [(one.table, one.key.replace("-", ""), one.column) for one in found] == [("flow_run", run.hex, "parameters")]
    soundness.check(database, clock.now())
    assert any("1 row of the database is damaged" in warning for warning in disk.measure(database, 0).warnings)
    assert "appliance_damaged_rows 1.0" in site.client.get("/metrics", headers=site.headers("viewer")).text


def test_a_time_that_python_cannot_represent_damages_only_its_row(database: Database) -> None:
    if database.dialect == "sqlite":
        return
    flow = builders.register(database).flow_id
    run, whole = builders.create(database, flow), builders.create(database, flow)
    with database.write() as session:
        session.execute(text("update flow_run set end_time = 'infinity' where id = :id"), {"id": run})
    with database.read() as session:
        rows = readable.every(session, metadata.tables["flow_run"].select())
    assert [row.id for row in rows] == [whole]


def test_every_column_has_a_type_that_notices_damage() -> None:
    kinds = {"JSON", "JSONB", "DATETIME", "Uuid", "UUID"}
    plain = [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if type(column.type).__name__ in kinds
    ]
    assert plain == [], "use Document, Documents, Texts, Time or Id of `db/tables/columns.py`"
