"""The filters of task runs, flows, schedules, agents and jobs through REST, GraphQL and the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from appliance.cli.root import invoke
from tests.integration.builders import YEARLY, begun, enrol, register, send, task
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]

AGENTS = "query($health: String, $labels: [String!]) { agents(health: $health, labels: $labels) { name } }"
TASKS = "query($id: UUID!, $filter: TaskRunFilter) { taskRuns(flowRunId: $id, filter: $filter) { items { taskSlug } } }"
FLOWS = "query($filter: FlowFilter) { flows(filter: $filter) { items { name } } }"


@pytest.fixture
def filled(site: Site) -> str:
    """Flows, a schedule, agents, and a run with two task runs, whose id this is."""
    register(site.database, "load", project="ops")
    register(site.database, "report", project="ops", schedules=[YEARLY])
    one, _agent = begun(site.database, name="etl", project="finance")
    enrol(site.database, "north-1", labels=["gpu", "north"])
    enrol(site.database, "south-1", labels=["gpu"])
    send(
        site.database, one, 1, task("extract-1", "SUCCESS", "Cached"), task("load-1", "FAILED", "TimedOut", map_index=0)
    )
    return str(one)


CASES: list[tuple[str, str, dict[str, Any] | None, str, str]] = [
    # REST, GraphQL query, its variables (None: it has no such list), command line: names
    ("agents", AGENTS, {}, "agents", "embedded north-1 south-1"),
    ("agents?label=gpu", AGENTS, {"labels": ["gpu"]}, "agents --label gpu", "north-1 south-1"),
    ("agents?label=gpu&label=north", AGENTS, {"labels": ["gpu", "north"]}, "agents --label gpu --label north", "north-1"),
    ("agents?health=online", AGENTS, {"health": "online"}, "agents --health online", "embedded north-1 south-1"),
    ("agents?health=offline", AGENTS, {"health": "offline"}, "agents --health offline", ""),
    ("flows?project=ops", FLOWS, {"filter": {"project": "ops"}}, "flows --project ops", "load report"),
    ("flows?name=or", FLOWS, {"filter": {"name": "or"}}, "flows --text or", "report"),
    ("schedules?project=ops", "", None, "schedules --project ops", "report"),
    ("schedules?project=finance", "", None, "schedules --project finance", ""),
    ("schedules?flow=ops/report&active=true", "", None, "schedules --flow ops/report --active", "report"),
    ("schedules?active=false", "", None, "schedules --paused", ""),
    ("flow-runs/ID/task-runs", TASKS, {"filter": {}}, "task-runs ID", "extract-1 load-1"),
    ("flow-runs/ID/task-runs?state=Cached", TASKS, {"filter": {"stateNames": ["Cached"]}}, "task-runs ID --state Cached", "extract-1"),
    ("flow-runs/ID/task-runs?state=FAILED", TASKS, {"filter": {"stateTypes": ["FAILED"]}}, "task-runs ID --state FAILED", "load-1"),
    ("flow-runs/ID/task-runs?state=FAILED&state=Cached", TASKS, {"filter": {"stateTypes": ["FAILED"], "stateNames": ["Cached"]}}, "task-runs ID --state FAILED --state Cached", "extract-1 load-1"),
    ("flow-runs/ID/task-runs?state=Late", TASKS, {"filter": {"stateNames": ["Late"]}}, "task-runs ID --state Late", ""),
    ("flow-runs/ID/task-runs?task=load-1", TASKS, {"filter": {"taskSlug": "load-1"}}, "task-runs ID --task load-1", "load-1"),
]  # fmt: skip
WRONG: list[tuple[str, str, dict[str, Any] | None, str, str]] = [
    ("agents?label=gpus", AGENTS, {"labels": ["gpus"]}, "agents --label gpus", "no label 'gpus'; did you mean 'gpu'?"),
    ("agents?health=onlin", AGENTS, {"health": "onlin"}, "agents --health onlin", "no health 'onlin'; did you mean 'online'?"),
    ("flows?project=opps", FLOWS, {"filter": {"project": "opps"}}, "flows --project opps", "no project 'opps'; did you mean 'ops'?"),
    ("schedules?project=opps", "", None, "schedules --project opps", "no project 'opps'; did you mean 'ops'?"),
    ("schedules?flow=reprot", "", None, "schedules --flow reprot", "no flow 'reprot'; did you mean 'report'?"),
    ("jobs?state=Done", "query($state: String) { jobs(state: $state) { next } }", {"state": "Done"}, "", "did you mean 'done'?"),
    ("flow-runs/ID/task-runs?state=cached", TASKS, {"filter": {"stateNames": ["cached"]}}, "task-runs ID --state cached", "did you mean 'Cached'?"),
    ("flow-runs/ID/task-runs?task=laod-1", TASKS, {"filter": {"taskSlug": "laod-1"}}, "task-runs ID --task laod-1", "no task 'laod-1'; did you mean 'load-1'?"),
]  # fmt: skip


def names(items: list[dict[str, Any]], noun: str) -> list[str]:
    key = {"task-runs": "task_slug", "schedules": "flow"}.get(noun, "name")
    return sorted(item[key] if key in item else item["taskSlug"] for item in items)


def test_all_doors_find_the_same(site: Site, filled: str, run: Callable[..., str]) -> None:
    wrong = []
    for rest, query, variables, command, expected in CASES:
        noun = command.split()[0]
        answer = site.get(f"/api/v1/{rest.replace('ID', filled)}")
        found = [names(answer.json()["items"], noun)]
        if variables is not None:
            (listed,) = site.data(query, **({"id": filled} if query == TASKS else {}), **variables).values()
            found.append(names(listed if isinstance(listed, list) else listed["items"], noun))
        told = run("get", *command.replace("ID", filled).split(), "--json")
        found.append(names(msgspec.json.decode(told), noun))
        wrong += [(rest, one) for one in found if one != expected.split()]
    assert wrong == []


def test_all_doors_refuse_what_can_only_be_wrong(
    site: Site, filled: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = []
    for rest, query, variables, command, sentence in WRONG:
        answer = site.get(f"/api/v1/{rest.replace('ID', filled)}")
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_name"), rest
        said = [answer.json()["message"]]
        if variables is not None:
            said.append(
                site.graphql(query, **({"id": filled} if query == TASKS else {}), **variables)["errors"][0]["message"]
            )
        if command:
            assert invoke(["get", *command.replace("ID", filled).split()]) == 2, command
            said.append(capsys.readouterr().err)
        wrong += [(rest, one) for one in said if sentence not in one]
    assert wrong == []


def test_an_empty_list_does_not_say_that_there_is_nothing_at_all(
    site: Site, filled: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (
        "flows --text zzz",
        "schedules --project finance",
        "agents --health offline",
        f"task-runs {filled} --state Late",
    ):
        assert invoke(["get", *command.split()]) == 0
        assert capsys.readouterr().err.strip() == f"No {command.split()[0].replace('-', ' ')} match."
