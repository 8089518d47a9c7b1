"""Jobs: one thing done to many runs, in batches that survive a crash, with progress, refusals and a cancel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from appliance.kit import clock as kit_clock
from appliance.kit import crash
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.jobs import Bulk
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.verbs import VERBS
from appliance.server.actions import bulk, jobs
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import jobs as reads
from appliance.server.db.session import Database
from appliance.server.db.writes import jobs as writes
from appliance.server.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.server.services.jobs import Jobs
from tests.integration.builders import ALICE, begun, check_histories, create, register, rows
from tests.integration.conftest import StoppedClock

ETL = RunFilter(flow="etl", include_future=True)


def many(db: Database, number: int, name: str = "etl") -> list[UUID]:
    flow = register(db, name).flow_id
    return [create_run(db, ALICE, CreateFlowRun(flow_id=flow)).id for _ in range(number)]


def job(db: Database, job_id: UUID) -> Any:
    with db.read() as session:
        return reads.get(session, job_id)


def states(db: Database) -> dict[str, int]:
    found = rows(db, "select state_name, count(*) as runs from flow_run group by state_name")
    return {row["state_name"]: row["runs"] for row in found}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten at once, in batches of three."""
    monkeypatch.setattr(jobs, "AT_ONCE", 10)
    monkeypatch.setattr(bulk, "BATCH", 3)


def test_few_runs_are_dealt_with_at_once(database: Database, small: None) -> None:
    many(database, 7)
    others = many(database, 2, "other")
    made = job(database, jobs.create_bulk(database, ALICE, Bulk(action="cancel", filter=ETL, reason="not needed")))
    assert (made.state, made.total, made.done, made.refused) == ("done", 7, 7, 0)
    assert states(database) == {"Cancelled": 7, "Scheduled": 2}
    written = rows(database, "select distinct message, actor from flow_run_state where name = 'Cancelled'")
    assert [(row["message"], row["actor"]) for row in written] == [("not needed", "alice")]
    assert len(others) == 2
    check_histories(database)


def test_a_run_that_refuses_is_told_with_its_reason_and_stops_no_other(database: Database, small: None) -> None:
    live, _ = begun(database)
    runs = [live, uuid4(), *many(database, 2, "other")]
    made = job(database, jobs.create_bulk(database, ALICE, Bulk(action="delete", ids=runs)))
    assert (made.state, made.total, made.done, made.refused) == ("done", 4, 2, 2)
    reasons = {one["id"]: one["reason"] for one in made.progress["refusals"]}
    assert reasons[str(live)].startswith("The run is Running; cancel it")
    assert reasons[str(runs[1])].startswith("There is no such run")
    assert states(database) == {"Running": 1}


def test_many_runs_are_a_job_of_the_services(database: Database, small: None) -> None:
    many(database, 11)
    job_id = jobs.create_bulk(database, ALICE, Bulk(action="edit", filter=ETL, priority=7))
    assert job(database, job_id).state == "queued"
    counts = Jobs(database).run_once(kit_clock.now())
    assert (counts["steps"], counts["over"]) == (4, 1)
    made = job(database, job_id)
    assert (made.state, made.total, made.done) == ("done", 11, 11)
    assert {row["priority"] for row in rows(database, "select priority from flow_run")} == {7}
    check_histories(database)


def test_what_comes_later_is_not_part_of_it(database: Database, clock: StoppedClock, small: None) -> None:
    many(database, 11)
    job_id = jobs.create_bulk(database, ALICE, Bulk(action="cancel", filter=ETL))
    clock.move(1)
    late = many(database, 1)
    Jobs(database).run_once(clock.time)
    assert job(database, job_id).done == 11
    assert [row["id"] for row in rows(database, "select id from flow_run where state_name = 'Scheduled'")] == [
        late[0].hex if database.dialect == "sqlite" else late[0]
    ]


