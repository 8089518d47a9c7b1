"""Every value that a person, a disk or another program can damage: its row is set aside and counted, and every list goes on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, Table, text

from appliance.kit import clock
from appliance.protocol.bundles import PutBundle
from appliance.server.actions import bundles, disk, kept_results, retention, soundness
from appliance.server.db import damaged_rows
from appliance.server.db.reads import readable
from appliance.server.db.session import Database
from appliance.server.db.sqlite import dbapi, file_of
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Id, Json, OneOf, Time, Whole
from appliance.server.domain.retention import Keep
from appliance.server.errors import NotFound
from appliance.server.services.jobs import Jobs
from appliance.server.services.late import Late
from appliance.server.services.log_search import LogSearch
from appliance.server.services.repair import Repair
from appliance.server.services.rollups import Rollups
from appliance.server.services.run_names import RunNames
from appliance.server.services.scheduler import Scheduler
from tests import depth
from tests.integration import artifact_requests, builders, result_doors
from tests.integration.server_fixtures import Site, add_token, add_user

WRONG: dict[type, list[Any]] = {
    Json: ["{", "7", b"\xff"],
    Time: ["yesterday", b"\xff"],
    Id: ["not-a-uuid"],
    OneOf: ["BOGUS"],
    Whole: ["many"],
}
LISTS = (
    "/api/v1/flows", "/api/v1/flow-runs?include_future=true", "/api/v1/schedules", "/api/v1/agents", "/api/v1/jobs", "/api/v1/users",
    "/api/v1/tokens", "/api/v1/concurrency-limits", "/api/v1/secrets", "/api/v1/projects", "/api/v1/flows?archived=true", "/api/v1/bundles", "/api/v1/results", "/api/v1/artifacts", "/api/v1/artifacts/latest", "/api/v1/known-failures", "/api/v1/known-failures?resolved=true", "/api/v1/views", "/api/v1/automations", "/metrics", "/api/v1/system/disk", "/api/v1/system/hold", "/api/v1/system/maintenance",
)  # fmt: skip
OF_RUN = ("states", "task-runs", "task-groups", "logs")
QUERY = """query ($run: UUID!) {
  projects { name }
  flows { items { name project { name } version { number parameters { name } } schedules { description }
                  recentRuns(first: 5) { name parameters } nextRun { name } } }
  flowRuns(filter: {includeFuture: true}) { items { name parameters flow { name } version { number } agent { name } } }
  taskRuns(flowRunId: $run) { items { name } }
  taskGroups(flowRunId: $run) { items { taskSlug busy own { name } states { name first { name } } } }
  logs(flowRunId: $run) { items { message } }
  agents { name }
  concurrencyLimits { name used holders { flowRunName } }
  runRollups(since: "2025-12-31T00:00:00Z", until: "2026-01-03T00:00:00Z") { runs }
  hold { runs }
  maintenance { reason }
  server { version }
  jobs { items { state } }
  disk { warnings }
  bundles { items { digest usedBy { flowName } } }
  keptResults { items { location flowRunName } }
  keptTotals { results { bytes } }
  artifacts { items { title flowRunName } }
  artifactVersions(project: "demo", key: "report") { items { version } }
  latestArtifacts { items { key } }
}"""


@pytest.fixture
def lived_in(site: Site) -> Site:
    """A site with rows in the tables that lists read, at least two in each that a list of things is made of."""
    database = site.database
    run, _ = builders.begun(database, schedules=[builders.YEARLY], secrets=["TOKEN"])
    builders.send(database, run, 1, builders.task("extract-1", "RUNNING", "Running"), builders.line("hello"))
    add_user(database, "bob", "viewer")
    add_token(database, "bob")
    builders.create(database, builders.register(database, "other").flow_id)
    site.client.put(
        "/api/v1/concurrency-limits", json={"kind": "label", "name": "db", "slots": 3}, headers=site.headers("admin")
    )
    for name in ("TOKEN", "OTHER"):
        body = {"project": "demo", "name": name, "value": "a value"}
        site.client.put("/api/v1/secrets", json=body, headers=site.headers("admin"))
    for location in (f"{run}/own", "shared"):
        kept_results.store(database, run, result_doors.request(location, b"x"))
        artifact_requests.make(database, run, name=location, key="report")
    for digest in ("c" * 64, "d" * 64):
        bundle = PutBundle(project="demo", digest=digest, sha256=sha256(b"").hexdigest(), content=b"")
        bundles.put(database, builders.ALICE, bundle)
        storage = {"type": "bundle", "path": "etl.py", "flow": "etl", "sha256": digest, "digest": digest}
        builders.register(database, f"bundled {digest[0]}", storage=storage)
    site.post("/api/v1/bulk", {"action": "cancel", "ids": [str(run)]}, "operator")
    _fill(database)
    return site


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Postgres refuses such values; another test damages what it does store."""
_OLD = "2026-01-01 00:00:00+00:00"
SETTINGS = {
    "hold": '{"before":"2026-01-01T00:00:00Z","since":"2026-01-01T00:00:00Z","overdue":3}',
    "maintenance": '{"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","by":"alice","reason":"disks"}',
    "outage": '{"after":"2026-01-01T00:00:00Z","until":"2026-01-01T00:01:00Z"}',
    "disk.samples": "[]",
    "disk.low": "true",
    "agents.lost": "[]",
    "automations.position": "5",
    "rollups.position": "5",
    "rollups.totals": '{"last":5}',
    "log_search.fill": "5",
    "run_names.fill": '"00000000-0000-0000-0000-000000000000"',
}


