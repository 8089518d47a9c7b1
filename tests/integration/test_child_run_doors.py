"""How REST, GraphQL, and the command line show which run has started which."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec
import pytest

from appliance.protocol.run_protocol import AskChild, Begin
from appliance.server.actions import child_runs
from appliance.server.actions import run_protocol as runs
from appliance.server.db.session import Database
from tests.integration import builders
from tests.integration.builders import RUN
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
FIELDS = "id name parent { id name taskSlug mapIndex } children { total waiting failed }"
LIST = f"query($filter: FlowRunFilter) {{ flowRuns(filter: $filter) {{ items {{ {FIELDS} }} total }} }}"


@pytest.fixture
def parent(site: Site) -> UUID:
    """A run of which two children of a mapped task have started runs, among others."""
    parent = starting(site.database, "parent")
    for index in (0, 1):
        ask = AskChild(attempt=1, task_slug="load-1", map_index=index, name=f"child {index}")
        child_runs.follow(site.database, RUN, parent, ask)
        builders.send(site.database, parent, index + 1, builders.task("load-1", "RUNNING", "Running", map_index=index))
    builders.send(site.database, parent, 3, builders.task("extract-1", "SUCCESS", "Success"))
    return parent


def starting(db: Database, name: str) -> UUID:
    flow = builders.register(db, name, starts={"flow": name}).flow_id
    run = builders.create(db, flow, name=name)
    agent = builders.enrol(db)
    assert run in [work.flow_run_id for work in builders.claim(db, agent, 8)]
    assert runs.begin(db, RUN, run, Begin(attempt=1)).verdict == "go"
    return run


def names(items: list[dict[str, str]]) -> list[str]:
    return sorted(item["name"] for item in items)


def test_rest_links_both(site: Site, parent: UUID) -> None:
    found = site.get(f"/api/v1/flow-runs?parent={parent}").json()["items"]
    assert names(found) == ["child 0", "child 1"]
    child = site.get(f"/api/v1/flow-runs/{found[0]['id']}").json()
    assert (child["parent_flow_run_id"], child["parent_flow_run"], child["parent_task_slug"]) == (
        str(parent),
        "parent",
        "load-1",
    )
    assert child["parent_map_index"] == int(child["name"][-1])
    own = site.get(f"/api/v1/flow-runs/{parent}").json()
    assert (own["children"], own["parent_flow_run_id"]) == ({"SCHEDULED": 2}, None)
    tasks = site.get(f"/api/v1/flow-runs/{parent}/task-runs").json()["items"]
    assert {(task["task_slug"], task["map_index"]): task["child_flow_run_id"] for task in tasks} == {
        ("extract-1", -1): None,
        **{("load-1", each["parent_map_index"]): each["id"] for each in found},
    }


def test_graphql_links_both(site: Site, parent: UUID) -> None:
    page = site.data(LIST, filter={"parent": str(parent)})["flowRuns"]
    assert (names(page["items"]), page["total"]) == (["child 0", "child 1"], 2)
    assert {(one["parent"]["id"], one["parent"]["name"]) for one in page["items"]} == {(str(parent), "parent")}
    own = site.data(f"query($id: UUID!) {{ flowRun(id: $id) {{ {FIELDS} }} }}", id=str(parent))["flowRun"]
    assert (own["parent"], own["children"]) == (None, {"total": 2, "waiting": 2, "failed": 0})
    tasks = "query($id: UUID!) { taskRuns(flowRunId: $id) { items { mapIndex childRunId } } }"
    found = {one["mapIndex"]: one["childRunId"] for one in site.data(tasks, id=str(parent))["taskRuns"]["items"]}
    assert found == {-1: None, **{one["parent"]["mapIndex"]: one["id"] for one in page["items"]}}
    groups = "query($id: UUID!) { taskGroups(flowRunId: $id) { items { states { first { childRunId } } } } }"
    (group,) = (one for one in site.data(groups, id=str(parent))["taskGroups"]["items"] if one["states"])
    assert group["states"][0]["first"]["childRunId"] == found[0]


def test_a_query_finds_runs_by_their_parent(site: Site, parent: UUID) -> None:
    other = starting(site.database, "other")
    child_runs.follow(site.database, RUN, other, AskChild(attempt=1, task_slug="load-1", name="another child"))
    for text, expected in (
        (f"parent:{parent}", ["child 0", "child 1"]),
        (f"parent:{parent} state:running", []),
        (f"parent:{parent} 1", ["child 1"]),
        ("parent:none", ["other", "parent"]),
        ("is:subrun", ["another child", "child 0", "child 1"]),
        (f"parent:{parent} is:subrun", ["child 0", "child 1"]),
    ):
        assert names(site.get("/api/v1/flow-runs", params={"q": text}).json()["items"]) == expected, text
        assert site.data(LIST, filter={"q": text})["flowRuns"]["total"] == len(expected), text


@pytest.mark.parametrize("sort", ["-scheduled_time", "scheduled_time"])
def test_children_come_in_pages(site: Site, parent: UUID, sort: str) -> None:
    first = site.get(f"/api/v1/flow-runs?parent={parent}&limit=1&sort={sort}").json()
    second = site.get(f"/api/v1/flow-runs?parent={parent}&limit=1&sort={sort}&after={first['next']}").json()
    assert names(first["items"] + second["items"]) == ["child 0", "child 1"]
    assert second["next"] is None


def test_the_command_line_lists_children(site: Site, run: Callable[..., str], parent: UUID) -> None:
    assert names(msgspec.json.decode(run("get", "flow-runs", "--parent", "parent", "--json"))) == ["child 0", "child 1"]
    table = run("get", "flow-runs", "--parent", str(parent))
    assert "PARENT" in table and table.count(" parent ") >= 2
    assert "PARENT" not in run("get", "flow-runs", "--name", "parent")
    children = {one["id"] for one in site.get(f"/api/v1/flow-runs?parent={parent}").json()["items"]}
    tasks = run("get", "task-runs", "parent")
    assert "CHILD RUN" in tasks and all(child in tasks for child in children)
