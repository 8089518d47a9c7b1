"""The life cycle of flows and projects: renamed, paused, archived and deleted, without a run that starts or a history that forks unnoticed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from appliance.kit import clock as kit_clock
from appliance.protocol.flows import Registration
from appliance.protocol.life_cycle import DeleteTree, EditFlow, EditProject
from appliance.server.actions import concurrency, deletions, flow_edits, flows, jobs, projects, schedules
from appliance.server.db.session import Database
from appliance.server.errors import Conflict, Invalid, NotFound, Renamed
from appliance.server.services.jobs import Jobs
from appliance.server.services.scheduler import Scheduler
from tests.integration import builders
from tests.integration.builders import ALICE, MINUTELY, begun, check_histories, claim, create, enrol, register, rows
from tests.integration.conftest import StoppedClock
from tests.integration.server_fixtures import Site


def edit(db: Database, flow: UUID, **fields: Any) -> None:
    flow_edits.edit(db, ALICE, flow, EditFlow(**fields))


def edit_project(db: Database, project: UUID, **fields: Any) -> None:
    projects.edit(db, ALICE, project, EditProject(**fields))


def project_id(db: Database, name: str = "demo") -> UUID:
    return UUID(str(builders.one(db, "select id from project where name = :name", name=name)["id"]))


def count(db: Database, table: str) -> int:
    return int(builders.one(db, f"select count(*) as number from {table}")["number"])


def planned(db: Database) -> int:
    found = builders.one(db, "select count(*) as number from flow_run where schedule_id is not null")
    return int(found["number"])


def wait_code(db: Database, run: UUID) -> str | None:
    reason = builders.waits(db, run)
    return None if reason is None else reason.code


def register_as(db: Database, name: str, *, project: str = "demo", as_new: bool = False) -> Any:
    document = builders.document()
    request = Registration(
        project=project, name=name, content_hash="0" * 64, document=document, storage={"type": "local"}, as_new=as_new
    )
    return flows.register(db, ALICE, request)


# --- renaming


def test_a_renamed_flow_keeps_its_id_and_history(database: Database) -> None:
    flow = register(database, "etl").flow_id
    run = create(database, flow)
    edit(database, flow, name="daily etl")
    edit(database, flow, name="daily etl")  # once more: nothing changes
    again = register(database, "daily etl", content="new")
    assert (again.flow_id, again.version) == (flow, 2)
    assert str(builders.run_row(database, run)["flow_id"]).replace("-", "") == flow.hex
    assert len(rows(database, "select id from event where kind = 'flow.renamed'")) == 1


def test_code_with_the_old_name_makes_no_second_flow_unnoticed(database: Database) -> None:
    flow = register(database, "etl").flow_id
    edit(database, flow, name="daily")
    with pytest.raises(Renamed, match=r"was renamed to 'daily'.*--as-new") as refused:
        register_as(database, "etl")
    assert refused.value.details == {"id": str(flow), "name": "daily"}
    assert count(database, "flow") == 1
    other = register_as(database, "etl", as_new=True)
    assert other.flow_id != flow
    assert register_as(database, "etl").flow_id == other.flow_id  # the name is in use again


def test_a_name_may_return_to_its_flow_or_go_to_another(database: Database) -> None:
    first, second = register(database, "one").flow_id, register(database, "two").flow_id
    with pytest.raises(Conflict, match="has a flow named 'two' already"):
        edit(database, first, name="two")
    edit(database, first, name="three")
    edit(database, first, name="one")
    with pytest.raises(Renamed, match="renamed to 'one'"):
        register_as(database, "three")
    edit(database, first, name="uno")
    edit(database, second, name="one")
    assert register_as(database, "one").flow_id == second
    for name in ("", "  ", "a\nb", "x" * 201):
        with pytest.raises(Invalid, match="name"):
            edit(database, first, name=name)


def test_a_renamed_project_is_not_made_again_unnoticed(database: Database) -> None:
    flow = register(database, "etl", project="finance").flow_id
    edit_project(database, project_id(database, "finance"), name="accounting")
    with pytest.raises(Renamed, match="Project 'finance' was renamed to 'accounting'"):
        register_as(database, "etl", project="finance")
    assert register(database, "etl", project="accounting").flow_id == flow
    assert register_as(database, "etl", project="finance", as_new=True).flow_id != flow
    with pytest.raises(Conflict, match="already"):
        edit_project(database, project_id(database, "accounting"), name="finance")


def test_a_project_with_a_slash_is_refused_when_it_is_made(database: Database) -> None:
    with pytest.raises(Invalid, match=r"can't contain '/'.*'a-b'"):
        register(database, project="a/b")
    register(database)
    with pytest.raises(Invalid, match="can't contain '/'"):
        edit_project(database, project_id(database), name="a/b")
    with database.write("test") as session:  # one that an earlier release made goes on
        session.execute(builders.text("update project set name = 'a/b'"))
    assert register(database, "other", project="a/b").created


# --- pausing and archiving


@pytest.mark.parametrize("field", ["paused", "archived"])
def test_a_stopped_flow_starts_nothing_and_says_why(database: Database, clock: StoppedClock, field: str) -> None:
    flow = register(database, schedules=[MINUTELY]).flow_id
    waiting_run, agent = create(database, flow), enrol(database)
    assert planned(database) == 10
    edit(database, flow, **{field: True})
    assert planned(database) == 0
    assert wait_code(database, waiting_run) == f"flow_{field}"
    clock.move(3600)
    Scheduler(database).run_once(kit_clock.now())
    assert claim(database, agent, 10) == []
    assert planned(database) == 0
    edit(database, flow, **{field: False})
    assert planned(database) == 10
    assert [work.flow_run_id for work in claim(database, agent, 10)] == [waiting_run]
    check_histories(database)


def test_due_times_of_a_pause_get_no_run_also_after_edits(database: Database, clock: StoppedClock) -> None:
    flow = register(database, schedules=[MINUTELY]).flow_id
    schedule = UUID(str(builders.one(database, "select id from schedule")["id"]))
    edit(database, flow, paused=True)
    clock.move(600)
    schedules.edit(database, ALICE, schedule, {"kind": "interval", "seconds": 60})
    register(database, schedules=[MINUTELY], content="new")
    clock.move(600)
    edit(database, flow, paused=False)
    due = rows(database, "select due_at from flow_run where due_at <= :now", now=kit_clock.now().isoformat(" "))
    assert due == []
    assert planned(database) == 10 * count(database, "schedule")


def test_a_paused_flow_takes_new_runs_and_an_archived_one_does_not(database: Database) -> None:
    flow = register(database).flow_id
    edit(database, flow, paused=True)
    assert wait_code(database, create(database, flow)) == "flow_paused"
    edit(database, flow, archived=True)
    with pytest.raises(Conflict, match="is archived"):
        create(database, flow)
    with pytest.raises(Conflict, match="is archived"):
        register(database, content="new")
    edit(database, flow, archived=False)
    assert wait_code(database, create(database, flow)) == "flow_paused"  # it is still paused
    with pytest.raises(Invalid, match="Nothing to change"):
        edit(database, flow)
    with pytest.raises(NotFound):
        edit(database, UUID(int=1), paused=True)


def test_a_project_is_archived_with_its_flows(database: Database) -> None:
    one, two = register(database, "one", schedules=[MINUTELY]).flow_id, register(database, "two").flow_id
    edit(database, two, archived=True)
    project = project_id(database)
    edit_project(database, project, archived=True)
    edit_project(database, project, archived=True)
    assert planned(database) == 0
    with pytest.raises(Conflict, match="Project 'demo' is archived"):
        register(database, "three")
    with pytest.raises(Conflict, match="Project 'demo' is archived"):
        edit(database, one, archived=False)
    edit_project(database, project, archived=False)
    archived = rows(database, "select id from flow where archived")
    assert [UUID(str(row["id"])) for row in archived] == [two]  # it was in the archive before
    assert planned(database) == 10


def test_a_project_is_paused_with_its_flows(database: Database, clock: StoppedClock) -> None:
    one, two = register(database, "one", schedules=[MINUTELY]).flow_id, register(database, "two").flow_id
    edit(database, two, paused=True)
    project, agent, run = project_id(database), enrol(database), create(database, one)
    edit_project(database, project, paused=True, reason="new data")
    edit_project(database, project, paused=True)
    assert (planned(database), claim(database, agent, 10), wait_code(database, run)) == (0, [], "flow_paused")
    with pytest.raises(Conflict, match="Project 'demo' is paused; resume it first"):
        edit(database, one, paused=False)
    three = register(database, "three", schedules=[MINUTELY]).flow_id
    assert wait_code(database, create(database, three)) == "flow_paused"
    assert planned(database) == 0
    clock.move(600)
    Scheduler(database).run_once(kit_clock.now())
    edit_project(database, project, paused=False)
    paused = rows(database, "select id from flow where paused")
    assert [UUID(str(row["id"])) for row in paused] == [two]  # it was paused before
    assert planned(database) == 20
    assert run in [work.flow_run_id for work in claim(database, agent, 10)]
    edit_project(database, project, paused=True)
    edit_project(database, project, archived=True)
    edit_project(database, project, archived=False)
    assert len(rows(database, "select id from flow where paused")) == 3
    kinds = [row["kind"] for row in rows(database, "select kind from event where topic = 'project' order by id")]
    assert kinds[1:] == [
        "project.paused",
        "project.resumed",
        "project.paused",
        "project.archived",
        "project.unarchived",
    ]


# --- deleting


def delete(db: Database, id: UUID, noun: Any = "flow", **fields: Any) -> Any:
    job_id = jobs.delete(db, ALICE, noun, id, DeleteTree(**fields))
    return builders.one(db, "select * from job where id = :id", id=job_id)


def job_state(db: Database) -> list[tuple[str, str]]:
    return [(row["state"], row["message"]) for row in rows(db, "select state, message from job order by id")]


BELOW = ("flow_version", "schedule", "flow_run", "flow_run_state", "task_run", "task_run_state", "log", "former_name")


def test_a_flow_is_deleted_with_all_that_belongs_to_it(database: Database) -> None:
    run, agent = begun(database, schedules=[builders.YEARLY])
    builders.send(database, run, 1, builders.task("extract-1", "RUNNING", "Running"), builders.line("hello"))
    stored = builders.task("extract-1", "SUCCESS", "Success", result_location="/results/1")
    builders.send(database, run, 2, stored, builders.flow("SUCCESS", "Success"))
    flow = UUID(str(builders.run_row(database, run)["flow_id"]))
    edit(database, flow, name="renamed")
    concurrency.put(database, ALICE, "flow", "demo/renamed", 1)
    other = register(database, "other", schedules=[MINUTELY]).flow_id
    kept = {table: count(database, table) for table in ("agent", "project")}

    seen = deletions.preview(database, "flow", flow)
    assert (seen.project, seen.flow, seen.flows, seen.versions, seen.schedules) == ("demo", "renamed", 1, 1, 1)
    assert (seen.runs, seen.live_runs, seen.task_runs, seen.logs, seen.results) == (11, 0, 1, 1, 1)
    made = delete(database, flow)
    assert (made["state"], made["done"], made["total"]) == ("done", 1, 1)
    assert made["message"] == "Agents remove the results in their folders; those stored elsewhere stay."

    assert [UUID(str(row["id"])) for row in rows(database, "select id from flow")] == [other]
    assert {table: count(database, table) for table in ("agent", "project")} == kept
    of_other = {"flow_version": 1, "schedule": 1, "flow_run": 10, "flow_run_state": 10}
    assert {table: count(database, table) for table in BELOW} == dict.fromkeys(BELOW, 0) | of_other
    assert count(database, "concurrency_limit") == 0
    with pytest.raises(NotFound):
        deletions.preview(database, "flow", flow)
    with pytest.raises(NotFound):
        delete(database, flow)
    assert register(database, "renamed").version == 1
    assert agent


def test_many_runs_are_deleted_in_small_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "_MOST_ROWS", 7)
    flow = register(database).flow_id
    for _ in range(60):
        create(database, flow)
    made = delete(database, flow)
    assert made["state"] == "running"
    assert 0 < made["done"] < 60
    with pytest.raises(Conflict, match="is being deleted by job"):
        edit(database, flow, archived=False)
    with pytest.raises(Conflict, match="is being deleted by job"):
        register(database)
    again = delete(database, flow)  # the same job, one part further
    assert again["id"] == made["id"]
    Jobs(database).run_once(kit_clock.now())
    assert job_state(database) == [("done", "Agents remove the results in their folders; those stored elsewhere stay.")]
    assert (count(database, "flow"), count(database, "flow_run")) == (0, 0)


def test_runs_in_progress_are_in_the_way_unless_they_are_to_be_cancelled(database: Database) -> None:
    run, _agent = begun(database)
    flow = UUID(str(builders.run_row(database, run)["flow_id"]))
    with pytest.raises(Conflict, match=r"has a run in progress.*--cancel-runs"):
        delete(database, flow)
    assert (count(database, "job"), rows(database, "select id from flow where archived")) == (0, [])
    idle = create(database, flow)
    made = delete(database, flow, cancel_runs=True)
    assert (made["state"], made["message"]) == ("running", "Waiting for a run in progress to end.")
    assert rows(database, "select id from flow_run where id = :id", id=idle) == []
    assert builders.run_row(database, run)["state_name"] == "Cancelling"
    Jobs(database).run_once(kit_clock.now())
    assert job_state(database)[0][0] == "running"
    builders.send(database, run, 1, builders.flow("CANCELLED", "Cancelled"))
    Jobs(database).run_once(kit_clock.now())
    assert job_state(database)[0][0] == "done"
    assert (count(database, "flow"), count(database, "flow_run")) == (0, 0)


def test_a_cancelled_deletion_leaves_the_rest_archived(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "_MOST_ROWS", 7)
    flow = register(database).flow_id
    for _ in range(60):
        create(database, flow)
    made = delete(database, flow)
    jobs.cancel(database, ALICE, UUID(str(made["id"])))
    left = count(database, "flow_run")
    Jobs(database).run_once(kit_clock.now())
    assert count(database, "flow_run") == left > 0
    edit(database, flow, archived=False)
    assert wait_code(database, create(database, flow)) == "no_agent"
    assert delete(database, flow)["id"] != made["id"]


def test_a_project_is_deleted_with_its_flows(database: Database) -> None:
    register(database, "other", project="kept")
    for name in ("one", "two"):
        create(database, register(database, name, schedules=[MINUTELY]).flow_id)
    project = project_id(database)
    seen = deletions.preview(database, "project", project)
    assert (seen.project, seen.flow, seen.flows, seen.runs, seen.schedules) == ("demo", None, 2, 22, 2)
    made = delete(database, project, "project")
    if made["state"] != "done":
        Jobs(database).run_once(kit_clock.now())
    assert job_state(database) == [("done", "Agents remove the results in their folders; those stored elsewhere stay.")]
    assert [row["name"] for row in rows(database, "select name from project")] == ["kept"]
    assert [row["name"] for row in rows(database, "select name from flow")] == ["other"]
    with pytest.raises(NotFound):
        deletions.preview(database, "project", project)


def test_a_project_waits_for_a_flow_that_another_job_deletes(database: Database) -> None:
    run, _agent = begun(database)
    delete(database, UUID(str(builders.run_row(database, run)["flow_id"])), cancel_runs=True)
    with pytest.raises(Conflict, match="is being deleted in part by job"):
        delete(database, project_id(database), "project", cancel_runs=True)
    with pytest.raises(Conflict, match="is being deleted by job"):
        edit_project(database, project_id(database), archived=True)


# --- the same through REST and GraphQL


def test_rest(site: Site) -> None:
    flow = register(site.database, content="a").flow_id
    register(site.database, content="b", labels=["gpu"])
    compared = site.get(f"/api/v1/flows/{flow}/versions/1/compare/2").json()
    assert {part["part"]: part["added"] for part in compared["parts"]}["labels"] == ["gpu"]
    for numbers in ("1/compare/3", "0/compare/1", f"1/compare/{10**30}"):
        assert site.get(f"/api/v1/flows/{flow}/versions/{numbers}").status_code == 404
    edited = site.client.patch(
        f"/api/v1/flows/{flow}", json={"name": "x", "paused": True}, headers=site.headers("operator")
    )
    assert (edited.json()["name"], edited.json()["paused"]) == ("x", True)
    project = site.get("/api/v1/projects?name=demo").json()["items"][0]
    assert (project["flows"], project["archived"]) == (1, False)
    archive = {"archived": True}
    path = f"/api/v1/projects/{project['id']}"
    paused = site.client.patch(path, json={"paused": True}, headers=site.headers("operator")).json()
    assert (paused["paused"], paused["archived"]) == (True, False)
    assert site.client.patch(path, json=archive, headers=site.headers("operator")).json()["archived"] is True
    assert site.get("/api/v1/projects").json()["items"] == []
    assert site.get("/api/v1/flows").json()["items"] == []
    assert [one["name"] for one in site.get("/api/v1/flows?archived=true").json()["items"]] == ["x"]
    assert site.get(path + "/deletion").json()["flows"] == 1
    gone = site.client.request("DELETE", path, json={"reason": "over"}, headers=site.headers("admin"))
    assert (gone.status_code, gone.json()["kind"], gone.json()["request"]["name"]) == (202, "delete_project", "demo")
    assert site.get(path).status_code == 404


def test_graphql(site: Site) -> None:
    flow = str(register(site.database, content="a").flow_id)
    register(site.database, content="b")
    found = site.data(
        """query($id: UUID!) { versionComparison(flowId: $id, before: 1, after: 2) { before after parts { part changed { name before after } } }
        flowDeletion(flowId: $id) { flow runs versions results } projects { id archived } }""",
        id=flow,
    )
    assert [part["part"] for part in found["versionComparison"]["parts"]] == ["storage"]
    assert found["flowDeletion"] == {"flow": "etl", "runs": 0, "versions": 2, "results": 0}
    edited = site.data(
        "mutation($input: EditFlowInput!) { editFlow(input: $input) { flow { name paused archived } } }",
        input={"flowId": flow, "name": "x", "archived": True},
    )
    assert edited["editFlow"]["flow"] == {"name": "x", "paused": False, "archived": True}
    deleted = site.data(
        "mutation($input: DeleteFlowInput!) { deleteFlow(input: $input) { job { kind state } } }",
        "admin",
        input={"flowId": flow},
    )
    assert deleted["deleteFlow"]["job"] == {"kind": "delete_flow", "state": "done"}
    project = found["projects"][0]["id"]
    paused = site.data(
        "mutation($input: EditProjectInput!) { editProject(input: $input) { project { paused archived } } }",
        input={"projectId": project, "paused": True},
    )
    assert paused["editProject"]["project"] == {"paused": True, "archived": False}
    previewed = "query($id: UUID!) { projectDeletion(projectId: $id) { project flow flows } }"
    assert site.data(previewed, id=project)["projectDeletion"] == {"project": "demo", "flow": None, "flows": 0}
