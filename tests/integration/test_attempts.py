"""Runs of several attempts: handed back for a long retry or a pause, resumed, paused and restarted by people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from appliance.kit import clock as kit_clock
from appliance.protocol.flow_runs import ChangeFlowRun, RestartFlowRun, ResumeFlowRun
from appliance.protocol.run_protocol import Begin, Begun
from appliance.server.actions import repair
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.actions.flow_runs.resume import resume_run
from appliance.server.db.session import Database
from appliance.server.errors import Conflict, Invalid, NotFound, StaleAttempt
from tests.integration.builders import (
    ALICE,
    RUN,
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
from tests.integration.server_fixtures import Site


def later(clock: StoppedClock, seconds: float = 3600) -> str:
    return kit_clock.isoformat(clock.time + timedelta(seconds=seconds))


def again(db: Database, run: UUID, agent: UUID, attempt: int) -> Begun:
    """The next attempt has begun."""
    assert [(work.flow_run_id, work.attempt) for work in claim(db, agent)] == [(run, attempt)]
    found = runs.begin(db, RUN, run, Begin(attempt=attempt))
    assert found.verdict == "go"
    return found


def awaiting(db: Database, clock: StoppedClock) -> tuple[UUID, UUID]:
    """A run that was handed back for an hour, and the agent that had it."""
    run, agent = begun(db)
    retry = {"start_time": later(clock), "run_count": 2}
    send(
        db,
        run,
        1,
        task("extract-1", "SUCCESS", "Success", result_location="r/1", data={"result_sha256": "ab"}, run_count=1),
        task("load-1", "SCHEDULED", "AwaitingRetry", data=retry, run_count=2),
        flow("SCHEDULED", "AwaitingRetry", message="Tries again.", data={"start_time": later(clock)}),
    )
    return run, agent


def paused(db: Database, **data: Any) -> tuple[UUID, UUID]:
    """A run that is paused, for two mapped children, and the agent that had it."""
    run, agent = begun(db)
    children = [task("load-1", "PAUSED", "Paused", map_index=index) for index in range(2)]
    send(db, run, 1, task("extract-1", "SUCCESS", "Success", result_location=""), *children)
    send(db, run, 2, flow("PAUSED", "Paused", message="Waits for a person.", data=data or None))
    return run, agent


def failed(db: Database) -> tuple[UUID, UUID]:
    """A run that has failed in one of three mapped children, and the agent that had it."""
    run, agent = begun(db)
    send(
        db,
        run,
        1,
        task("extract-1", "SUCCESS", "Success", result_location="r/1"),
        task("load-1", "SUCCESS", "Mapped"),
        *[task("load-1", "SUCCESS", "Success", map_index=index, result_location=f"r/{index}") for index in (0, 2)],
        task("load-1", "FAILED", "Failed", map_index=1, run_count=3),
        flow("FAILED", "Failed", message="Some reference tasks failed."),
    )
    return run, agent


def tasks(db: Database) -> dict[tuple[str, int], str]:
    found = rows(db, "select task_slug, map_index, state_name from task_run")
    return {(row["task_slug"], row["map_index"]): row["state_name"] for row in found}


# --- long retries


def test_a_run_that_is_handed_back_belongs_to_nobody_and_waits_for_its_time(
    database: Database, clock: StoppedClock
) -> None:
    run, _ = awaiting(database, clock)
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"], row["state_message"]) == (
        "SCHEDULED",
        "AwaitingRetry",
        "Tries again.",
    )
    assert (row["agent_id"], row["lease_expires_at"], row["end_time"]) == (None, None, None)
    assert row["scheduled_time"] > row["due_at"]
    events = rows(database, "select data from event where kind = 'flow_run.state'")
    assert len(events) == row["version"] == 4
    assert tasks(database) == {("extract-1", -1): "Success", ("load-1", -1): "AwaitingRetry"}
    check_histories(database)


def test_the_attempt_that_handed_back_is_told_so_again_but_can_do_nothing_more(
    database: Database, clock: StoppedClock
) -> None:
    run, _ = awaiting(database, clock)
    answer = send(database, run, 1, line("the answer to this was lost"))
    assert (answer.acked, answer.cancel) == (1, True)
    with pytest.raises(StaleAttempt, match="AwaitingRetry"):
        send(database, run, 2, task("load-1", "RUNNING", "Running"))
    assert runs.begin(database, RUN, run, Begin(attempt=1)).verdict == "refused"
    assert rows(database, "select id from log") == []


def test_an_agent_gets_it_when_it_is_due_as_a_new_attempt_that_knows_the_earlier_one(
    database: Database, clock: StoppedClock
) -> None:
    due = clock.time
    run, agent = awaiting(database, clock)
    clock.move(3599)
    assert claim(database, agent) == []
    clock.move(2)
    found = again(database, run, agent, 2)
    assert {(one.task_slug, one.name, one.run_count, one.result_location) for one in found.tasks} == {
        ("extract-1", "Success", 1, "r/1"),
        ("load-1", "AwaitingRetry", 2, None),
    }
    assert found.scheduled_time == due  # what its code calls today is no other day now
    with pytest.raises(StaleAttempt, match="Attempt 1 was replaced by attempt 2"):
        send(database, run, 2, line("late"))
    send(database, run, 1, task("load-1", "SUCCESS", "Success", run_count=3), flow("SUCCESS", "Success"), attempt=2)
    assert tasks(database) == {("extract-1", -1): "Success", ("load-1", -1): "Success"}
    check_histories(database)


def test_a_time_that_is_none_is_refused(database: Database) -> None:
    run, _ = begun(database)
    for wrong in ("soon", 5, "2026-01-31T06:00:00"):
        with pytest.raises(Invalid, match="start time"):
            send(database, run, 1, flow("SCHEDULED", "AwaitingRetry", data={"start_time": wrong}))
    assert run_row(database, run)["state_type"] == "RUNNING"


@pytest.mark.parametrize("make", [lambda db, clock: awaiting(db, clock), lambda db, _clock: paused(db)])
def test_what_waits_is_cancelled_at_once_with_its_tasks(database: Database, clock: StoppedClock, make: Any) -> None:
    run, agent = make(database, clock)
    cancel_run(database, ALICE, run, ChangeFlowRun(reason="enough"))
    row = run_row(database, run)
    assert (row["state_type"], row["state_message"]) == ("CANCELLED", "enough")
    assert set(tasks(database).values()) == {"Success", "Cancelled"}
    clock.move(7200)
    assert claim(database, agent) == []
    check_histories(database)


def test_a_run_that_was_asked_to_stop_is_not_handed_back(database: Database, clock: StoppedClock) -> None:
    run, _ = begun(database)
    cancel_run(database, ALICE, run)
    send(database, run, 1, flow("SCHEDULED", "AwaitingRetry", data={"start_time": later(clock)}))
    assert run_row(database, run)["state_type"] == "CANCELLING"


# --- pauses


def test_a_paused_run_waits_for_a_person_however_long(database: Database, clock: StoppedClock) -> None:
    run, agent = paused(database)
    clock.move(30 * 24 * 3600)
    assert claim(database, agent) == []
    assert repair.silent_runs(database, clock.time) == []
    row = run_row(database, run)
    assert (row["state_type"], row["agent_id"], row["lease_expires_at"]) == ("PAUSED", None, None)
    check_histories(database)


def test_resuming_lets_its_tasks_go_on_in_a_new_attempt(database: Database) -> None:
    run, agent = paused(database)
    resume_run(database, ALICE, run, ResumeFlowRun(reason="looks good"))
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"]) == ("SCHEDULED", "Resume")
    assert row["state_message"] == "Resumed by alice: looks good"
    assert tasks(database) == {("extract-1", -1): "Success", ("load-1", 0): "Resume", ("load-1", 1): "Resume"}
    resume_run(database, ALICE, run)  # somebody else has the same idea
    assert run_row(database, run)["version"] == row["version"]
    found = again(database, run, agent, 2)
    assert {(item.name, item.result_location) for item in found.tasks} == {("Success", ""), ("Resume", None)}
    check_histories(database)


def test_one_task_is_approved_and_the_others_stay_paused(database: Database) -> None:
    run, agent = paused(database)
    resume_run(database, ALICE, run, ResumeFlowRun(task_slug="load-1", map_index=1))
    assert tasks(database) == {("extract-1", -1): "Success", ("load-1", 0): "Paused", ("load-1", 1): "Resume"}
    resume_run(database, ALICE, run, ResumeFlowRun(task_slug="load-1", map_index=0))  # before anybody has taken it
    assert tasks(database)["load-1", 0] == "Resume"
    again(database, run, agent, 2)
    with pytest.raises(Conflict, match="not paused"):
        resume_run(database, ALICE, run, ResumeFlowRun(task_slug="load-1"))
    check_histories(database)


def test_a_task_that_is_not_paused_can_not_be_approved(database: Database) -> None:
    run, _ = paused(database)
    for slug, index, named in (("extract-1", None, "extract-1"), ("load-1", 7, r"load-1\[7\]"), ("x", None, "x")):
        with pytest.raises(Conflict, match=f"The task {named} of this run is not paused"):
            resume_run(database, ALICE, run, ResumeFlowRun(task_slug=slug, map_index=index))
    assert run_row(database, run)["state_type"] == "PAUSED"


def test_a_pause_with_an_end_goes_on_by_itself(database: Database, clock: StoppedClock) -> None:
    run, agent = paused(database, start_time=later(clock))
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"]) == ("SCHEDULED", "Paused")
    clock.move(3599)
    assert claim(database, agent) == []
    clock.move(2)
    again(database, run, agent, 2)
    check_histories(database)


def test_a_pause_with_an_end_can_be_cut_short(database: Database, clock: StoppedClock) -> None:
    run, agent = paused(database, start_time=later(clock))
    resume_run(database, ALICE, run)
    assert tasks(database)["load-1", 0] == "Resume"
    again(database, run, agent, 2)


def test_a_scheduled_run_is_held_until_it_is_resumed(database: Database, clock: StoppedClock) -> None:
    soon, run_agent = clock.time + timedelta(hours=1), enrol(database)
    run = create(database, register(database).flow_id, scheduled_time=soon)
    pause_run(database, ALICE, run, ChangeFlowRun(reason="wait for the audit"))
    pause_run(database, ALICE, run)
    assert run_row(database, run)["state_message"] == "Paused by alice: wait for the audit"
    clock.move(600)
    resume_run(database, ALICE, run)
    assert claim(database, run_agent) == []  # its time has not come
    clock.move(3600)
    again(database, run, run_agent, 1)
    with pytest.raises(Conflict, match="only a scheduled run can be paused"):
        pause_run(database, ALICE, run)
    check_histories(database)


def test_what_is_not_paused_can_not_be_resumed(database: Database) -> None:
    run, _ = begun(database)
    with pytest.raises(Conflict, match="The run is Running, not paused"):
        resume_run(database, ALICE, run)
    with pytest.raises(NotFound):
        resume_run(database, ALICE, UUID(int=1))


# --- restarts


def test_a_restart_runs_again_what_did_not_succeed(database: Database) -> None:
    run, agent = failed(database)
    restart_run(database, ALICE, run, RestartFlowRun(reason="the disk was full"))
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"], row["end_time"]) == ("SCHEDULED", "Scheduled", None)
    assert row["state_message"] == "Restarted by alice: the disk was full"
    assert row["run_token_hash"] is None
    child = one(database, "select * from task_run where map_index = 1")
    assert (child["state_type"], child["run_count"], child["end_time"]) == ("PENDING", 0, None)
    assert {key for key, name in tasks(database).items() if name == "Pending"} == {("load-1", 1)}
    found = again(database, run, agent, 2)
    assert {(item.map_index, item.result_location) for item in found.tasks if item.type == "SUCCESS"} == {
        *{(-1, "r/1"), (-1, None)},
        *{(0, "r/0"), (2, "r/2")},
    }
    send(database, run, 1, task("load-1", "SUCCESS", "Success", map_index=1), flow("SUCCESS", "Success"), attempt=2)
    assert run_row(database, run)["attempt"] == 2
    check_histories(database)


def test_a_restart_under_the_same_key_happens_once(database: Database) -> None:
    run, agent = failed(database)
    for _ in range(3):
        restart_run(database, ALICE, run, RestartFlowRun(idempotency_key="k"))
    version = run_row(database, run)["version"]
    again(database, run, agent, 2)
    send(database, run, 1, flow("FAILED", "Failed"), attempt=2)
    restart_run(database, ALICE, run, RestartFlowRun(idempotency_key="k"))  # sent long ago, arrived now
    assert run_row(database, run)["version"] == version + 3
    restart_run(database, ALICE, run, RestartFlowRun(idempotency_key="another"))
    assert run_row(database, run)["state_type"] == "SCHEDULED"
    with pytest.raises(Invalid, match="idempotency key"):
        restart_run(database, ALICE, run, RestartFlowRun(idempotency_key=""))
    check_histories(database)


def test_a_crashed_run_is_restarted_with_the_tasks_that_were_at_work(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    send(database, run, 1, task("extract-1", "RUNNING", "Running", run_count=1))
    clock.move(91)
    assert repair.fix_silent(database, run, now=clock.time) == "FAILED"
    assert tasks(database) == {("extract-1", -1): "Crashed"}
    restart_run(database, ALICE, run)
    assert tasks(database) == {("extract-1", -1): "Pending"}
    again(database, run, agent, 2)
    check_histories(database)


def test_a_cancelled_run_and_a_success_with_failed_tasks_are_restarted(database: Database) -> None:
    run, agent = begun(database)
    send(database, run, 1, task("extract-1", "FAILED", "Failed"), flow("SUCCESS", "Success"))
    restart_run(database, ALICE, run)
    again(database, run, agent, 2)
    cancel_run(database, ALICE, run)
    send(database, run, 1, flow("CANCELLED", "Cancelled"), attempt=2)
    restart_run(database, ALICE, run)
    row = run_row(database, run)
    assert row["cancel_requested"] in (0, False)
    again(database, run, agent, 3)
    check_histories(database)


def test_a_restart_takes_the_mended_flow_when_asked(database: Database) -> None:
    run, agent = failed(database)
    before = run_row(database, run)["flow_version_id"]
    newer = register(database, content="mended", parameters=[N])
    restart_run(database, ALICE, run, RestartFlowRun(newest_version=True))
    row = run_row(database, run)
    assert row["flow_version_id"] != before
    again(database, run, agent, 2)
    send(database, run, 1, flow("FAILED", "Failed"), attempt=2)
    required = {"name": "m", "required": True, "schema": {"type": "integer"}}
    register(database, content="with a new parameter", parameters=[required])
    with pytest.raises(Invalid, match="m"):
        restart_run(database, ALICE, run, RestartFlowRun(newest_version=True))
    restart_run(database, ALICE, run)
    assert run_row(database, run)["flow_version_id"] == row["flow_version_id"]
    assert newer.version == 2


def test_a_run_that_waits_for_its_next_attempt_stays_on_the_lists(site: Site, clock: StoppedClock) -> None:
    run, _ = awaiting(site.database, clock)
    planned = create(site.database, register(site.database).flow_id, scheduled_time=clock.time + timedelta(hours=2))
    found = [item["id"] for item in site.get("/api/v1/flow-runs").json()["items"]]
    assert found == [str(run)]
    query = "{ flows { items { nextRun { id } } } }"
    shown = site.data(query)["flows"]["items"][0]["nextRun"]
    assert shown == {"id": str(planned)}


def test_the_next_attempt_runs_over_what_an_earlier_one_left_behind(database: Database) -> None:
    run, agent = failed(database)
    restart_run(database, ALICE, run)
    again(database, run, agent, 2)
    send(database, run, 1, task("extract-1", "RUNNING", "Running"), attempt=2)
    assert one(database, "select result_location from task_run where task_slug = 'extract-1'") == {
        "result_location": None
    }


def _archived(db: Database) -> UUID:
    run, _ = failed(db)
    rows(db, "select 1")
    with db.write() as session:
        from sqlalchemy import text

        session.execute(text("update flow set archived = true"))
    return run


def _succeeded(db: Database) -> UUID:
    run, _ = begun(db)
    send(db, run, 1, task("extract-1", "SUCCESS", "Success"), flow("SUCCESS", "Success"))
    return run


def _never_started(db: Database) -> UUID:
    run = create(db, register(db).flow_id)
    cancel_run(db, ALICE, run)
    return run


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda db: begun(db)[0], "The run is still Running; wait for its end, or cancel it first."),
        (lambda db: paused(db)[0], "The run is paused, not over; resume it instead."),
        (lambda db: create(db, register(db).flow_id), "The run is scheduled, so there is nothing to restart"),
        (_never_started, "The run never started, so there is nothing to restart; create a new run."),
        (
            _succeeded,
            "No task of the run has failed; name the task to restart from, or create a new run to run all of it again.",
        ),
        (_archived, "The run's flow is archived"),
    ],
)
def test_what_can_not_be_restarted_says_why(database: Database, make: Any, sentence: str) -> None:
    run = make(database)
    before = run_row(database, run)
    with pytest.raises(Conflict, match=sentence):
        restart_run(database, ALICE, run)
    assert run_row(database, run) == before


# --- the doors


def test_rest(site: Site) -> None:
    run, _ = failed(site.database)
    path = f"/api/v1/flow-runs/{run}"
    answer = site.post(f"{path}/restart", {"reason": "once more", "idempotency_key": "1"})
    assert (answer.status_code, answer.json()["state_message"]) == (200, "Restarted by operator: once more")
    assert site.post(f"{path}/restart", {"reason": "once more", "idempotency_key": "1"}).json() == answer.json()
    assert site.post(f"{path}/restart", {"idempotency_key": "1"}).json()["code"] == "key_reused"
    assert site.post(f"{path}/restart", {}).json()["code"] == "conflict"
    assert site.post(f"{path}/pause", {"reason": "later"}).json()["state_type"] == "PAUSED"
    assert site.post(f"{path}/resume", {"task_slug": "load-1"}).status_code == 409
    assert site.post(f"{path}/resume", {}).json()["state"] == "Scheduled"
    assert site.post(f"{path}/restart", {"why": "x"}).status_code == 400


def test_graphql(site: Site) -> None:
    run, _ = failed(site.database)

    def change(verb: str, **fields: Any) -> Any:
        query = (
            f"mutation($i: {verb[0].upper()}{verb[1:]}Input!)"
            f" {{ {verb}(input: $i) {{ flowRun {{ waitReason state {{ name message }} }} }} }}"
        )
        return site.data(query, i={"flowRunId": str(run), **fields})[verb]["flowRun"]

    assert change("restartFlowRun", reason="x")["state"] == {
        "name": "Scheduled",
        "message": "Restarted by operator: x",
    }
    held = change("pauseFlowRun")
    assert (held["state"]["name"], held["waitReason"]) == ("Paused", "Paused by operator. Resume it to continue.")
    assert change("resumeFlowRun")["state"]["name"] == "Scheduled"
