"""What people do with runs: restart from a task, mark, start now, edit, delete. Each once, with a reason, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from appliance.protocol.flow_runs import ChangeFlowRun, EditFlowRun, MarkFlowRun, RestartFlowRun
from appliance.server.actions import schedules
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.flow_runs.edit import edit_run
from appliance.server.actions.flow_runs.mark import mark_run
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.actions.flow_runs.start_now import start_run_now
from appliance.server.db.session import Database
from appliance.server.errors import Conflict, Invalid, NotFound
from tests.integration.builders import (
    ALICE,
    MINUTELY,
    N,
    begun,
    check_histories,
    claim,
    create,
    enrol,
    flow,
    line,
    one,
    register,
    rows,
    run_row,
    send,
    task,
)
from tests.integration.conftest import StoppedClock
from tests.integration.test_attempts import again, awaiting, failed, paused, tasks


def succeeded(db: Database, **parts: Any) -> tuple[UUID, UUID]:
    """A run of three mapped children that has succeeded, and the agent that had it."""
    registered = register(db, **parts)
    run, agent = create(db, registered.flow_id), enrol(db)
    again(db, run, agent, 1)
    children = [task("load-1", "SUCCESS", "Success", map_index=index, result_location=f"r/{index}") for index in (0, 1)]
    send(
        db,
        run,
        1,
        task("extract-1", "SUCCESS", "Success", result_location="r/e"),
        task("load-1", "SUCCESS", "Mapped"),
        *children,
        line("done"),
        flow("SUCCESS", "Success"),
    )
    return run, agent


def scheduled(db: Database, clock: StoppedClock) -> UUID:
    """A run that is due in an hour."""
    return create(db, register(db).flow_id, scheduled_time=clock.time + timedelta(hours=1))


# --- restart from a task


def test_a_restart_from_a_task_runs_it_and_what_follows_with_other_parameters(database: Database) -> None:
    run, agent = succeeded(database, parameters=[N])
    restart_run(database, ALICE, run, RestartFlowRun(reason="wrong day", from_task="load-1", parameters={"n": 7}))
    row = run_row(database, run)
    assert row["state_message"] == "Restarted from load-1 by alice: wrong day"
    assert tasks(database) == {
        ("extract-1", -1): "Success",
        **{("load-1", index): "Pending" for index in (-1, 0, 1)},
    }
    found = again(database, run, agent, 2)
    assert found.parameters == {"n": 7}
    assert {one.task_slug: one.result_location for one in found.tasks if one.type == "SUCCESS"} == {"extract-1": "r/e"}
    check_histories(database)


def test_a_restart_from_the_first_task_runs_all(database: Database) -> None:
    run, _ = succeeded(database)
    restart_run(database, ALICE, run, RestartFlowRun(from_task="extract-1"))
    assert set(tasks(database).values()) == {"Pending"}


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (RestartFlowRun(from_task="lode-1"), "has no task 'lode-1'; did you mean 'load-1'"),
        (RestartFlowRun(from_task="load-1", parameters={"n": "x"}), "Parameter 'n' must be an integer"),
        (RestartFlowRun(from_task="load-1", parameters={"m": 1}), "no parameter 'm'; it has 'n'"),
    ],
)
def test_a_restart_that_can_not_be_changes_nothing(database: Database, how: RestartFlowRun, sentence: str) -> None:
    run, _ = succeeded(database, parameters=[N])
    with pytest.raises(Invalid, match=sentence):
        restart_run(database, ALICE, run, how)
    assert run_row(database, run)["state_type"] == "SUCCESS"
    assert "Pending" not in tasks(database).values()


# --- mark


@pytest.mark.parametrize(
    ("state", "type"),
    [("Success", "SUCCESS"), ("Failed", "FAILED"), ("Cancelled", "CANCELLED"), ("Skipped", "CANCELLED")],
)
def test_a_scheduled_run_is_marked(database: Database, clock: StoppedClock, state: str, type: str) -> None:
    run = scheduled(database, clock)
    mark_run(database, ALICE, run, MarkFlowRun(state=state, reason="done by hand"))
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"], row["attempt"]) == (type, state, 0)
    assert row["state_message"] == f"Marked as {state} by alice: done by hand"
    assert row["end_time"] is not None
    clock.move(7200)
    assert claim(database, enrol(database)) == []
    check_histories(database)


def test_what_had_ended_stays_as_it_was_in_its_attempt(database: Database) -> None:
    run, agent = failed(database)
    ended = run_row(database, run)["end_time"]
    mark_run(database, ALICE, run, MarkFlowRun(state="Success", reason="repaired by hand", idempotency_key="k1"))
    row = run_row(database, run)
    assert (row["state_type"], row["attempt"], row["end_time"]) == ("SUCCESS", 2, ended)
    history = rows(database, "select attempt, name from flow_run_state where version > 3 order by version")
    assert [(state["attempt"], state["name"]) for state in history] == [(1, "Failed"), (2, "Success")]
    mark_run(database, ALICE, run, MarkFlowRun(state="Failed"))
    mark_run(database, ALICE, run, MarkFlowRun(state="Success", reason="repaired by hand", idempotency_key="k1"))
    assert run_row(database, run)["state_name"] == "Failed"
    restart_run(database, ALICE, run)
    again(database, run, agent, 4)
    check_histories(database)


def test_a_live_run_is_not_marked(database: Database) -> None:
    run, _ = begun(database)
    with pytest.raises(Conflict, match="The run is Running; cancel it first"):
        mark_run(database, ALICE, run, MarkFlowRun(state="Success"))
    with pytest.raises(Conflict, match="cancel it first"):
        mark_run(database, ALICE, run, MarkFlowRun(state="Success", task_slug="extract-1", map_index=-1))
    with pytest.raises(Invalid, match="Success, Failed, Cancelled, Skipped, not as 'Running'"):
        mark_run(database, ALICE, run, MarkFlowRun(state="Running"))


def test_a_marked_task_is_not_run_again(database: Database) -> None:
    run, agent = failed(database)
    mark_run(
        database,
        ALICE,
        run,
        MarkFlowRun(state="Success", task_slug="load-1", map_index=1, reason="loaded by hand", idempotency_key="t1"),
    )
    assert tasks(database)["load-1", 1] == "Success"
    assert run_row(database, run)["state_type"] == "FAILED"
    restart_run(database, ALICE, run)
    found = again(database, run, agent, 2)
    marked = next(one for one in found.tasks if one.map_index == 1)
    assert (marked.type, marked.result_location, marked.message) == (
        "SUCCESS",
        "",
        "Marked as Success by alice: loaded by hand",
    )
    check_histories(database)


def test_a_task_is_marked_once_under_a_key(database: Database) -> None:
    run, _ = failed(database)
    for state, key in (("Success", "t1"), ("Skipped", "t2"), ("Success", "t1")):
        mark_run(database, ALICE, run, MarkFlowRun(state=state, task_slug="load-1", map_index=1, idempotency_key=key))
    assert tasks(database)["load-1", 1] == "Skipped"
    with pytest.raises(NotFound, match=r"no task run load-1\[9\]"):
        mark_run(database, ALICE, run, MarkFlowRun(state="Success", task_slug="load-1", map_index=9))


# --- start now


def test_a_scheduled_run_is_due_now(database: Database, clock: StoppedClock) -> None:
    run, agent = scheduled(database, clock), enrol(database)
    assert claim(database, agent) == []
    start_run_now(database, ALICE, run, ChangeFlowRun(reason="no need to wait"))
    assert run_row(database, run)["state_message"] == "Started now by alice: no need to wait"
    again(database, run, agent, 1)
    check_histories(database)


def test_a_run_that_waits_to_try_again_tries_now(database: Database, clock: StoppedClock) -> None:
    run, agent = awaiting(database, clock)
    start_run_now(database, ALICE, run)
    found = again(database, run, agent, 2)
    waited = next(one for one in found.tasks if one.task_slug == "load-1")
    assert waited.name == "AwaitingRetry"
    assert waited.data["start_time"].startswith(f"{clock.time:%Y-%m-%dT%H:%M:%S}")
    check_histories(database)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda db: begun(db)[0], "The run is Running; only"),
        (lambda db: failed(db)[0], "The run is Failed; only"),
        (lambda db: paused(db)[0], "The run is paused; resume it"),
    ],
)
def test_what_is_not_scheduled_is_not_started_now(
    database: Database, make: Callable[[Database], UUID], sentence: str
) -> None:
    run = make(database)
    with pytest.raises(Conflict, match=sentence):
        start_run_now(database, ALICE, run)


# --- edit


def test_a_run_that_has_not_started_is_edited(database: Database, clock: StoppedClock) -> None:
    run, soon = scheduled(database, clock), clock.time + timedelta(minutes=5)
    wanted = EditFlowRun(name="urgent", labels=["gpu", "big"], priority=7, scheduled_time=soon)
    edit_run(database, ALICE, run, replace(wanted, reason="the boss asks", idempotency_key="e1"))
    row = run_row(database, run)
    assert (row["name"], row["priority"], row["version"]) == ("urgent", 7, 2)
    assert row["state_message"] == "Edited (labels, name, priority, scheduled_time) by alice: the boss asks"
    edit_run(database, ALICE, run, EditFlowRun(priority=1))
    edit_run(database, ALICE, run, replace(wanted, reason="the boss asks", idempotency_key="e1"))
    assert run_row(database, run)["priority"] == 1
    clock.move(301)
    assert [work.name for work in claim(database, enrol(database, labels=["big", "gpu"]))] == ["urgent"]
    check_histories(database)


def test_an_edit_of_what_has_changed_meanwhile_is_refused(database: Database, clock: StoppedClock) -> None:
    run = scheduled(database, clock)
    edit_run(database, ALICE, run, EditFlowRun(priority=1, version=1))
    with pytest.raises(Conflict, match="has changed since you looked"):
        edit_run(database, ALICE, run, EditFlowRun(priority=2, version=1))
    with pytest.raises(Conflict, match="has changed since you looked"):
        delete_run(database, ALICE, run, ChangeFlowRun(version=1))
    assert run_row(database, run)["priority"] == 1


@pytest.mark.parametrize(
    "wanted", [EditFlowRun(), EditFlowRun(priority=5000), EditFlowRun(name=" "), EditFlowRun(labels=[""])]
)
def test_an_edit_that_makes_no_sense_is_refused(database: Database, clock: StoppedClock, wanted: EditFlowRun) -> None:
    run = scheduled(database, clock)
    with pytest.raises(Invalid):
        edit_run(database, ALICE, run, wanted)
    assert run_row(database, run)["version"] == 1


def test_what_has_started_is_not_edited(database: Database, clock: StoppedClock) -> None:
    for run in (begun(database)[0], awaiting(database, clock)[0]):
        with pytest.raises(Conflict, match="has started"):
            edit_run(database, ALICE, run, EditFlowRun(priority=1))


def test_an_edited_run_of_a_schedule_outlives_a_new_plan(database: Database, clock: StoppedClock) -> None:
    register(database, schedules=[MINUTELY])
    edited, untouched = (row["id"] for row in rows(database, "select id from flow_run order by due_at limit 2"))
    edit_run(database, ALICE, UUID(str(edited)), EditFlowRun(priority=3))
    schedule = one(database, "select id from schedule")["id"]
    schedules.edit(database, ALICE, UUID(str(schedule)), parameters={})
    kept = {row["id"] for row in rows(database, "select id from flow_run")}
    assert edited in kept and untouched not in kept and len(kept) == 10
    check_histories(database)


# --- delete


@pytest.mark.parametrize("make", [scheduled, lambda db, _clock: succeeded(db)[0], lambda db, _clock: paused(db)[0]])
def test_a_deleted_run_is_gone_with_all_that_belongs_to_it(
    database: Database, clock: StoppedClock, make: Callable[[Database, StoppedClock], UUID]
) -> None:
    run = make(database, clock)
    for _ in range(2):
        delete_run(database, ALICE, run, ChangeFlowRun(reason="tidying up", idempotency_key="d1"))
    for table in ("flow_run", "flow_run_state", "task_run", "task_run_state", "log"):
        assert rows(database, f"select * from {table}") == []
    told = rows(database, "select actor from event where kind = 'flow_run.deleted'")
    assert [event["actor"] for event in told] == ["alice"]
    with pytest.raises(NotFound):
        delete_run(database, ALICE, run)


def test_a_live_run_is_not_deleted(database: Database) -> None:
    run, _ = begun(database)
    with pytest.raises(Conflict, match="The run is Running; cancel it, then delete it"):
        delete_run(database, ALICE, run)
    assert run_row(database, run)["state_type"] == "RUNNING"


def test_a_deleted_due_time_is_a_recorded_skip_and_gets_no_run_again(database: Database, clock: StoppedClock) -> None:
    register(database, schedules=[MINUTELY])
    first = one(database, "select id, due_at, schedule_id from flow_run order by due_at limit 1")
    delete_run(database, ALICE, UUID(str(first["id"])), ChangeFlowRun(reason="not today"))
    schedules.edit(database, ALICE, UUID(str(first["schedule_id"])), parameters={})
    due = [row["due_at"] for row in rows(database, "select due_at from flow_run order by due_at")]
    assert first["due_at"] not in due and len(due) == 10
    skip = one(database, "select first, last, count, code, reason from schedule_skip")
    assert (skip["first"], skip["last"], skip["count"], skip["code"]) == (
        first["due_at"],
        first["due_at"],
        1,
        "deleted",
    )
    assert skip["reason"] == "Deleted by alice: not today"


# --- all


def test_a_cancel_is_done_once_under_its_key(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    cancel_run(database, ALICE, run, ChangeFlowRun(idempotency_key="c1"))
    send(database, run, 1, flow("CANCELLED", "Cancelled"))
    restart_run(database, ALICE, run)
    cancel_run(database, ALICE, run, ChangeFlowRun(idempotency_key="c1"))
    again(database, run, agent, 2)


@pytest.mark.parametrize(
    "act",
    [
        lambda db, run: mark_run(db, ALICE, run, MarkFlowRun(state="Success")),
        lambda db, run: mark_run(db, ALICE, run, MarkFlowRun(state="Success", task_slug="x", map_index=-1)),
        lambda db, run: start_run_now(db, ALICE, run),
        lambda db, run: edit_run(db, ALICE, run, EditFlowRun(priority=1)),
        lambda db, run: delete_run(db, ALICE, run),
    ],
)
def test_a_run_that_does_not_exist(database: Database, act: Callable[[Database, UUID], Any]) -> None:
    with pytest.raises(NotFound, match="no such run"):
        act(database, uuid4())
