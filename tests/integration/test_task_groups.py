"""The tasks of a run as groups, and windows of their children, through REST, GraphQL, and the command line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, text

from appliance.cli.root import invoke
from tests.integration.builders import begun, send, task
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]

GROUPS = """query($id: UUID!, $first: Int, $after: String) { taskGroups(flowRunId: $id, first: $first, after: $after) {
  items { taskSlug own { mapIndex state { name } attempts { start end } } busy
          states { name type count firstStart lastEnd first { mapIndex state { message } } } } next } }"""
WINDOW = """query($id: UUID!, $filter: TaskRunFilter, $first: Int, $after: String, $offset: Int, $sort: TaskRunSort! = INDEX) {
  taskRuns(flowRunId: $id, filter: $filter, first: $first, after: $after, offset: $offset, sort: $sort) {
    items { mapIndex state { name } } next } }"""
PLACE = """query($id: UUID!, $slug: String!, $index: Int!, $sort: TaskRunSort!) {
  taskRunPlace(flowRunId: $id, taskSlug: $slug, mapIndex: $index, sort: $sort) }"""
CHILDREN = 40
HOUR = datetime(2026, 1, 1, 6, tzinfo=UTC)


@pytest.fixture
def mapped(site: Site) -> str:
    """A run with a plain task, a mapped one whose children 7 and 9 failed, 8 is retrying, 10 is running, and 11 was skipped."""
    one, _agent = begun(site.database)
    events = [task("extract-1", "RUNNING", "Running"), task("load-1", "SUCCESS", "Mapped")]
    events += [task("load-1", "RUNNING", "Running", map_index=index) for index in range(CHILDREN)]
    ends = {7: ("FAILED", "TimedOut"), 8: ("SCHEDULED", "AwaitingRetry"), 9: ("FAILED", "Failed")}
    for index in range(CHILDREN):
        type, name = ends.get(index, ("SUCCESS", "Skipped" if index == 11 else "Success"))
        if index != 10:
            events.append(task("load-1", type, name, map_index=index, message=f"child {index}"))
    send(site.database, one, 1, *events)
    return str(one)


def groups(site: Site, run_id: str, **variables: Any) -> dict[str, Any]:
    answer: dict[str, Any] = site.data(GROUPS, id=run_id, **variables)["taskGroups"]
    return answer


def indexes(site: Site, run_id: str, **variables: Any) -> list[int]:
    return [item["mapIndex"] for item in site.data(WINDOW, id=run_id, **variables)["taskRuns"]["items"]]


def test_a_group_counts_the_states_of_children_and_names_the_first_of_each(site: Site, mapped: str) -> None:
    extract, load = groups(site, mapped)["items"]
    assert (extract["taskSlug"], extract["own"]["state"]["name"], extract["states"]) == ("extract-1", "Running", [])
    assert len(extract["own"]["attempts"]) == 1
    assert load["own"]["state"]["name"] == "Mapped"
    found = [(one["name"], one["count"], one["first"]["mapIndex"]) for one in load["states"]]
    assert found == [
        ("Success", CHILDREN - 5, 0),
        ("TimedOut", 1, 7),
        ("AwaitingRetry", 1, 8),
        ("Failed", 1, 9),
        ("Running", 1, 10),
        ("Skipped", 1, 11),
    ]
    assert load["states"][1]["first"]["state"]["message"] == "child 7"


def test_children_may_be_known_before_their_parent(site: Site) -> None:
    one, _agent = begun(site.database)
    send(site.database, one, 1, task("load-1", "FAILED", "TriggerFailed", map_index=3))
    [load] = groups(site, str(one))["items"]
    assert load["own"] is None
    assert [(state["name"], state["firstStart"]) for state in load["states"]] == [("TriggerFailed", None)]
    assert load["busy"] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tags", "{"),
        ("created", "yesterday"),
        ("start_time", "yesterday"),
        ("end_time", ""),
        ("state_message", b"\xff"),
    ],
)
def test_a_damaged_child_still_counts(site: Site, mapped: str, column: str, value: str | bytes) -> None:
    if site.database.dialect == "postgresql":
        return  # it stores no such value
    [_, before] = groups(site, mapped)["items"]
    with site.database.write() as session:
        change = f"update task_run set {column} = cast(:value as text) where task_slug = 'load-1' and map_index = 0"
        session.execute(text(change), {"value": value})
    [_, load] = groups(site, mapped)["items"]
    assert [(one["name"], one["count"]) for one in load["states"]] == [
        (one["name"], one["count"]) for one in before["states"]
    ]
    assert load["states"][0]["first"] is None
    assert all(one["firstStart"] and one["lastEnd"] for one in load["states"])
    assert len(load["busy"]) == 48 and min(load["busy"]) >= 0
    [_, viewed] = site.get(f"/api/v1/flow-runs/{mapped}/task-groups").json()["items"]
    assert (viewed["count"], viewed["states"][0]["first_message"]) == (CHILDREN, "")


def test_a_damaged_task_does_not_end_the_list(site: Site, mapped: str) -> None:
    if site.database.dialect == "postgresql":
        return  # it stores no such value
    with site.database.write() as session:
        session.execute(text("update task_run set tags = '{' where task_slug = 'extract-1'"))
    first = groups(site, mapped, first=1)
    assert first["items"] == []
    assert [one["taskSlug"] for one in groups(site, mapped, first=1, after=first["next"])["items"]] == ["load-1"]


def test_groups_come_in_pages(site: Site, mapped: str) -> None:
    first = groups(site, mapped, first=1)
    assert [group["taskSlug"] for group in first["items"]] == ["extract-1"]
    rest = groups(site, mapped, first=1, after=first["next"])
    assert ([group["taskSlug"] for group in rest["items"]], rest["next"]) == (["load-1"], None)


def test_a_group_knows_when_it_was_busy(site: Site) -> None:
    one, _agent = begun(site.database)
    spans = ((0, 0, 48), (1, 0, 24), (2, 24, 48))
    events = []
    for index, start, end in spans:
        events.append(task("load-1", "RUNNING", "Running", map_index=index, at=HOUR.replace(minute=start)))
        events.append(task("load-1", "SUCCESS", "Success", map_index=index, at=HOUR.replace(minute=end)))
    send(site.database, one, 1, *events)
    [load] = groups(site, str(one))["items"]
    assert load["busy"] == [2] * 24 + [3] + [2] * 23


def test_more_tasks_cost_no_more_statements(site: Site) -> None:
    def statements(*tasks: str) -> int:
        one, _agent = begun(site.database, name=f"flow-{len(tasks)}", more_tasks=tasks[1:])
        children = [task("load-1", "RUNNING", "Running", map_index=index) for index in range(3)]
        send(site.database, one, 1, *children, *(task(slug, "RUNNING", "Running") for slug in tasks))
        sent: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if threading.current_thread().name != "broadcast":  # it watches for changes all the time
                sent.append(statement)

        event.listen(site.database.engine, "before_cursor_execute", note)
        try:
            assert len(groups(site, str(one))["items"]) == len(tasks)
        finally:
            event.remove(site.database.engine, "before_cursor_execute", note)
        return len(sent)

    statements("load-1")  # the token's last use is noted now, and not again for a minute
    assert statements("load-1") == statements("load-1", "mail-1", "publish-1")


def test_children_come_in_windows(site: Site, mapped: str) -> None:
    of_load = {"taskSlug": "load-1", "children": True}
    assert indexes(site, mapped, filter=of_load, first=3) == [0, 1, 2]
    assert indexes(site, mapped, filter=of_load, first=3, offset=20) == [20, 21, 22]
    assert indexes(site, mapped, filter=of_load, first=3, offset=CHILDREN - 1) == [CHILDREN - 1]
    assert indexes(site, mapped, filter=of_load, offset=CHILDREN) == []
    assert indexes(site, mapped, filter={**of_load, "stateTypes": ["FAILED"]}) == [7, 9]
    assert indexes(site, mapped, filter={**of_load, "stateNames": ["Success"]}, first=2, offset=7) == [12, 13]
    assert indexes(site, mapped, filter={"taskSlug": "load-1", "mapIndex": 9}) == [9]
    assert indexes(site, mapped, filter={"taskSlug": "load-1", "mapIndex": -1}) == [-1]


def test_the_worst_children_come_first(site: Site, mapped: str) -> None:
    of_load = {"taskSlug": "load-1", "children": True}
    worst = indexes(site, mapped, filter=of_load, sort="WORST_FIRST", first=CHILDREN)
    assert worst[:7] == [7, 9, 8, 10, 11, 0, 1]
    assert len(set(worst)) == CHILDREN
    assert indexes(site, mapped, filter=of_load, sort="WORST_FIRST", first=2, offset=2) == [8, 10]


@pytest.mark.parametrize("sort", ["INDEX", "WORST_FIRST"])
def test_a_child_has_a_place_in_each_order(site: Site, mapped: str, sort: str) -> None:
    def place(index: int, slug: str = "load-1") -> int | None:
        found: int | None = site.data(PLACE, id=mapped, slug=slug, index=index, sort=sort)["taskRunPlace"]
        return found

    listed = indexes(site, mapped, filter={"taskSlug": "load-1", "children": True}, sort=sort, first=CHILDREN)
    assert [place(index) for index in listed] == list(range(CHILDREN))
    assert (place(CHILDREN), place(-1), place(-1, "extract-1"), place(0, "extract-1")) == (None, None, None, None)


def test_a_window_goes_on_with_a_cursor(site: Site, mapped: str) -> None:
    of_load = {"taskSlug": "load-1", "children": True}
    page = site.data(WINDOW, id=mapped, filter=of_load, first=5, offset=10)["taskRuns"]
    assert indexes(site, mapped, filter=of_load, first=2, after=page["next"]) == [15, 16]


@pytest.mark.parametrize(
    "query",
    [
        *("offset=-1", "offset=1000001", "sort=worst_first&after=x", "offset=1&after=x"),
        *(f"map_index={index}" for index in (-2, 2**31, 2**62, 10**30)),
    ],
)
def test_places_that_can_only_be_wrong_are_refused(site: Site, mapped: str, query: str) -> None:
    assert site.get(f"/api/v1/flow-runs/{mapped}/task-runs?{query}").status_code == 400


def test_rest_lists_the_same(site: Site, mapped: str) -> None:
    items = site.get(f"/api/v1/flow-runs/{mapped}/task-groups").json()["items"]
    assert [(one["task_slug"], one["mapped"], one["count"]) for one in items] == [
        ("extract-1", False, 1),
        ("load-1", True, CHILDREN),
    ]
    timed_out = items[1]["states"][1]
    assert (timed_out["state"], timed_out["count"]) == ("TimedOut", 1)
    assert (timed_out["first_map_index"], timed_out["first_message"]) == (7, "child 7")
    worst = site.get(f"/api/v1/flow-runs/{mapped}/task-runs?task=load-1&sort=worst_first&limit=2").json()
    assert ([one["map_index"] for one in worst["items"]], worst["next"]) == ([7, 9], None)
    assert site.get("/api/v1/flow-runs/01890000-0000-7000-8000-000000000000/task-groups").status_code == 404


def test_the_command_line_lists_them(site: Site, mapped: str, run: Callable[..., str]) -> None:
    extract, load = run("get", "task-runs", mapped, "--groups").splitlines()[1:]
    assert extract.split()[:2] == ["extract-1", "Running"]
    assert "35 Success, 1 TimedOut, 1 AwaitingRetry, 1 Failed, 1 Running, 1 Skipped" in load
    assert "[7] child 7" in load
    told = msgspec.json.decode(run("get", "task-runs", mapped, "--groups", "--json"))
    assert [one["task_slug"] for one in told] == ["extract-1", "load-1"]
    assert invoke(["get", "task-runs", mapped, "--groups", "--task", "load-1"]) == 2


def test_an_unknown_order_is_refused_with_those_there_are(site: Site, mapped: str) -> None:
    answer = site.get(f"/api/v1/flow-runs/{mapped}/task-runs?sort=upwards")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Task runs can't be sorted by 'upwards'; sort by index or worst_first."