def _fill(db: Database) -> None:
    """Rows in the tables that are still empty, and values in the columns that are still null."""
    newest = {
        table: builders.rows(db, f'select id from "{table}" order by id desc')[0]["id"]
        for table in ("flow", "schedule", "concurrency_limit", "flow_run", "user")
    }
    flow, run = newest["flow"], newest["flow_run"]
    of_run = {"flow_run_id": run, "task_slug": "extract-1", "map_index": -1, "attempt": 1}
    filled: list[tuple[str, dict[str, Any]]] = [
        ("former_name", {"id": flow, "noun": "flow", "scope_id": flow, "name": "old", "object_id": flow, "at": _OLD}),
        ("request_key", {"id": "k", "caller": "c", "verb": "v", "fingerprint": "f", "answer": "{}", "at": _OLD}),
        ("removed_run", {"id": flow, "at": _OLD}),
        ("session", {"id": flow, "token_hash": "t", "csrf_token": "c", "user_id": newest["user"], "created": _OLD,
                     "expires_at": _OLD, "last_used": _OLD}),
        ("run_rollup", {"flow_id": flow, "hour": _OLD, "state_name": "Success", "state_type": "SUCCESS", "runs": 1,
                        "seconds": 1.0, "longest": 1.0}),
        ("schedule_skip", {"schedule_id": newest["schedule"], "version": 1, "first": _OLD, "last": _OLD, "count": 1,
                           "code": "catch_up", "reason": "", "at": _OLD}),
        *(("known_failure", {"id": id, "flow_id": flow, "task_slug": slug, "fingerprint": "f", "message": "m", "reason": "r",
                             "until": _OLD, "marked_by": "alice", "marked_at": _OLD, "last_run_id": run, "last_seen": _OLD})
          for id, slug in ((flow, "extract-1"), (run, "load-1"))),
        *(("saved_view", {"id": id, "user_id": newest["user"], "name": name, "folded_name": name, "q": "", "sort": "waiting",
                          "columns": "[]", "is_default": False}) for id, name in ((flow, "all"), (run, "late"))),
        *(("automation", {"id": id, "name": name, "folded_name": name, "enabled": False, "events": '["run.failed"]', "q": "",
                          "action": '{"kind":"email","to":["ops@example.org"]}', "at_most": 1, "per": 60.0, "unless_known": False,
                          "unless_maintenance": False, "after_event": 0, "revision": 1, "created": _OLD, "created_by": "alice",
                          "updated": _OLD, "updated_by": "alice"}) for id, name in ((flow, "all"), (run, "late"))),
        *(("delivery", {"id": id, "automation_id": flow, "event_id": number, "event": "run.failed", "object_id": run,
                        "message": "{}", "state": "sent", "reason": "", "attempts": 1, "created": _OLD, "expires": _OLD,
                        "tried_at": _OLD, "next_try_at": _OLD, "answer": "200 OK"}) for number, id in enumerate((flow, run))),
        ("task_slot", {"limit_id": newest["concurrency_limit"], **of_run, "at": _OLD}),
        ("task_start", {"limit_id": newest["concurrency_limit"], "at": _OLD, "flow_run_id": run, "task_slug": "t-1", "map_index": 0}),
        *(("setting", {"name": name, "value": value, "updated": _OLD}) for name, value in SETTINGS.items()),
    ]  # fmt: skip
    time = _OLD.removesuffix("+00:00") + ".000000" if db.dialect == "sqlite" else _OLD
    with db.write() as session:
        for table, row in filled:
            values = {name: time if value == _OLD else value for name, value in row.items()}
            names = ", ".join(f'"{name}"' for name in values)
            marks = ", ".join(f":{name}" for name in values)
            session.execute(text(f'insert into "{table}" ({names}) values ({marks})'), values)
        for table, column, value in (
            ("api_token", "expires_at", time), ("api_token", "revoked_at", time), ("api_token", "bound_labels", "[]"),
            ("api_token", "bound_projects", "[]"), ("agent", "projects", "[]"),
            ("agent", "roots", "[]"), ("agent", "closed", "[]"), ("agent", "env_names", "[]"), ("flow_run", "end_time", time),
            ("artifact_key", "emptied", time), ("agent", "storages", "[]"), ("agent", "problems", "[]"), ("agent", "provided", "{}"),
            ("flow_run", "overrides", "{}"), ("flow_run", "attempt_usage", "[]"), ("schedule", "run_config", "{}"),
            ("flow_run", "state_data", "{}"), ("flow_run", "parent_flow_run_id", run), ("flow_run", "parent_map_index", -1), ("flow_run_state", "data", "{}"),
            ("known_failure", "resolved_at", time), ("known_failure", "resolved_by_run", run),
            ("task_run", "state_data", "{}"), ("task_run", "end_time", time), ("task_run_state", "data", "{}"),
        ):  # fmt: skip
            place = "" if table.endswith("_state") else f" where id = (select id from {table} order by id desc limit 1)"
            session.execute(text(f"update {table} set {column} = :value{place}"), {"value": value})


