"""Registering flows: one content is one version, and the schedules of the code follow it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from appliance.server.actions import schedules
from appliance.server.db.session import Database
from appliance.server.errors import Invalid, NotFound
from tests.integration.builders import ALICE, MINUTELY, N, claim, create, enrol, register, rows, run_row
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


def test_going_back_to_older_content_makes_it_the_newest(database: Database) -> None:
    first = register(database, content="a")
    register(database, content="b")
    back = register(database, content="a")
    assert (back.version_id, back.version, back.created) == (first.version_id, 3, False)
    run = create(database, first.flow_id)
    assert str(run_row(database, run)["flow_version_id"]).replace("-", "") == first.version_id.hex


def test_many_at_once_get_distinct_numbers(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: register(database, content=f"content {number}"), range(18)))
    assert sorted(item.version for item in found) == list(range(1, 19))
    assert len({item.flow_id for item in found}) == 1


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
    ],
)
def test_a_broken_document_is_refused_whole(database: Database, change: dict[str, object], sentence: str) -> None:
    from appliance.kit import ids
    from appliance.protocol.flows import Registration
    from appliance.server.actions import flows
    from tests.integration.builders import document

    request = Registration(
        project="demo", name="etl", content_hash=ids.sha256("x"), document=document() | change, storage={}
    )
    with pytest.raises(Invalid, match=sentence.replace("*", r"\*")):
        flows.register(database, ALICE, request)
    assert rows(database, "select id from project") == []


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
