"""Every due time has exactly one run: with two schedulers at once, restarts, outages, and schedules that can't be computed."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from appliance.kit import clock as kit_clock
from appliance.schedules import rule
from appliance.schedules.series import series_of
from appliance.server.actions import schedules
from appliance.server.actions.schedule_rows import Policy
from appliance.server.db.session import Database
from appliance.server.errors import Invalid
from appliance.server.services.scheduler import Scheduler
from tests import depth
from tests.integration.builders import ALICE, MINUTELY, N, check_histories, claim, enrol, one, register, rows
from tests.integration.conftest import StoppedClock

DAY = 24 * 60


def due_times(db: Database) -> list[str]:
    return [str(row["due_at"])[:16] for row in rows(db, "select due_at from flow_run order by due_at")]


def expected(clock: StoppedClock, first: Any, until: Any) -> list[str]:
    minutes = int((until - first).total_seconds() // 60)
    return [str(first + timedelta(minutes=number))[:16] for number in range(1, minutes + 1)]


class Pair:
    """Two schedulers with databases of their own, as in two processes, that always work at the same moment."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.databases = [Database(url), Database(url)]

    def restart(self, which: int) -> None:
        self.databases[which].dispose()
        self.databases[which] = Database(self.url)

    def run_once(self, now: Any, which: list[int]) -> None:
        start = threading.Barrier(len(which))
        faults: list[BaseException] = []

        def work(number: int) -> None:
            start.wait()
            try:
                Scheduler(self.databases[number]).run_once(now)
            except BaseException as error:
                faults.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in which]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []

    def close(self) -> None:
        for database in self.databases:
            database.dispose()


