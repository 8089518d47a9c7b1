"""How many rows and bytes a project may store: counted where they are stored and deleted, at the boundary and beyond, through every door."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from appliance.kit import clock
from appliance.protocol.agents import AgentReport, InfrastructureLog
from appliance.protocol.flow_runs import ChangeFlowRun, CreateFlowRun, RestartFlowRun
from appliance.protocol.life_cycle import DeleteTree
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import agents, jobs
from appliance.server.actions.flow_runs import cancel, delete, restart
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.retention import Sweep
from appliance.server.actions.run_protocol import begin
from appliance.server.db.reads import usage
from appliance.server.db.session import Database
from appliance.server.domain.quotas import BYTES, LINE, ROW, ROWS
from appliance.server.domain.retention import Keep
from appliance.server.domain.rules import Rules
from appliance.server.errors import QuotaReached
from appliance.server.services.jobs import Jobs
from tests.integration import builders
from tests.integration.server_fixtures import Site

DAY = timedelta(days=1)
TEXT = "ü" * 400


def _usage(database: Database) -> tuple[int, int]:
    sums = "select coalesce(sum(stored_rows), 0) as n, coalesce(sum(stored_bytes), 0) as b from project_usage"
    row = builders.one(database, sums)
    return int(row["n"]), int(row["b"])


def _worked(database: Database, flow: UUID, agent: UUID) -> UUID:
    run = builders.create(database, flow)
    builders.claim(database, agent)
    begin(database, builders.RUN, run, Begin(attempt=1))
    states = [builders.task("extract-1", "RUNNING", "Running"), builders.task("extract-1", "SUCCESS", "Success")]
    builders.send(database, run, 1, *states, builders.line(TEXT), builders.line("short"))
    builders.send(database, run, 2, builders.flow("SUCCESS", "Success", message="Done."))
    return run


def test_what_is_stored_is_counted_and_what_is_deleted_is_taken_off(database: Database) -> None:
    flow, agent = builders.register(database).flow_id, builders.enrol(database)
    of_version = _usage(database)
    assert of_version[0] == 1 and of_version[1] > ROW
    runs = [_worked(database, flow, agent) for _ in range(3)]
    builders.check_usage(database)
    stored = builders.run_row(database, runs[0])
    assert (stored["stored_rows"], stored["log_rows"], stored["log_bytes"]) == (7, 2, 2 * LINE + 2 * len(TEXT) + 5)
    assert stored["stored_bytes"] >= 7 * ROW
    delete.delete_run(database, builders.ALICE, runs[0], ChangeFlowRun())
    builders.check_usage(database)
    logs_only = Keep(logs_days=1)
    Sweep(database, logs_only, clock.now() + 2 * DAY, pause=lambda _: None).run()
    newest = LINE + len("short")  # the newest line of all stays
    assert [builders.run_row(database, run)["log_bytes"] for run in runs[1:]] == [0, newest]
    builders.check_usage(database)
    Sweep(database, Keep(runs_days=1), clock.now() + 2 * DAY, pause=lambda _: None).run()
    assert _usage(database) == of_version
    jobs.delete(database, builders.ALICE, "flow", flow, DeleteTree())
    while Jobs(database).run_once(clock.now()).get("steps"):
        pass
    assert _usage(database) == (0, 0)


def test_what_people_do_with_runs_is_counted_too(database: Database) -> None:
    flow, agent = builders.register(database).flow_id, builders.enrol(database)
    run = _worked(database, flow, agent)
    before = builders.run_row(database, run)["stored_rows"]
    restart.restart_run(database, builders.ALICE, run, RestartFlowRun(from_task="extract-1"))
    cancel.cancel_run(database, builders.ALICE, run)
    assert builders.run_row(database, run)["stored_rows"] > before
    builders.check_usage(database)


def test_lines_of_agents_are_counted_too(database: Database) -> None:
    run, agent = builders.begun(database)
    line = InfrastructureLog(flow_run_id=run, attempt=1, at=clock.now(), level="INFO", message=TEXT)
    agents.report(database, builders.ALICE, agent, AgentReport(logs=[line, line]))
    assert builders.run_row(database, run)["log_bytes"] == 2 * (LINE + 2 * len(TEXT))
    builders.check_usage(database)


def test_a_full_project_takes_no_new_runs_and_no_versions_and_another_does(database: Database) -> None:
    database.rules = Rules(project_rows=5)
    flow = builders.register(database).flow_id
    create_run(database, builders.ALICE, CreateFlowRun(flow_id=flow, idempotency_key="first"))
    builders.create(database, flow)
    with pytest.raises(QuotaReached, match=r"stored 5 rows of runs.*delete runs.*APPLIANCE_PROJECT_ROWS") as refused:
        builders.create(database, flow)
    assert refused.value.details == {"setting": "APPLIANCE_PROJECT_ROWS", "most": 5}
    assert create_run(database, builders.ALICE, CreateFlowRun(flow_id=flow, idempotency_key="first")).row is None
    assert not builders.register(database).created
    with pytest.raises(QuotaReached):
        builders.register(database, "another")
    assert builders.create(database, builders.register(database, project="other").flow_id)
    builders.check_usage(database)


def test_bytes_have_a_quota_of_their_own(database: Database) -> None:
    database.rules = Rules(project_bytes=1_000, project_rows=0)
    flow = builders.register(database).flow_id
    with pytest.raises(QuotaReached, match="APPLIANCE_PROJECT_BYTES"):
        for _ in range(5):
            builders.create(database, flow)


def test_runs_of_a_full_project_go_on_and_only_their_ends_are_kept(database: Database) -> None:
    database.rules = Rules(project_rows=6)
    run, _agent = builders.begun(database)
    ends = [builders.task("extract-1", "RUNNING", "Running"), builders.line(TEXT)]
    builders.send(database, run, 1, *ends)
    for seq in (2, 3):
        late = builders.task("extract-1", "SUCCESS", "Success", message=TEXT, result_location="at")
        builders.send(database, run, seq, late, builders.task("load-1", "RUNNING", "Running"), builders.line("late"))
    builders.send(database, run, 4, builders.flow("SUCCESS", "Success", message="All done."))
    tasks = builders.rows(database, "select task_slug, state_name, state_message, result_location from task_run")
    assert [tuple(row.values()) for row in tasks] == [("extract-1", "Success", "", None)]
    assert builders.run_row(database, run)["state_name"] == "Success"
    lines = [row["message"] for row in builders.rows(database, "select message from log order by id")]
    assert lines[0] == TEXT and len(lines) == 2
    assert "stored 6 rows" in lines[1] and "only how its tasks and this run end is kept" in lines[1]
    builders.check_usage(database)


def test_every_door_shows_what_a_project_stores(site: Site) -> None:
    site.database.rules = Rules(project_rows=3)
    flow = builders.register(site.database).flow_id
    builders.create(site.database, flow)
    (project,) = site.get("/api/v1/projects").json()["items"]
    rows, size = _usage(site.database)
    most = Rules().project_bytes
    assert project["usage"] == {"rows": rows, "bytes": size, "most_rows": 3, "most_bytes": most} and rows == 3
    query = "{ projects { usage { rows bytes mostRows mostBytes full } } }"
    (shown,) = site.data(query)["projects"]
    assert shown["usage"] == {"rows": rows, "bytes": size, "mostRows": 3, "mostBytes": most, "full": True}
    refused = site.post("/api/v1/flow-runs", {"flow_id": str(flow)})
    assert (refused.status_code, refused.json()["code"]) == (409, "quota_reached")


def test_far_from_the_quota_nothing_is_summed_up_for_a_while(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = builders.register(database).flow_id
    reads, count = [], usage.stored
    monkeypatch.setattr(usage, "stored", lambda *asked: reads.append(asked) or count(*asked))
    for _ in range(5):
        builders.create(database, flow)
    assert len(reads) <= 1
    assert (ROWS.setting, BYTES.setting) == ("APPLIANCE_PROJECT_ROWS", "APPLIANCE_PROJECT_BYTES")
