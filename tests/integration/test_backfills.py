"""Backfills: the runs that due times of the past lack, at a bounded rate, and never one twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from appliance.kit import crash
from appliance.protocol.backfills import Backfill, BackfillRange
from appliance.server.actions import backfills, jobs, schedules
from appliance.server.actions.schedule_rows import Policy
from appliance.server.db.session import Database
from appliance.server.domain.backfills import room
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.services.jobs import Jobs
from appliance.server.services.scheduler import Scheduler
from tests.integration.builders import ALICE, MINUTELY, N, check_histories, claim, enrol, one, register, rows
from tests.integration.conftest import StoppedClock
from tests.integration.test_attempts import again
from tests.integration.test_jobs import job

HOURLY = {"kind": "cron", "cron": "0 * * * *", "timezone": "UTC"}


def schedule(db: Database, **parts: Any) -> UUID:
    register(db, schedules=[HOURLY], **parts)
    return UUID(str(one(db, "select id from schedule")["id"]))


def yesterday(clock: StoppedClock, hours: int = 5, **fields: Any) -> Backfill:
    """The first hours of the day before."""
    start = clock.time.replace(hour=0) - timedelta(days=1)
    return Backfill(start=start, end=start + timedelta(hours=hours), **fields)


def past(db: Database, before: datetime) -> list[dict[str, Any]]:
    return rows(
        db,
        "select * from flow_run where due_at < :before order by due_at",
        before=before.replace(tzinfo=None) if db.dialect == "sqlite" else before,
    )


def end_all(db: Database) -> None:
    with db.write() as session:
        session.connection().exec_driver_sql(
            "update flow_run set state_type = 'SUCCESS' where state_type = 'SCHEDULED'"
        )


def test_a_range_gets_its_runs_once(database: Database, clock: StoppedClock) -> None:
    request = yesterday(clock, schedule_id=schedule(database, parameters=[N]), parameters={"n": 5}, priority=-1)
    found = backfills.preview(database, request)
    assert (found.count, found.existing, found.first) == (5, 0, request.start)
    made = job(database, jobs.create_backfill(database, ALICE, request))
    assert (made.kind, made.state, made.total, made.done) == ("backfill", "done", 5, 5)
    runs = past(database, request.end)
    assert len(runs) == 5 and {run["priority"] for run in runs} == {-1}
    assert {str(run["scheduled_time"])[:16] for run in runs} == {f"{clock.time:%Y-%m-%d %H:%M}"}
    assert [run["created_by"] for run in runs] == ["alice"] * 5
    found = backfills.preview(database, request)
    assert (found.existing, found.existing_times[0]) == (5, request.start)
    again_ = job(database, jobs.create_backfill(database, ALICE, request))
    assert (again_.done, again_.refused) == (0, 5)
    assert len(past(database, request.end)) == 5
    check_histories(database)


def test_its_code_sees_the_due_time_that_it_stands_for(database: Database, clock: StoppedClock) -> None:
    request = yesterday(clock, 1, schedule_id=schedule(database))
    jobs.create_backfill(database, ALICE, request)
    run = UUID(str(past(database, request.end)[0]["id"]))
    assert again(database, run, enrol(database), 1).scheduled_time == request.start


def test_so_many_at_once_that_have_not_ended(database: Database, clock: StoppedClock) -> None:
    request = yesterday(clock, schedule_id=schedule(database), at_once=2)
    job_id = jobs.create_backfill(database, ALICE, request)
    service = Jobs(database)
    for made in (2, 4, 5):
        assert len(past(database, request.end)) == made
        assert job(database, job_id).done == made
        assert service.run_once(clock.time)["steps"] == 0 or made == 5
        end_all(database)
        service.run_once(clock.time)
    assert job(database, job_id).state == "done"


def test_so_many_in_a_minute(database: Database, clock: StoppedClock) -> None:
    request = yesterday(clock, schedule_id=schedule(database), per_minute=2)
    job_id = jobs.create_backfill(database, ALICE, request)
    service = Jobs(database)
    service.run_once(clock.move(30))
    assert len(past(database, request.end)) == 2
    service.run_once(clock.move(31))
    assert len(past(database, request.end)) == 4
    service.run_once(clock.move(61))
    assert (job(database, job_id).done, job(database, job_id).state) == (5, "done")


def test_runs_that_may_not_overlap_come_one_by_one(database: Database, clock: StoppedClock) -> None:
    schedule_id = schedule(database)
    schedules.edit(database, ALICE, schedule_id, policy=Policy(overlap="queue"))
    request = yesterday(clock, schedule_id=schedule_id)
    jobs.create_backfill(database, ALICE, request)
    Jobs(database).run_once(clock.time)
    assert len(past(database, request.end)) == 1


def test_a_due_time_that_has_run_never_runs_twice(database: Database, clock: StoppedClock) -> None:
    schedule_id = schedule(database)
    clock.move(4 * 3600)
    schedules.edit(database, ALICE, schedule_id, policy=Policy(catch_up="all"))
    Scheduler(database).run_once(clock.time)
    known = len(past(database, clock.time))
    request = Backfill(schedule_id=schedule_id, start=clock.time - timedelta(hours=6), end=clock.time)
    found = backfills.preview(database, request)
    assert (found.count, found.existing) == (6, known)
    jobs.create_backfill(database, ALICE, request)
    dues = [run["due_at"] for run in past(database, clock.time)]
    assert len(dues) == len(set(dues)) == 6


def test_a_skipped_due_time_that_gets_a_run_is_a_skip_no_more(database: Database, clock: StoppedClock) -> None:
    schedule_id = schedule(database)
    clock.move(20 * 3600)  # 10 runs were kept ahead; the others were missed
    Scheduler(database).run_once(clock.time)
    skipped = one(database, "select first, last, count from schedule_skip")["count"]
    assert skipped > 1
    request = Backfill(
        schedule_id=schedule_id, start=clock.time - timedelta(hours=5), end=clock.time - timedelta(hours=3)
    )
    made = job(database, jobs.create_backfill(database, ALICE, request)).done
    assert made == 2
    assert one(database, "select sum(count) as n from schedule_skip")["n"] == skipped - made


@pytest.mark.parametrize("where", ["job.step.applied", "job.step.committed", "create.rows.inserted"])
def test_a_crash_makes_no_double(database: Database, clock: StoppedClock, where: str) -> None:
    request = yesterday(clock, schedule_id=schedule(database), at_once=2)
    job_id = jobs.create_backfill(database, ALICE, request)
    end_all(database)
    crash.arm(f"{where}:1:raise")
    try:
        jobs.step(database, job_id, clock.time)
    except crash.Crashed:
        pass
    finally:
        crash.arm("")
    for _ in range(3):
        end_all(database)
        Jobs(database).run_once(clock.time)
    dues = [run["due_at"] for run in past(database, request.end)]
    assert len(dues) == len(set(dues)) == 5
    assert job(database, job_id).state == "done"


def test_a_cancelled_backfill_creates_no_more(database: Database, clock: StoppedClock) -> None:
    request = yesterday(clock, schedule_id=schedule(database), at_once=2)
    job_id = jobs.create_backfill(database, ALICE, request)
    jobs.cancel(database, ALICE, job_id)
    end_all(database)
    Jobs(database).run_once(clock.time)
    assert len(past(database, request.end)) == 2


def test_a_schedule_that_is_only_given_here(database: Database, clock: StoppedClock) -> None:
    flow_id = register(database).flow_id
    every = {"kind": "interval", "seconds": 1800}
    request = yesterday(clock, 2, flow_id=flow_id, document=every)
    assert backfills.preview(database, request).count == 4
    for done, refused in ((4, 0), (0, 4)):
        made = job(database, jobs.create_backfill(database, ALICE, request))
        assert (made.done, made.refused) == (done, refused)
    assert backfills.preview(database, request).existing == 4
    assert {run["schedule_id"] for run in past(database, request.end)} == {None}


def test_a_schedule_that_is_deleted_ends_its_backfill(database: Database, clock: StoppedClock) -> None:
    schedule_id = schedule(database)
    job_id = jobs.create_backfill(database, ALICE, yesterday(clock, schedule_id=schedule_id, at_once=1))
    schedules.delete(database, ALICE, schedule_id)
    Jobs(database).run_once(clock.time)
    assert (job(database, job_id).state, job(database, job_id).message[:25]) == ("failed", "The schedule was deleted;")


def test_what_can_not_be_backfilled_says_why(database: Database, clock: StoppedClock) -> None:
    schedule_id = schedule(database, parameters=[N])
    flow_id = UUID(str(one(database, "select id from flow")["id"]))
    now, day = clock.time, timedelta(days=1)

    def refused(sentence: str, kind: type[Exception] = Invalid, **fields: Any) -> None:
        with pytest.raises(kind, match=sentence):
            jobs.create_backfill(database, ALICE, Backfill(**({"start": now - day, "end": now} | fields)))

    refused("Name a schedule, or")
    refused("not both", schedule_id=schedule_id, flow_id=flow_id)
    refused("before its end", schedule_id=schedule_id, start=now, end=now)
    refused("covers the past", schedule_id=schedule_id, end=now + day)
    refused("labels a list of strings", flow_id=flow_id, document=HOURLY | {"labels": [5]})
    refused("offset", schedule_id=schedule_id, start=(now - day).replace(tzinfo=None))
    refused("more than 10000", flow_id=flow_id, document=MINUTELY, start=now - 30 * day)
    refused("cron", flow_id=flow_id, document={"kind": "cron", "cron": "99 * * * *"})
    refused("must be an integer", schedule_id=schedule_id, parameters={"n": "x"})
    refused("no such schedule", NotFound, schedule_id=uuid4())
    refused("no such flow", NotFound, flow_id=uuid4(), document=HOURLY)
    with database.write() as session:
        session.connection().exec_driver_sql("update flow set archived = true")
    refused("is archived", Conflict, schedule_id=schedule_id)
    assert rows(database, "select id from job") == []
    assert backfills.preview(database, BackfillRange(schedule_id=schedule_id, start=now - day, end=now)).count == 24


def test_backfilled_runs_are_handed_out(database: Database, clock: StoppedClock) -> None:
    jobs.create_backfill(database, ALICE, yesterday(clock, schedule_id=schedule(database)))
    assert len(claim(database, enrol(database), 5)) == 5


NOW = datetime.fromisoformat("2026-03-02T08:00:00+00:00")
MINUTE = {"minute": "2026-03-02T07:59:30.000000Z", "used": 3}


@pytest.mark.parametrize(
    ("progress", "unfinished", "per_minute", "count"),
    [
        ({}, 0, None, 10),
        ({}, 4, None, 6),
        ({}, 10, None, 0),
        ({}, 12, None, 0),
        ({}, 0, 4, 4),
        (MINUTE, 0, 4, 1),
        (MINUTE, 0, 3, 0),
        (MINUTE, 9, 30, 1),
        ({"minute": "2026-03-02T07:59:00.000000Z", "used": 3}, 0, 3, 3),
        ({"minute": "2026-03-02T09:00:00.000000Z", "used": 3}, 0, 3, 3),  # the clock was set back
    ],
)
def test_room(progress: dict[str, Any], unfinished: int, per_minute: int | None, count: int) -> None:
    assert room(progress, NOW, unfinished, 10, per_minute, 50)[0] == count
