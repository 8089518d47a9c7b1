"""Creating and cancelling runs as people and scripts ask for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from appliance.kit import clock as kit_clock
from appliance.protocol.flow_runs import ChangeFlowRun, CreateFlowRun
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.schedules import create as create_schedule
from appliance.server.db.reads import run_lists
from appliance.server.db.session import Database
from appliance.server.errors import Conflict, Invalid, NotFound
from tests.integration.builders import (
    ALICE,
    MINUTELY,
    RUN,
    N,
    begun,
    check_histories,
    claim,
    create,
    enrol,
    flow,
    one,
    register,
    rows,
    run_row,
    send,
)


def test_a_run_starts_its_life_scheduled(database: Database) -> None:
    registered = register(database, parameters=[N], labels=["gpu"])
    run = create(database, registered.flow_id, parameters={"n": 5}, name="my run")
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"], row["version"], row["attempt"]) == ("SCHEDULED", "Scheduled", 1, 0)
    assert (row["name"], row["created_by"]) == ("my run", "alice")
    assert one(database, "select kind, actor from event where object_id = :id", id=run) == {
        "kind": "flow_run.state",
        "actor": "alice",
    }
    check_histories(database)


def test_by_project_and_name(database: Database) -> None:
    register(database)
    assert create_run(database, ALICE, CreateFlowRun(project="demo", flow="etl"))
    with pytest.raises(NotFound, match="no flow 'elt' in project 'demo'; did you mean 'demo/etl'"):
        create_run(database, ALICE, CreateFlowRun(project="demo", flow="elt"))
    with pytest.raises(NotFound, match="no such flow"):
        create(database, uuid4())
    with pytest.raises(Invalid, match="Name the flow"):
        create_run(database, ALICE, CreateFlowRun(flow="etl"))


def test_an_idempotency_key_makes_one_run(database: Database) -> None:
    registered = register(database)
    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(lambda _: create(database, registered.flow_id, idempotency_key="k"), range(12)))
    assert len(found) == 1 == len(rows(database, "select id from flow_run"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n": "abc"}, "Parameter 'n' must be an integer, not 'abc'."),
        ({"m": 1}, "The flow has no parameter 'm'"),
    ],
)
def test_wrong_parameters_leave_nothing(database: Database, given: dict[str, Any], sentence: str) -> None:
    registered = register(database, parameters=[N])
    with pytest.raises(Invalid, match=sentence):
        create(database, registered.flow_id, parameters=given)
    assert rows(database, "select id from flow_run") == []


def test_an_archived_flow_is_not_run(database: Database) -> None:
    registered = register(database)
    with database.write() as session:
        session.execute(text("update flow set archived = true"))
    with pytest.raises(Conflict, match="archived"):
        create(database, registered.flow_id)


def test_cancel_before_the_start_ends_at_once(database: Database) -> None:
    run = create(database, register(database).flow_id)
    assert cancel_run(database, ALICE, run, ChangeFlowRun(reason="not needed")) == run
    assert cancel_run(database, ALICE, run) == run
    row = run_row(database, run)
    assert (row["state_type"], row["state_message"], row["version"]) == ("CANCELLED", "not needed", 2)
    assert claim(database, enrol(database)) == []


def test_cancel_of_a_running_run_is_told_to_it(database: Database) -> None:
    run, _ = begun(database)
    cancel_run(database, ALICE, run, ChangeFlowRun(reason="not needed"))
    assert run_row(database, run)["state_type"] == "CANCELLING"
    answer = send(database, run, 0)
    assert (answer.cancel, answer.cancel_reason) == (True, "not needed")
    last = send(database, run, 1, flow("CANCELLED", "Cancelled"))
    assert (last.cancel, last.cancel_reason) == (False, "")
    row = run_row(database, run)
    assert (row["state_type"], row["version"]) == ("CANCELLED", 5)
    assert runs.begin(database, RUN, run, Begin(attempt=1)).verdict == "refused"
    check_histories(database)


def test_a_finished_run_is_not_cancelled(database: Database) -> None:
    run, _ = begun(database)
    send(database, run, 1, flow("SUCCESS", "Success"))
    with pytest.raises(Conflict, match="already ended as Success"):
        cancel_run(database, ALICE, run)


@pytest.mark.parametrize("value", ["a\0b", ["\0"], {"k": ["\0"]}, {"\0": 1}])
def test_a_value_with_nul_is_refused_rather_than_changed(database: Database, value: object) -> None:
    sentence = "Parameter 't' contains a NUL character, which the server can't store; remove it."
    flow_id = register(database, parameters=[{"name": "t", "required": True, "schema": {}}]).flow_id
    with pytest.raises(Invalid, match=sentence):
        create(database, flow_id, parameters={"t": value})
    with pytest.raises(Invalid, match=sentence):
        register(database, parameters=[{"name": "t", "required": False, "default": value, "schema": {}}])
    with pytest.raises(Invalid, match=sentence):
        create_schedule(database, ALICE, flow_id, MINUTELY | {"parameters": {"t": value}})
    create(database, flow_id, parameters={"t": "\\u0000"})


def test_names_with_nul_are_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="unprintable characters"):
        create(database, register(database).flow_id, name="a\0b")


def test_a_run_that_was_planned_long_before_is_listed_by_when_it_was_due(database: Database) -> None:
    flow_id = register(database).flow_id
    at = kit_clock.now()
    planned = create(database, flow_id, scheduled_time=at + timedelta(minutes=10))
    earlier = create(database, flow_id, scheduled_time=at)
    with database.read() as session:
        first = run_lists.page(session, RunFilter(), 1, None, at + timedelta(minutes=20))
        second = run_lists.page(session, RunFilter(), 1, first.next, at + timedelta(minutes=20))
    assert [row.id for row in (*first.rows, *second.rows)] == [planned, earlier]
    assert second.next is None