@pytest.mark.parametrize("where", ["job.step.applied", "job.step.committed"])
def test_a_crash_in_a_step_loses_nothing_and_repeats_nothing(database: Database, small: None, where: str) -> None:
    many(database, 11)
    job_id = jobs.create_bulk(database, ALICE, Bulk(action="edit", filter=ETL, priority=7))
    crash.arm(f"{where}:2:raise")
    try:
        with pytest.raises(crash.Crashed):
            for _ in range(9):
                jobs.step(database, job_id, kit_clock.now())
    finally:
        crash.arm("")
    Jobs(database).run_once(kit_clock.now())
    made = job(database, job_id)
    assert (made.state, made.done, made.refused) == ("done", 11, 0)
    assert {row["version"] for row in rows(database, "select version from flow_run")} == {2}
    check_histories(database)


def test_a_job_is_cancelled_and_what_it_did_stays(database: Database, small: None) -> None:
    many(database, 11)
    job_id = jobs.create_bulk(database, ALICE, Bulk(action="cancel", filter=ETL))
    jobs.step(database, job_id, kit_clock.now())
    for _ in range(2):
        jobs.cancel(database, ALICE, job_id)
    assert Jobs(database).run_once(kit_clock.now())["steps"] == 0
    made = job(database, job_id)
    assert (made.state, made.message, made.done) == ("cancelled", "Cancelled after 3 of 11 by alice.", 3)
    assert states(database) == {"Cancelled": 3, "Scheduled": 8}
    other = jobs.create_bulk(database, ALICE, Bulk(action="cancel", ids=[]))
    with pytest.raises(Conflict, match="already ended"):
        jobs.cancel(database, ALICE, other)
    with pytest.raises(NotFound):
        jobs.cancel(database, ALICE, uuid4())


def test_one_key_is_one_job(database: Database, small: None) -> None:
    many(database, 3)
    request = Bulk(action="edit", filter=ETL, priority=1, idempotency_key="k")
    first = jobs.create_bulk(database, ALICE, request)
    assert jobs.create_bulk(database, ALICE, request) == first
    assert {row["version"] for row in rows(database, "select version from flow_run")} == {2}


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (Bulk(action="cancel"), "by their ids or by a filter"),
        (Bulk(action="cancel", ids=[], filter=ETL), "by their ids or by a filter"),
        (Bulk(action="cancel", filter=RunFilter(include_future=True)), "has no condition"),
        (Bulk(action="mark", filter=ETL), "Name the state"),
        (Bulk(action="edit", filter=ETL), "Name what to change"),
        (Bulk(action="edit", filter=ETL, priority=9999), "priority"),
    ],
)
def test_a_request_that_makes_no_sense_makes_no_job(database: Database, request_: Bulk, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        jobs.create_bulk(database, ALICE, request_)
    assert rows(database, "select id from job") == []


def test_each_action_needs_its_own_permission(database: Database) -> None:
    with pytest.raises(Forbidden, match="runs:delete"):
        jobs.create_bulk(database, Actor("user", "carol", "viewer"), Bulk(action="delete", filter=ETL))


@pytest.mark.parametrize("action", sorted(VERBS))
def test_every_action_can_be_done_in_bulk(database: Database, clock: StoppedClock, action: Any) -> None:
    run = create(database, register(database).flow_id, scheduled_time=clock.time + timedelta(hours=1))
    request = Bulk(action=action, ids=[run], state="Skipped", priority=1)
    made = job(database, jobs.create_bulk(database, ALICE, request))
    assert made.state == "done"
    assert made.done == (action not in ("resume", "restart"))
    check_histories(database)


def test_a_job_that_fails_steps_aside(database: Database, small: None) -> None:
    many(database, 11)
    with database.write() as session:
        writes.add(session, writes.row("cancel", {"nonsense": True}, "alice", kit_clock.now()))
    good = jobs.create_bulk(database, ALICE, Bulk(action="cancel", filter=ETL))
    assert Jobs(database).run_once(kit_clock.now())["failed"] == 1
    assert job(database, good).state == "done"
    failed = rows(database, "select state, message from job where state <> 'done'")
    assert [row["state"] for row in failed] == ["failed"] and "internal error" in failed[0]["message"]


def test_old_jobs_are_forgotten(database: Database, clock: StoppedClock, small: None) -> None:
    many(database, 1)
    jobs.create_bulk(database, ALICE, Bulk(action="cancel", filter=ETL))
    clock.move(29 * 86_400)
    assert Jobs(database).run_once(clock.time)["forgotten"] == 0
    clock.move(2 * 86_400)
    assert Jobs(database).run_once(clock.time)["forgotten"] == 1