def test_there_is_something_to_damage_in_every_table(lived_in: Site) -> None:
    for table, column in columns():
        if not (table.name == "flow_version" and column.name == "restores"):
            found = builders.one(lived_in.database, f'select count("{column.name}") as number from "{table.name}"')
            assert found["number"], f"{table.name}.{column.name}"


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


@on_sqlite
@pytest.mark.parametrize("part", range(4))
def test_every_list_answers_whatever_value_is_damaged(lived_in: Site, part: int) -> None:
    database = lived_in.database
    run = builders.rows(database, "select id from flow_run order by id desc")[0]["id"]
    for table, column in columns()[part::4]:
        values = WRONG[type(column.type)]
        for value in values if depth.is_full() else random.Random(column.name).sample(values, 1):
            place = f"{table.name}.{column.name} = {value!r}"
            with damaged(database, table.name, column.name, value) as is_there:
                assert is_there, place
                for path in (*LISTS, *(f"/api/v1/flow-runs/{run}/{of_run}" for of_run in OF_RUN)):
                    answer = lived_in.get(path, "admin")
                    refused = path.startswith(f"/api/v1/flow-runs/{run}") and answer.status_code in (404, 409)
                    assert answer.status_code == 200 or refused, (place, path, answer.text)
                answer = lived_in.graphql(QUERY, "admin", run=str(run))
                assert "errors" not in answer, (place, answer)
                answer = lived_in.get(f"/api/v1/flow-runs/{run}", "admin")
                assert answer.status_code in (200, 404, 409), (place, answer.text)
                faults = {(one.table, one.column) for one in damaged_rows.scan(database)}
                assert (table.name, column.name) in faults, place


