"""Whoever changes a schedule while the services are away: the times that came due meanwhile still get their runs or their record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from appliance.server.actions import schedules
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.services.scheduler import Scheduler
from tests.chaos.judge import judge
from tests.integration.builders import ALICE, MINUTELY, one, register, rows
from tests.integration.conftest import StoppedClock

Change = Callable[[Database, UUID], object]
CHANGES: dict[str, Change] = {
    "the flow is registered anew": lambda db, _: register(db, content="new", schedules=[MINUTELY]),
    "its zone has new rules": lambda db, id: schedules.move_planned(db, id),
    "it is edited": lambda db, id: schedules.edit(db, ALICE, id, {"kind": "cron", "cron": "*/5 * * * *"}),
    "its policy is edited": lambda db, id: schedules.edit(db, ALICE, id, catch_up="all"),
    "it is switched off": lambda db, id: schedules.set_active(db, ALICE, id, False),
}


@pytest.mark.parametrize("what", CHANGES)
def test_no_due_time_is_lost_when(database: Database, clock: StoppedClock, what: str) -> None:
    register(database, schedules=[MINUTELY])
    schedule = UUID(str(one(database, "select id from schedule")["id"]))
    Scheduler(database).run_once(clock())
    now = clock.move(3600)
    CHANGES[what](database, schedule)
    Scheduler(database).run_once(now)
    [runs] = rows(database, "select count(*) as number from flow_run where due_at <= :now", now=_plain(database, now))
    [skips] = rows(database, "select sum(count) as number from schedule_skip")
    assert runs["number"] + skips["number"] == 60


@pytest.mark.parametrize("what", ["it is edited", "its policy is edited", "it is switched off"])
def test_what_was_switched_off_misses_nothing(database: Database, clock: StoppedClock, what: str) -> None:
    register(database, schedules=[MINUTELY])
    schedule = UUID(str(one(database, "select id from schedule")["id"]))
    schedules.set_active(database, ALICE, schedule, False)
    clock.move(3600)
    CHANGES[what](database, schedule)
    schedules.set_active(database, ALICE, schedule, True)
    assert rows(database, "select * from schedule_skip") == []
    assert rows(database, "select * from flow_run where due_at <= :now", now=_plain(database, clock())) == []


def _plain(database: Database, time: object) -> object:
    return str(time).partition("+")[0] + ".000000" if database.dialect == "sqlite" else time


def test_runs_come_again_soon_after_a_wrong_clock_was_set_back(database: Database, clock: StoppedClock) -> None:
    """Ahead by an hour for a moment: what was recorded as missed has not come yet and gets its runs; nothing runs twice."""
    start = clock()
    register(database, schedules=[MINUTELY])
    scheduler = Scheduler(database)
    scheduler.run_once(clock())
    scheduler.run_once(clock.move(3600))
    clock.move(-3600)
    for _ in range(4 * 60):
        scheduler.run_once(clock.move(30))
    check_due_times(database, start, clock(), at_most_skipped=3)


def test_a_clock_that_is_behind_for_a_moment_changes_nothing(database: Database, clock: StoppedClock) -> None:
    start = clock()
    register(database, schedules=[MINUTELY])
    for seconds in [30] * 130 + [-3600, 30, 3600] + [30] * 10:
        Scheduler(database).run_once(clock.move(seconds))
    check_due_times(database, start, clock(), at_most_skipped=0)


def test_a_clock_that_is_behind_for_long_makes_nothing_run_twice(database: Database, clock: StoppedClock) -> None:
    start = clock()
    register(database, schedules=[MINUTELY])
    scheduler = Scheduler(database)
    for seconds in [30] * 130 + [-3600] + [30] * 40 + [3600] + [30] * 10:
        scheduler.run_once(clock.move(seconds))
    check_due_times(database, start, clock(), at_most_skipped=59)  # the hour that it leaps is as good as an outage


def check_due_times(database: Database, start: datetime, now: datetime, at_most_skipped: int) -> None:
    verdict = judge(database, now)
    due = [violation for violation in verdict.violations if violation.startswith(("I5", "I6"))]
    assert due == []
    assert verdict.counts["skipped due times"] <= at_most_skipped
    with database.read() as session:
        runs = metadata.tables["flow_run"]
        made = set(session.execute(select(runs.c.due_at).where(runs.c.due_at <= now)).scalars())
    assert len(made) >= (now - start) // timedelta(minutes=1) - at_most_skipped