def test_planning_ten_runs_parses_the_document_once(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = register(database)
    schedule = schedules.create(database, ALICE, flow.flow_id, MINUTELY)
    clock.move(600)
    parsed: list[Any] = []
    monkeypatch.setattr(rule, "series_of", lambda *given: parsed.append(given[0]) or series_of(*given))
    assert schedules.keep_ahead(database, [schedule.id]).created == 10
    assert len(parsed) <= 1, "none, if another test has left it"
    assert schedules.out_of_date(database, kit_clock.now(), steady=True) == []
    assert len(parsed) <= 2


def test_a_day_of_minutes_is_1440_runs(database: Database, database_url: str, clock: StoppedClock) -> None:
    chance = random.Random(20260302)
    flow = register(database)
    schedules.create(database, ALICE, flow.flow_id, MINUTELY, policy=schedules.Policy("all"))
    first, pair = clock(), Pair(database_url)
    minutes = DAY if database.dialect == "sqlite" or depth.is_full() else DAY // 6
    end = first + timedelta(minutes=minutes)
    while clock() < end:
        seconds = chance.choice([5, 20, 45, 60, 90, 240, 500])  # both are away for up to eight periods now and then
        clock.move(min(seconds, (end - clock()).total_seconds()))
        which = chance.choice([[0, 1], [0, 1], [0], [1]])
        pair.run_once(clock(), which)
        if chance.random() < 0.05:
            pair.restart(chance.choice([0, 1]))
    pair.run_once(end, [0, 1])
    pair.close()
    assert one(database, "select count(*) as n from flow_run where due_at <= :end", end=_value(database, end)) == {
        "n": minutes
    }
    assert due_times(database)[:minutes] == expected(clock, first, end)
    assert due_times(database)[minutes:] == expected(clock, end, end + timedelta(minutes=10))
    check_histories(database)


@pytest.mark.parametrize(("policy", "made", "missed"), [("all", 100, 0), ("latest", 1, 99), ("none", 0, 100)])
def test_after_an_outage_the_policy_decides(
    database: Database, clock: StoppedClock, policy: str, made: int, missed: int
) -> None:
    flow = register(database)
    schedule = schedules.create(database, ALICE, flow.flow_id, MINUTELY)
    schedules.edit(database, ALICE, schedule.id, catch_up=policy)
    clock.move(100 * 60)
    counts = Scheduler(database).run_once(clock())
    assert counts["missed"] == missed
    assert len(due_times(database)) == made + 10
    assert Scheduler(database).run_once(clock())["schedules"] == 0
    events = rows(database, "select id from event where kind = 'schedule.missed'")
    assert len(events) == bool(missed)
    skips = rows(database, "select count, first, last, version, reason from schedule_skip")
    assert [row["count"] for row in skips] == ([missed] if missed else [])
    for row in skips:
        assert "catch-up policy" in row["reason"]
        skipped = expected(clock, clock() - timedelta(minutes=100), clock() - timedelta(minutes=100 - missed))
        assert [str(row["first"])[:16], str(row["last"])[:16]] == [skipped[0], skipped[-1]]
        assert not set(skipped) & set(due_times(database))


def test_every_due_time_is_a_run_or_in_a_skip(database: Database, clock: StoppedClock) -> None:
    """Outages of any length, policies changed in between: nothing is lost without a record, nothing is in both."""
    chance = random.Random(11)
    schedule = schedules.create(database, ALICE, register(database).flow_id, MINUTELY)
    first = clock()
    for _ in range(25):
        clock.move(chance.choice([30, 90, 700, 4000]))
        Scheduler(database).run_once(clock())
        policy = Policy(
            chance.choice(["all", "latest", "none"]), chance.choice([1, 7]), chance.choice([0.0, 600.0]), None
        )
        schedules.edit(database, ALICE, schedule.id, policy=policy)
    skipped: set[str] = set()
    for row in rows(database, "select first, last, count from schedule_skip order by id"):
        span = [at for at in expected(clock, first, clock()) if str(row["first"])[:16] <= at <= str(row["last"])[:16]]
        assert len(span) == row["count"]
        assert not skipped & set(span)
        skipped |= set(span)
    made = {at for at in due_times(database) if at <= str(clock())[:16]}
    assert made | skipped == set(expected(clock, first, clock()))
    assert not made & skipped
    check_histories(database)


def test_planned_runs_move_once_when_the_rules_of_a_zone_change(database: Database, clock: StoppedClock) -> None:
    """What an older edition of the zone's rules gave is no due time any more."""
    daily = {"kind": "cron", "cron": "30 6 * * *", "timezone": "Europe/Berlin"}
    moved = schedules.create(database, ALICE, register(database).flow_id, daily)
    steady = schedules.create(database, ALICE, register(database, "other").flow_id, daily)
    right = due_times(database)
    with database.write() as session:
        for row in session.execute(text("select id, due_at from flow_run")).all():
            if str(row.id).replace("-", "") in {
                str(found["id"]).replace("-", "")
                for found in rows(database, "select id from flow_run where schedule_id = :id", id=moved.id)
            }:
                at = _value(database, kit_clock.parse(f"{str(row.due_at)[:10]}T04:45:00+00:00"))
                session.execute(
                    text("update flow_run set due_at = :at, scheduled_time = :at where id = :id"),
                    {"at": at, "id": row.id},
                )
    before = rows(database, "select id from flow_run where schedule_id = :id", id=steady.id)
    scheduler = Scheduler(database)
    assert scheduler.run_once(clock())["moved"] == 1
    assert due_times(database) == right
    assert rows(database, "select id from flow_run where schedule_id = :id", id=steady.id) == before
    assert len(rows(database, "select id from event where kind = 'schedule.moved'")) == 1
    assert Scheduler(database).run_once(clock())["moved"] == scheduler.run_once(clock())["moved"] == 0
    check_histories(database)


def test_catching_up_is_capped(database: Database, clock: StoppedClock) -> None:
    schedule = schedules.create(database, ALICE, register(database).flow_id, MINUTELY)
    schedules.edit(database, ALICE, schedule.id, catch_up="all")
    clock.move(500 * 60)
    counts = Scheduler(database).run_once(clock())
    assert (counts["created"], counts["missed"]) == (110, 400)


def test_a_malformed_schedule_steps_aside(database: Database, clock: StoppedClock) -> None:
    flow = register(database, parameters=[N])
    bad = schedules.create(database, ALICE, flow.flow_id, MINUTELY)
    wrong = schedules.create(database, ALICE, flow.flow_id, MINUTELY, {"n": 3})
    good = schedules.create(database, ALICE, flow.flow_id, MINUTELY)
    _set(database, bad.id, "document", '{"kind": "cron", "cron": "no"}')
    _set(database, wrong.id, "parameters", '{"n": "text"}')
    worse = schedules.create(database, ALICE, flow.flow_id, MINUTELY)
    _set(database, worse.id, "document", '{"kind": "interval"}')
    clock.move(120)
    counts = Scheduler(database).run_once(clock())
    assert (counts["malformed"], counts["created"]) == (3, 2)
    active = rows(database, "select id from schedule where active")
    assert [str(row["id"]).replace("-", "") for row in active] == [good.id.hex]
    assert len(rows(database, "select id from event where kind = 'schedule.malformed'")) == 3
    assert Scheduler(database).run_once(clock())["malformed"] == 0


def test_a_crash_in_the_middle_leaves_nothing_half_done(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules.create(database, ALICE, register(database).flow_id, MINUTELY)
    clock.move(300)

    class Killed(BaseException):
        pass

    def die(*_arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("appliance.server.db.writes.schedules.set_planned", die)
        with pytest.raises(Killed):
            Scheduler(database).run_once(clock())
    assert len(rows(database, "select id from flow_run")) == 10
    assert Scheduler(database).run_once(clock())["created"] == 5
    check_histories(database)


def test_runs_of_a_schedule_carry_its_parameters_and_labels(database: Database, clock: StoppedClock) -> None:
    flow = register(database, parameters=[N])
    schedules.create(database, ALICE, flow.flow_id, MINUTELY | {"labels": ["gpu"]}, {"n": 4})
    clock.move(60)
    assert claim(database, enrol(database), 9) == []
    [work] = claim(database, enrol(database, "gpu", labels=["gpu"]), 9)
    found = one(database, "select parameters from flow_run where id = :id", id=work.flow_run_id)
    assert str(found["parameters"]).replace("'", '"').replace(" ", "") == '{"n":4}'


def test_a_schedule_that_has_ended_costs_no_writes(database: Database, clock: StoppedClock) -> None:
    ending = MINUTELY | {"end": "2026-03-02T08:03:00+00:00"}
    schedules.create(database, ALICE, register(database).flow_id, ending)
    assert len(rows(database, "select id from flow_run")) == 3
    clock.move(600)
    assert Scheduler(database).run_once(clock())["created"] == 0
    assert Scheduler(database).run_once(clock())["schedules"] == 0


def test_times_beyond_the_calendar_are_refused(database: Database, clock: StoppedClock) -> None:
    flow = register(database)
    far = {"kind": "interval", "seconds": 86_400.0 * 3_000, "start": "9999-12-31T00:00:00+00:00"}
    with pytest.raises(Invalid, match="1900 to 8999"):
        schedules.create(database, ALICE, flow.flow_id, far)


def _value(db: Database, time: Any) -> Any:
    return time.replace(tzinfo=None).isoformat(" ", "microseconds") if db.dialect == "sqlite" else time


def _set(db: Database, schedule_id: Any, column: str, document: str) -> None:
    id = schedule_id.hex if db.dialect == "sqlite" else schedule_id
    value = ":document" if db.dialect == "sqlite" else "cast(:document as jsonb)"
    with db.write() as session:
        session.execute(
            text(f"update schedule set {column} = {value} where id = :id"), {"id": id, "document": document}
        )