@on_sqlite
def test_the_services_go_on_past_a_damaged_row(lived_in: Site) -> None:
    database = lived_in.database
    now = clock.now() + timedelta(hours=2)
    services = (Scheduler, Repair, Late, Jobs, Rollups, RunNames, LogSearch)
    for owner, column in columns():
        if not column.primary_key:
            with damaged(database, owner.name, column.name, WRONG[type(column.type)][0]):
                for service in services:
                    service(database).run_once(now)
                retention.Sweep(database, Keep(events_days=300), now, 1.0).run()


@pytest.mark.diagonal
@pytest.mark.parametrize("name", SETTINGS)
def test_a_damaged_setting_counts_as_not_set(lived_in: Site, name: str) -> None:
    database = lived_in.database
    agent = builders.enrol(database, "other")
    for value in ("{", '"x"', ""):
        with database.write() as session:
            session.execute(
                text("update setting set value = :value where name = :name"), {"value": value, "name": name}
            )
        faults = [(one.table, one.key, one.column) for one in damaged_rows.scan(database)]
        assert faults == [("setting", name, "value")]
        for path in LISTS:
            assert lived_in.get(path, "admin").status_code == 200, (value, path)
        assert "errors" not in lived_in.graphql(
            QUERY, "admin", run=str(builders.rows(database, "select id from flow_run")[0]["id"])
        )
        for service in (Scheduler, Repair, Late, Jobs, Rollups):
            service(database).run_once(clock.now())
        retention.Sweep(database, Keep(events_days=300), clock.now(), 1.0).run()
        builders.claim(database, agent, 1)


@on_sqlite
@pytest.mark.parametrize("column", ["labels", "type", "version", "last_seen", "created", "state", "capacity"])
def test_a_damaged_agent_is_whole_again_once_it_enrols(database: Database, column: str) -> None:
    run, agent = builders.create(database, builders.register(database).flow_id), builders.enrol(database)
    with damaged(database, "agent", column, b"\xff"):
        with pytest.raises(NotFound, match="enrol it again"):
            builders.claim(database, agent)
        assert builders.enrol(database) == agent
        assert [work.flow_run_id for work in builders.claim(database, agent)] == [run]
        assert list(damaged_rows.scan(database)) == []


@on_sqlite
def test_a_damaged_text_has_the_same_code_in_graphql(lived_in: Site) -> None:
    database = lived_in.database
    schedule = str(UUID(builders.one(database, "select id from schedule")["id"]))
    with damaged(database, "schedule", "timezone", b"\xff"):
        query = "query ($id: UUID!) { scheduleSkips(scheduleId: $id) { items { reason } } }"
        error = lived_in.graphql(query, "admin", id=schedule)["errors"][0]
        assert error["extensions"]["code"] == "damaged"
        assert lived_in.get(f"/api/v1/schedules/{schedule}/skips", "admin").json()["code"] == "damaged"


INNER = [
    ("flow_version", "parameters", '[{"x": 1}]'), ("flow_version", "graph", '{"tasks": [7]}'),
    ("flow_version", "graph", '{"edges": [{"upstream": 1}]}'), ("schedule", "declared", '{"labels": 7}'),
    ("flow", "settings", '{"deletion": "x"}'),
]  # fmt: skip


@pytest.mark.parametrize(("table", "column", "value"), INNER)
def test_the_inside_of_a_document_can_be_damaged(lived_in: Site, table: str, column: str, value: str) -> None:
    database = lived_in.database
    with database.write() as session:
        place = "id = (select id from flow_version order by id desc limit 1)" if table == "flow_version" else "true"
        session.execute(text(f"update {table} set {column} = :value where {place}"), {"value": value})
    assert {(one.table, one.column) for one in damaged_rows.scan(database)} == {(table, column)}
    for path in LISTS:
        assert lived_in.get(path, "admin").status_code == 200, path
    run = str(builders.rows(database, "select id from flow_run")[0]["id"])
    assert "errors" not in lived_in.graphql(QUERY, "admin", run=run)


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
    kinds = {"JSON", "JSONB", "DATETIME", "Uuid", "UUID", "Integer"}
    plain = [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if type(column.type).__name__ in kinds
    ]
    assert plain == [], "use Document, Documents, Texts, Time, Id or Whole of `db/tables/columns.py`"
