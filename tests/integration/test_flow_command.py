"""`appliance flow` and `appliance project`: the life cycle on the command line."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from appliance.cli.root import invoke
from tests.integration.builders import YEARLY, N, begun, create, enrol, one, register, rows
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]


@pytest.fixture
def said(address: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command line; what it said to the person, besides its output."""

    def call(*arguments: str, code: int = 0) -> str:
        assert invoke(list(arguments)) == code
        return capsys.readouterr().err

    return call


def test_a_flow_is_renamed_paused_and_archived(site: Site, run: Callable[..., str]) -> None:
    flow = register(site.database, "etl").flow_id
    assert "Flow demo/daily is active." in run("flow", "rename", "demo/etl", "daily")
    assert "Flow demo/daily is paused." in run("flow", "pause", "daily", "--reason", "wrong data")
    assert "Flow demo/daily is paused and archived." in run("flow", "archive", "daily", "--project", "demo")
    assert "demo" not in run("get", "flows")
    assert "paused" in run("get", "flows", "--archived")
    assert "Flow demo/daily is paused." in run("flow", "unarchive", str(flow))
    resumed = msgspec.json.decode(run("flow", "resume", "daily", "--json"))
    assert (resumed["paused"], resumed["archived"]) == (False, False)
    reasons = rows(site.database, "select data from event where kind = 'flow.paused'")
    assert "wrong data" in str(reasons[0]["data"])


