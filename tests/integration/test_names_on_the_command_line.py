"""Every command accepts a name where it accepts an id; a name that several things have is answered with their ids."""

from __future__ import annotations

import re
from collections.abc import Callable

import click
import msgspec
import pytest

from appliance.cli.identifiers import RunId
from appliance.cli.root import cli, invoke
from tests.house.test_help import walk
from tests.integration.builders import create, register, rows, run_row
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
Run = Callable[..., str]
ONLY_IDS = {"automation send-again", "job show", "job cancel", "result delete"}
"""Deliveries, jobs and stored results have no names."""


@pytest.fixture
def refused(address: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """What a command says that is refused."""

    def call(*arguments: str) -> str:
        assert invoke(list(arguments)) == 2
        return capsys.readouterr().err

    return call


def test_every_id_may_be_a_name() -> None:
    for name, command in walk(cli):
        for parameter in command.params:
            assert not isinstance(parameter.type, type(click.UUID)) or name in ONLY_IDS, (name, parameter.name)
            if isinstance(parameter, click.Argument) and parameter.name == "run_id":
                assert isinstance(parameter.type, RunId)


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (["cancel", "otter"], "Cancelled"),
        (["pause", "otter"], "Paused"),
        (["mark", "otter", "Skipped"], "Skipped"),
        (["edit", "otter", "--priority", "5"], "Scheduled"),
        (["start-now", "otter"], "Scheduled"),
        (["bulk", "cancel", "--run", "otter", "--yes"], "Cancelled"),
        (["logs", "otter"], "Scheduled"),
        (["get", "task-runs", "otter"], "Scheduled"),
    ],
)
def test_a_run_is_meant_by_its_name(site: Site, run: Run, command: list[str], state: str) -> None:
    made = create(site.database, register(site.database).flow_id, name="otter")
    create(site.database, register(site.database).flow_id, name="otter-2")
    run(*command)
    assert run_row(site.database, made)["state_name"] == state
    run("delete", "otter")


def test_several_runs_of_one_name_are_listed(site: Site, refused: Run) -> None:
    flow = register(site.database, "etl").flow_id
    made = [str(create(site.database, flow, name="otter")) for _ in range(2)]
    told = refused("cancel", "otter")
    assert "2 runs match 'otter'; specify one by its id:" in told
    assert all(f"  {one}  demo/etl, Scheduled" in told for one in made)
    for _ in range(10):
        create(site.database, flow, name="otter")
    told = refused("cancel", "otter")
    assert "More than 10 runs match 'otter'" in told and told.endswith("  and others\n")
    assert "There is no run 'ottr'; did you mean 'otter'?" in refused("cancel", "ottr")
    assert "There is no run 'zzz'; run `appliance get flow-runs` to list runs." in refused("cancel", "zzz")


def test_a_flow_is_meant_by_its_name(site: Site, run: Run, refused: Run) -> None:
    for project, name in (("finance", "etl"), ("ops", "etl"), ("ops", "load")):
        register(site.database, name, project=project)
    for command in (
        ["run", "load"],
        ["run", "ops/load"],
        ["run", "load", "--project", "ops"],
        ["run", "ops/load", "--project", "ops"],
    ):
        assert msgspec.json.decode(run(*command, "--json"))["flow"] == "load"
    told = refused("run", "etl")
    assert "2 flows match 'etl'; specify one by its id:" in told
    assert re.search(r"  [0-9a-f-]{36}  finance/etl\n  [0-9a-f-]{36}  ops/etl\n", told)
    assert "There is no flow 'laod'; did you mean 'load'?" in refused("run", "laod")
    assert "There is no flow 'ops/laod'; did you mean 'ops/load'?" in refused("run", "ops/laod")
    assert "in project 'finance'; run `appliance get flows`" in refused(
        "schedule", "add", "zzz", "--project", "finance", "--every", "60"
    )
    assert "There is no flow 'load' in project 'opps'; did you mean 'ops/load'?" in refused(
        "run", "load", "--project", "opps"
    )
    assert "There is no flow 'zzz' in project 'ops'; register it first" in refused("run", "zzz", "--project", "ops")
    assert "There is no project 'opps'; did you mean 'ops'?" in refused("project", "archive", "opps")
    flow = msgspec.json.decode(run("get", "flows", "--project", "ops", "--json"))[1]["id"]
    assert msgspec.json.decode(run("run", flow, "--json"))["project"] == "ops"


def test_a_schedule_is_meant_by_its_flow(site: Site, run: Run, refused: Run) -> None:
    register(site.database, "etl", project="finance")
    assert "Flow finance/etl has no schedule; add one" in refused("schedule", "pause", "etl")
    run("schedule", "add", "finance/etl", "--every", "3600")
    assert "is off" in run("schedule", "pause", "etl")
    assert "Next: " in run("schedule", "resume", "finance/etl")
    assert "every 30 minutes" in run("schedule", "edit", "etl", "--every", "1800").lower()
    assert run("schedule", "skips", "etl") == ""
    assert len(msgspec.json.decode(run("get", "schedules", "--flow", "etl", "--json"))) == 1
    period = ("--start", "2026-01-01T00:00:00Z", "--end", "2026-01-01T02:00:00Z")
    assert "4 due times" in run("backfill", "--schedule", "etl", *period, "--preview")
    run("schedule", "add", "etl", "--cron", "30 6 * * *")
    told = refused("schedule", "delete", "etl")
    assert "2 schedules match 'etl'; specify one by its id:" in told and "06:30" in told
    one = rows(site.database, "select id from schedule limit 1")[0]["id"]
    run("schedule", "delete", str(one))
    run("schedule", "delete", "etl")


def test_limits_and_tokens_are_meant_by_their_names(
    site: Site, run: Run, refused: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(site.database, "etl", project="finance")
    run("limit", "set", "label", "gpu", "2")
    assert "There is no limit 'gpus'; did you mean 'gpu'?" in refused("limit", "remove", "gpus")
    run("limit", "set", "task-tag", "gpu", "2")
    assert "2 limits match 'gpu'" in refused("limit", "remove", "gpu")
    for name in ("finance/etl", "etl", rows(site.database, "select id from flow")[0]["id"]):
        run("limit", "set", "flow", str(name), "1")
        run("limit", "remove", "finance/etl")
    assert "There is no flow 'finance/elt'; did you mean 'finance/etl'?" in refused(
        "limit", "set", "flow", "finance/elt", "1"
    )
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
    run("token", "create", "nightly")
    assert "There is no token 'nigthly'; did you mean 'nightly'?" in refused("token", "revoke", "nigthly")
    assert run("token", "revoke", "nightly") == "Token revoked.\n"
