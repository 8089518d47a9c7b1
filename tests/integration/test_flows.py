"""Registering flows: versions never change, older content is a new version, and the schedules of the code follow."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from appliance.kit import ids
from appliance.protocol.flows import Registered, Registration
from appliance.server.actions import flows, schedules
from appliance.server.db.reads import flows as read_flows
from appliance.server.db.session import Database
from appliance.server.errors import Invalid, NotFound
from tests.integration.builders import ALICE, MINUTELY, N, claim, create, document, enrol, register, rows, run_row
from tests.integration.conftest import StoppedClock

HOURLY = {"kind": "interval", "seconds": 3600.0, "timezone": "UTC"}
REQUIRED = {"name": "day", "required": True, "default": None, "schema": {"type": "string"}}


def test_the_same_content_is_one_version(database: Database) -> None:
    first = register(database, parameters=[N])
    again = register(database, parameters=[N])
    other = register(database)
    assert (first.version, first.created) == (1, True)
    assert (again.version, again.created, again.version_id) == (1, False, first.version_id)
    assert (other.version, other.created, other.flow_id) == (2, True, first.flow_id)


def test_going_back_to_older_content_is_a_new_version_that_restores_it(database: Database) -> None:
    first = register(database, content="a")
    register(database, content="b")
    run = create(database, first.flow_id)
    back = register(database, content="a")
    assert (back.version, back.created, back.restores, back.changes) == (3, True, 1, ["the code"])
    assert back.version_id != first.version_id
    again = register(database, content="a")
    assert (again.version, again.created, again.restores, again.version_id) == (3, False, None, back.version_id)
    assert register(database, content="b").restores == 2
    assert register(database, content="a").restores == 1
    stored = rows(database, "select number, restores, id from flow_version order by number")
    assert [(row["number"], row["restores"]) for row in stored] == [(1, None), (2, None), (3, 1), (4, 2), (5, 1)]
    assert run_row(database, run)["flow_version_id"] == stored[1]["id"]


@pytest.mark.parametrize("seed", range(12))
def test_no_history_of_registrations_changes_a_version(database: Database, seed: int) -> None:
    """Whatever is registered, in whatever order: numbers, contents and times of what was there stay, and the newest is what came last."""
    draw, before, contents = random.Random(seed), [], []
    for _ in range(12):
        content = draw.choice("abcd")
        answer = register(database, content=content)
        assert answer.created == (not contents or contents[-1] != content)
        if answer.created:
            first = contents.index(content) + 1 if content in contents else None
            assert (answer.version, answer.restores) == (len(contents) + 1, first)
            contents.append(content)
        after = rows(database, "select * from flow_version order by number")
        assert after[: len(before)] == before and len(after) == len(contents)
        before = after


EXTRA = {"slug": "check-1", "name": "check", "tags": []}
X = {"name": "x", "required": False, "default": 1, "schema": {"type": "integer"}}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"tasks": [*document()["tasks"], EXTRA]}, ["task check-1 added"]),
        (
            {"tasks": document()["tasks"][:1], "edges": [], "reference_tasks": ["extract-1"]},
            ["task load-1 removed", "the reference tasks"],
        ),
        ({"tasks": [document()["tasks"][0] | {"tags": []}, document()["tasks"][1]]}, ["task extract-1 changed"]),
        ({"edges": []}, ["the dependencies between the tasks"]),
        ({"parameters": [N, X]}, ["parameters n, x added"]),
        ({"schedules": [MINUTELY]}, ['schedule "Every minute" added']),
        ({"run_config": {"type": "universal", "env": {"A": "1"}, "labels": []}}, ["the run config"]),
        ({"run_config": {"type": "universal", "env": {}, "labels": ["gpu"]}}, ["label gpu added"]),
    ],
)
def test_every_part_of_the_content_takes_effect_and_the_answer_says_so(
    database: Database, part: dict[str, object], words: list[str]
) -> None:
    send(database)
    changed = send(database, part)
    assert (changed.version, changed.created, changed.changes) == (2, True, words)
    assert not send(database, part).created
    back = send(database)
    assert (back.version, back.restores) == (3, 1)


def test_labels_of_the_command_line_take_effect(database: Database) -> None:
    flow = send(database)
    assert send(database, labels=["gpu", "edge"]).changes == ["labels edge, gpu added"]
    run = create(database, flow.flow_id)
    assert run_row(database, run)["labels"] in (["edge", "gpu"], '["edge","gpu"]', '["edge", "gpu"]')
    back = send(database)
    assert (back.restores, back.changes) == (1, ["labels edge, gpu removed"])


def test_the_releases_of_sdk_and_python_are_not_content(database: Database) -> None:
    send(database)
    assert not send(database, {"sdk_version": "99.0", "python_version": "3.99"}).created


def test_versions_of_earlier_releases_are_recognized(database: Database) -> None:
    """They have the hash that the client sent."""
    register(database, content="a")
    register(database, content="b")
    with database.write("test") as session:
        for number, content in ((1, "a"), (2, "b")):
            values = {"hash": ids.sha256(content), "number": number}
            session.execute(text("update flow_version set content_hash = :hash where number = :number"), values)
    assert not register(database, content="b").created
    assert register(database, content="a").restores == 1


def test_what_a_client_says_its_content_hashes_to_decides_nothing(database: Database) -> None:
    register(database, content="a")
    stored = rows(database, "select content_hash from flow_version")[0]["content_hash"]
    request = Registration(
        project="demo",
        name="etl",
        content_hash=stored,
        document=document(),
        storage={"type": "local", "path": "etl.py", "sha256": "b"},
    )
    other = flows.register(database, ALICE, request)
    assert (other.created, other.restores) == (True, None)
    assert [row["content_hash"] for row in rows(database, "select content_hash from flow_version")].count(stored) == 1


def test_versions_are_listed_newest_first_in_pages(database: Database) -> None:
    for content in ("a", "b", "a"):
        flow = register(database, content=content)
    with database.read() as session:
        first = read_flows.version_page(session, flow.flow_id, 2)
        rest = read_flows.version_page(session, flow.flow_id, 2, first.next)
    assert [(row.number, row.restores, row.changes) for row in first.rows] == [
        (3, 1, ["the code"]),
        (2, None, ["the code"]),
    ]
    assert [(row.number, row.restores, row.changes) for row in rest.rows] == [(1, None, [])]
    assert rest.next is None


def test_many_at_once_get_distinct_numbers(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: register(database, content=f"content {number}"), range(18)))
    assert sorted(item.version for item in found) == list(range(1, 19))
    assert len({item.flow_id for item in found}) == 1


def test_names_that_differ_in_case_are_two_flows(database: Database) -> None:
    found = [register(database, name) for name in ("etl", "Etl", "etl")]
    assert [item.created for item in found] == [True, True, False]
    assert found[0].flow_id == found[2].flow_id != found[1].flow_id
    other = register(database, "etl", project="Demo")
    assert other.created and other.flow_id != found[0].flow_id


def test_of_the_same_content_at_once_one_is_new(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: register(database, content="same"), range(18)))
    assert sorted(item.created for item in found) == [False] * 17 + [True]
    assert {item.version for item in found} == {1}


def send(database: Database, change: dict[str, object] | None = None, labels: list[str] | None = None) -> Registered:
    request = Registration(
        project="demo",
        name="etl",
        content_hash=ids.sha256("x"),
        document=document() | (change or {}),
        storage={},
        labels=labels or [],
    )
    return flows.register(database, ALICE, request)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tasks": 5}, "The flow's document is not valid"),
        ({"tasks": [{"slug": "a"}, {"slug": "a"}]}, "Two tasks of the flow have the same slug"),
        ({"edges": [{"upstream": "extract-1", "downstream": "nothing"}]}, "names a task that the flow does not have"),
        (
            {"parameters": [{"name": "n", "schema": {"type": "nonsense"}}]},
            "schema of parameter 'n' is not a valid JSON schema",
        ),
        ({"schedules": [{"kind": "cron", "cron": "61 * * * *"}]}, "cron expression '61 * * * *' is not valid"),
        ({"run_config": {"env": [1]}}, "The run config is not valid: Expected `object`, got `array`"),
        ({"run_config": {"working_dir": 5}}, "The run config is not valid"),
        ({"run_config": {"python": "/bin/sh"}}, "The run config is not valid"),
        ({"run_config": {"env": {"LD_PRELOAD": "/tmp/x.so"}}}, "env can't set LD_PRELOAD"),
    ],
)
def test_a_broken_document_is_refused_whole(database: Database, change: dict[str, object], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence.replace("*", r"\*")):
        send(database, change)
    assert rows(database, "select id from project") == []


@pytest.mark.parametrize(
    "said",
    [
        {"parameters": {"n\0": 1}},
        {"parameters": {"n": "a\0"}},
        {"run_config": {"env": {"A": "\0"}}},
        {"labels": ["\0"]},
        {"timezone": "UTC\0"},
        {"\0": 1},
    ],
)
def test_a_nul_in_a_schedule_is_refused_or_replaced(database: Database, said: dict[str, object]) -> None:
    """Postgres keeps none in a document."""
    try:
        register(database, parameters=[N | {"schema": {}}], schedules=[HOURLY | said])
    except Invalid as error:
        assert str(error).endswith((".", "?"))
    else:
        assert len(rows(database, "select id from schedule")) == 1


def test_schedules_follow_the_code(database: Database, clock: StoppedClock) -> None:
    register(database, schedules=[MINUTELY, HOURLY])
    before = {row["kind"]: row["id"] for row in rows(database, "select id, kind from schedule")}
    register(database, schedules=[MINUTELY], content="second")
    after = {row["kind"]: row["id"] for row in rows(database, "select id, kind from schedule")}
    assert after == {"cron": before["cron"]}
    newest = rows(database, "select flow_version_id from flow_run group by flow_version_id")
    assert len(newest) == 1 and len(rows(database, "select id from flow_run")) == 10


def test_registering_inactive_plans_nothing(database: Database) -> None:
    register(database, schedules=[MINUTELY], active=False)
    assert rows(database, "select id from flow_run") == []


def test_a_required_parameter_without_value_refuses_the_schedule(database: Database) -> None:
    with pytest.raises(Invalid, match="'day' has no value; give the parameter a default or the schedule a value"):
        register(database, schedules=[MINUTELY], parameters=[REQUIRED])
    assert rows(database, "select id from flow") == []
    register(database, schedules=[MINUTELY | {"parameters": {"day": "monday"}}], parameters=[REQUIRED])
    assert len(rows(database, "select id from flow_run")) == 10


def test_pausing_editing_and_deleting_take_the_planned_runs_along(database: Database, clock: StoppedClock) -> None:
    flow = register(database)
    agent = enrol(database)
    schedule = schedules.create(database, ALICE, flow.flow_id, MINUTELY)
    count = "select id from flow_run"
    assert len(rows(database, count)) == 10
    clock.move(90)  # one is due now
    schedules.set_active(database, ALICE, schedule.id, False)
    assert len(rows(database, count)) == 1
    schedules.set_active(database, ALICE, schedule.id, True)
    assert len(rows(database, count)) == 11
    schedules.edit(database, ALICE, schedule.id, {"kind": "cron", "cron": "0 0 * * *"})
    assert len(rows(database, count)) == 11
    assert len(rows(database, "select id from flow_run where due_at > '2026-03-02 12:00:00'")) == 10
    schedules.delete(database, ALICE, schedule.id)
    assert len(claim(database, agent, 50)) == 1 == len(rows(database, count))
    with pytest.raises(NotFound):
        schedules.delete(database, ALICE, schedule.id)