def test_a_project_is_paused(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl")
    assert "Project demo is paused." in run("project", "pause", "demo", "--reason", "wrong data")
    assert "paused" in run("project", "list")
    assert "Project demo is active." in run("project", "resume", "demo")


def test_names_with_a_slash_of_earlier_releases(site: Site, run: Callable[..., str], said: Callable[..., str]) -> None:
    flow = register(site.database, "x/y").flow_id
    create(site.database, flow)
    with site.database.write() as session:
        session.execute(text("update project set name = 'a/b'"))
    assert "Flow a/b/x/y is paused." in run("flow", "pause", "a/b/x/y")
    assert "a/b/x/y" in run("get", "flow-runs", "--flow", "a/b/x/y")
    assert "a/b/x/y" in run("get", "flow-runs", "--project", "a/b")
    run("limit", "set", "flow", "a/b/x/y", "2")
    assert "a/b/x/y" in run("limit", "list")
    run("limit", "remove", "a/b/x/y")
    listed = site.get("/api/v1/flow-runs", params={"flow": "a/b/x/y", "include_future": True}).json()
    assert [item["flow"] for item in listed["items"]] == ["x/y"]
    assert "There is no flow 'a/b/x/z'; did you mean 'a/b/x/y'?" in said("flow", "pause", "a/b/x/z", code=2)


def test_names_that_can_not_be_meant(site: Site, said: Callable[..., str]) -> None:
    register(site.database, "etl")
    register(site.database, "etl", project="other")
    twice = said("flow", "pause", "etl", code=2)
    assert (
        "2 flows match 'etl'; specify one by its id:" in twice and "  demo/etl\n" in twice and "  other/etl\n" in twice
    )
    assert "There is no flow 'nobody'; run `appliance get flows`" in said("flow", "pause", "nobody", code=2)
    assert "There is no project 'nobody'; the projects are demo, other." in said(
        "flow", "pause", "etl", "--project", "nobody", code=2
    )
    assert "The flow needs a name" in said("flow", "rename", "demo/etl", " ", code=2)
    assert "There is no project 'nobody'" in said("project", "archive", "nobody", code=2)
    assert "A project's name can't contain '/'" in said("project", "rename", "demo", "a/b", code=2)


def test_two_versions_are_compared(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl", content="a")
    register(site.database, "etl", content="b", labels=["gpu"])
    told = run("flow", "diff", "demo/etl", "1", "2")
    assert "Labels\n  + gpu\n" in told
    assert "Storage\n  ~ sha256: " in told
    register(site.database, "etl", content="b", labels=["gpu"], schedules=[YEARLY])
    register(site.database, "etl", content="b", labels=["gpu"], schedules=[YEARLY | {"cron": "30 2 1 1 *"}])
    edited = ": cron changed from 0 0 1 1 * to 30 2 1 1 *\n"
    assert edited in run("flow", "diff", "demo/etl", "3", "4")
    assert "Versions 2 and 2 have the same content." in run("flow", "diff", "etl", "2", "2")
    compared = msgspec.json.decode(run("flow", "diff", "etl", "2", "1", "--json"))
    assert {part["part"] for part in compared["parts"]} == {"labels", "storage"}
    run("flow", "diff", "etl", "1", "9", code=2)


def test_a_deletion_says_first_what_goes(
    site: Site, run: Callable[..., str], said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
    begun(site.database)
    for _ in range(2):
        create(site.database, register(site.database, "other").flow_id)
    told = said("flow", "delete", "etl", "--preview")
    assert "Deleting flow demo/etl deletes 1 version, 0 schedules, 1 run, 0 task runs, and 0 log lines." in told
    assert "In progress: 1 run. They must end first; --cancel-runs cancels them." in told
    counted = msgspec.json.decode(run("project", "delete", "demo", "--preview", "--json"))
    assert (counted["flows"], counted["runs"], counted["live_runs"]) == (2, 3, 1)
    assert "has a run in progress" in said("flow", "delete", "etl", "--yes", code=2)
    monkeypatch.setattr("sys.stdin", io.StringIO("another\n"))
    assert "type its name (other)" in said("flow", "delete", "other", code=1)
    assert len(rows(site.database, "select id from flow")) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("other\n"))
    done = run("flow", "delete", "other")
    assert "Done: 2 of 2. Agents remove the results in their folders; those stored elsewhere stay." in done
    waiting = run("flow", "delete", "etl", "--yes", "--cancel-runs", "--no-wait")
    assert "Waiting for a run in progress to end." in waiting


def test_projects(site: Site, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
    register(site.database, "etl")
    assert "Project finance is active." in run("project", "rename", "demo", "finance")
    assert "Project finance is archived." in run("project", "archive", "finance")
    assert "finance" not in run("project", "list")
    assert "finance" in run("project", "list", "--archived")
    assert "Project finance is active." in run("project", "unarchive", "finance")
    assert "Done: 0 of 0." in run("project", "delete", "finance", "--yes")
    assert rows(site.database, "select id from project") == []


def test_code_with_the_old_name(site: Site, run: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "etl.py"
    file.write_text("from appliance import Flow\n\nwith Flow('etl') as flow:\n    pass\n")
    run("register", str(file), "--project", "demo")
    run("flow", "rename", "demo/etl", "daily")
    run("register", str(file), "--project", "demo", code=2)
    assert "registered as version 1" in run("register", str(file), "--project", "demo", "--as-new")
    assert "unchanged, version 1" in run("register", str(file), "--project", "demo")


def test_a_new_run_says_at_once_what_it_waits_for(site: Site, said: Callable[..., str]) -> None:
    register(site.database, "etl", labels=["gpu"])
    assert said("run", "etl", "--at", "2099-01-01T00:00:00Z").startswith("Waiting: Due at 2099-01-01 00:00:00")
    assert said("run", "etl") == "Waiting: No agent is online.\n"
    enrol(site.database)
    assert said("run", "etl") == "Waiting: No live agent has label gpu.\n"
    enrol(site.database, "another", labels=["gpu"])
    assert said("run", "etl") == ""


def test_defaults_of_a_flow_are_shown_set_and_dropped(
    site: Site, run: Callable[..., str], said: Callable[..., str]
) -> None:
    flow = register(site.database, "etl", parameters=[N]).flow_id
    assert "are as its code says" in run("flow", "defaults", "demo/etl")
    text = run("flow", "defaults", "etl", "-p", "n=5", "--label", "big", "--env", "A=1", "--env", "B=2")
    assert "parameter n = 5" in text and "labels big" in text and "environment variables A, B" in text
    text = run("flow", "defaults", "etl", "--drop", "parameters.n", "--drop", "labels", "--drop", "env.A")
    assert "parameter" not in text and "labels" not in text and "environment variables B" in text
    made = one(site.database, "select run_config from flow_run where id = :id", id=create(site.database, flow))
    assert '"B"' in str(made["run_config"]).replace("'", '"') and "(not shown)" not in str(made["run_config"])
    assert "no default 'labels.x'" in said("flow", "defaults", "etl", "--drop", "labels.x", code=2)
    assert msgspec.json.decode(run("flow", "defaults", "etl", "--drop", "run_config", "--json"))["run_config"] == {}


def test_a_run_config_for_one_run_is_named_on_the_command_line(
    site: Site, run: Callable[..., str], said: Callable[..., str], tmp_path: Path
) -> None:
    register(site.database, "etl")
    enrol(site.database)
    (tmp_path / "docker.toml").write_text('type = "docker"\nimage = "etl:1"\n[env]\nA = "1"\n')
    config = str(tmp_path / "docker.toml")
    made = msgspec.json.decode(run("run", "demo/etl", "--run-config", config, "--env", "B=2", "--json"))
    assert made["run_config"] == {"type": "docker", "image": "etl:1", "env": {"A": "(not shown)", "B": "(not shown)"}}
    assert made["warnings"] == ["No live agent starts Docker runs. Runs wait until one does."]
    assert "Warning: No live agent starts Docker runs." in said("run", "demo/etl", "--run-config", config)
    (tmp_path / "docker.toml").write_text("type = docker")
    assert "can't be read" in said("run", "demo/etl", "--run-config", config, code=2)
    assert "write it like --env MODE=full" in said("run", "demo/etl", "--env", "A", code=2)
    run("schedule", "add", "demo/etl", "--cron", "0 0 1 1 *", "--env", "A=1")
    shown = run("schedule", "edit", "etl", "--env", "B=2")
    assert 'Run config: {"env": {"B": "(not shown)"}}' in shown


def test_a_flow_is_rolled_back_through_every_door(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl", content="a", schedules=[YEARLY])
    flow = register(site.database, "etl", content="b", parameters=[N]).flow_id
    told = run("flow", "rollback", "demo/etl", "--to", "1", "--preview")
    assert "Parameters\n  - n\n" in told and "It would become version 3. Nothing was changed." in told
    assert '" was added.\n' in told and "Warning: The code of version 1 is in files on the agents' machines" in told
    query = "query ($id: UUID!) { rollbackPreview(flowId: $id, to: 1) { version changes schedules warnings closed } }"
    coming = site.data(query, id=str(flow))["rollbackPreview"]
    rest = site.post(f"/api/v1/flows/{flow}/rollback/preview", {"to": 1}).json()
    assert (coming["version"], coming["changes"]) == (rest["version"], rest["changes"]) == (3, rest["changes"])
    assert len(rows(site.database, "select id from flow_version")) == 2
    told = run("flow", "rollback", "etl", "--to", "1", "--reason", "wrong totals")
    assert "demo/etl: registered as version 3, restores version 1 (rolled back to version 1: wrong totals; " in told
    assert "Warning: The code of version 1 is in files on the agents' machines" in told
    fields = "{ flow { version { number } } rollback { version changes schedules } }"
    mutation = f"mutation ($id: UUID!) {{ rollBackFlow(input: {{flowId: $id, to: 2, newest: 3}}) {fields} }}"
    done = site.data(mutation, id=str(flow))["rollBackFlow"]
    assert done["flow"]["version"]["number"] == done["rollback"]["version"] == 4
    (refused,) = site.graphql(mutation, id=str(flow))["errors"]
    assert refused["extensions"]["code"] == "conflict" and refused["extensions"]["version"] == 4
    assert site.post(f"/api/v1/flows/{flow}/rollback", {"to": 1, "newest": 4}).status_code == 201
    assert "rolled back to version 1" in run("get", "versions", "--flow", "etl")
    run("flow", "rollback", "etl", "--to", "1", code=2)
    run("flow", "rollback", "etl", code=2)
