"""Outages of all lengths and every catch-up policy against an oracle, and what happens at the moment when the services are back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from appliance.protocol.backfills import Backfill
from appliance.protocol.flow_runs import EditFlowRun
from appliance.server.actions import hold, jobs, late, outages, presence, schedules
from appliance.server.actions.flow_runs.edit import edit_run
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.actions.flow_runs.start_now import start_run_now
from appliance.server.actions.schedules import Policy
from appliance.server.db.reads import outages as reads
from appliance.server.db.reads import waiting
from appliance.server.db.reads.flow_runs import by_ids
from appliance.server.db.session import Database
from appliance.server.services import hold as hold_service
from appliance.server.services.process import Rounds
from appliance.server.services.scheduler import Scheduler
from tests.chaos.judge import judge
from tests.integration.builders import ALICE, check_histories, claim, enrol, register, rows
from tests.integration.conftest import StoppedClock

HOUR, DAY = 3600, 86400
POLICIES = {
    "latest": Policy("latest"),
    "all": Policy("all"),
    "none": Policy("none"),
    "cap": Policy("all", catch_up_cap=2),
    "window": Policy("all", catch_up_window=2 * 3600.0),
    "latest in window": Policy("latest", catch_up_window=60.0),
}
OUTAGES = [60, 300, 3 * HOUR, DAY, 3 * DAY]
INTERVALS = [60, HOUR, DAY]


def every(seconds: float) -> dict[str, Any]:
    return {"kind": "interval", "seconds": seconds}


def expected(missed: list[datetime], policy: Policy, now: datetime) -> list[datetime]:
    """Which of the missed due times get a run, as operate.md says it."""
    keep = {"none": 0, "latest": 1, "all": policy.catch_up_cap or 100}[policy.catch_up or "latest"]
    newest = missed[-keep:] if keep else []
    if policy.catch_up_window:
        newest = [time for time in newest if (now - time).total_seconds() <= policy.catch_up_window]
    return newest


class Site:
    """One flow with a schedule, an agent, a server and a scheduler, whose only clock is the test's."""

    def __init__(self, db: Database, clock: StoppedClock, seconds: float, policy: Policy) -> None:
        self.db, self.clock, self.seconds = db, clock, seconds
        self.flow = register(db).flow_id
        self.agent = enrol(db)
        self.schedule = schedules.create(db, ALICE, self.flow, every(seconds), policy=policy).id
        self.beat()
        self.plan()

    def beat(self) -> None:
        presence.beat(self.db, self.clock())

    def plan(self) -> None:
        """A round of a scheduler that has just been started."""
        rounds = Rounds(Scheduler(self.db), self.db, "services")
        rounds()
        assert rounds.failures == 0

    def times(self, after: datetime, until: datetime) -> list[datetime]:
        step = timedelta(seconds=self.seconds)
        start = datetime(2019, 1, 1, tzinfo=after.tzinfo)
        first = (after - start) // step + 1
        return [start + number * step for number in range(first, (until - start) // step + 1)]

    def run_at(self, time: datetime) -> UUID:
        """The run of a due time."""
        with self.db.read() as session:
            found = session.execute(
                text("select id from flow_run where schedule_id = :schedule and due_at = :due"),
                {"schedule": _id(self.db, self.schedule), "due": _time(self.db, time)},
            ).scalar_one()
        return UUID(str(found))

    def due_with_runs(self) -> list[str]:
        found = rows(
            self.db,
            "select due_at from flow_run where due_at <= :now order by due_at",
            now=_time(self.db, self.clock()),
        )
        return [str(row["due_at"])[:19] for row in found]

    def skipped(self) -> int:
        return sum(row["count"] for row in rows(self.db, "select count from schedule_skip"))

    def claim(self) -> list[UUID]:
        return [work.flow_run_id for work in claim(self.db, self.agent, 100)]


def _id(db: Database, id: UUID) -> Any:
    return id.hex if db.dialect == "sqlite" else id


def _time(db: Database, time: datetime) -> Any:
    return time.replace(tzinfo=None).isoformat(" ", "microseconds") if db.dialect == "sqlite" else time


def shown(times: list[datetime]) -> list[str]:
    return [str(time)[:19] for time in times]


@pytest.mark.slow
@pytest.mark.diagonal
@pytest.mark.parametrize("services_first", [True, False], ids=["services first", "server first"])
@pytest.mark.parametrize("policy", POLICIES)
def test_every_outage_ends_as_the_policy_says(
    database: Database, clock: StoppedClock, policy: str, services_first: bool
) -> None:
    for seconds, away in product(INTERVALS, OUTAGES):
        clock.move(DAY - (clock() - datetime(2019, 1, 1, tzinfo=clock().tzinfo)).total_seconds() % DAY)
        site = Site(database, clock, seconds, POLICIES[policy])
        before, skipped = clock(), site.skipped()
        clock.move(away)
        missed = site.times(before, clock())
        if services_first:
            site.plan()
        site.beat()
        assert site.claim() == [], "planned runs wait for the policy"
        site.plan()
        kept = expected(missed, POLICIES[policy], clock())
        case = f"{policy}, every {seconds} s, away for {away} s"
        assert site.due_with_runs() == shown(kept), case
        assert site.skipped() - skipped == len(missed) - len(kept), case
        assert set(site.claim()) == {site.run_at(time) for time in kept}, case
        check_histories(database)
        schedules.delete(database, ALICE, site.schedule)
        with database.write() as session:
            session.execute(text("delete from flow_run"))
            session.execute(text("delete from project_usage"))
            session.execute(text("update flow_version set stored_bytes = 0"))
            session.execute(text("delete from lease"))


@pytest.mark.parametrize("away", ["server", "services"])
def test_one_of_the_two_is_away(database: Database, clock: StoppedClock, away: str) -> None:
    """Without a server, no run starts. Without services, those start that are planned."""
    site = Site(database, clock, 300, Policy("none"))
    before, started = clock(), 0
    for _ in range(120):
        clock.move(30)
        if away == "server":
            site.plan()
        else:
            site.beat()
            started += len(site.claim())
    site.beat()
    site.plan()
    total = len(site.times(before, clock()))
    assert started == (0 if away == "server" else 10)
    assert len(site.due_with_runs()) == started
    assert site.skipped() == total - started


def test_an_agent_that_is_away_is_no_outage(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, 60, Policy("none"))
    for _ in range(6):
        clock.move(30)
        site.beat()
        site.plan()
    assert (len(site.claim()), site.skipped()) == (3, 0)


def test_what_waited_before_an_outage_goes_on_waiting(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, 60, Policy("none"))
    first = site.times(clock(), clock() + timedelta(minutes=1))
    for _ in range(3):
        clock.move(30)
        site.beat()
        site.plan()
    clock.move(180)
    site.beat()
    site.plan()
    assert site.due_with_runs() == shown(first)
    assert (site.claim(), site.skipped()) == ([site.run_at(first[0])], 3)


def test_a_short_break_is_no_outage(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, 20, Policy("none"))
    clock.move(29)
    site.beat()
    assert len(site.claim()) == 1
    site.plan()
    assert site.skipped() == 0


DECISIONS: dict[str, Callable[[Database, UUID], object]] = {
    "start now": lambda db, run: start_run_now(db, ALICE, run),
    "priority": lambda db, run: edit_run(db, ALICE, run, EditFlowRun(priority=5)),
    "time": lambda db, run: edit_run(
        db, ALICE, run, EditFlowRun(scheduled_time=datetime.fromisoformat("2026-03-09T00:00:00Z"))
    ),
    "pause": lambda db, run: pause_run(db, ALICE, run),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("decision", DECISIONS)
def test_a_persons_decision_stands(database: Database, clock: StoppedClock, decision: str, when: str) -> None:
    site = Site(database, clock, DAY, Policy("none"))
    missed = site.times(clock(), clock() + timedelta(days=3))
    chosen = site.run_at(missed[1])
    if when == "before":
        DECISIONS[decision](database, chosen)
    clock.move(3 * DAY)
    site.beat()
    if when == "after":
        DECISIONS[decision](database, chosen)
    site.plan()
    assert site.due_with_runs() == shown([missed[1]])
    assert site.skipped() == 2
    assert site.run_at(missed[1]) == chosen


def test_a_mark_as_late_decides_nothing(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, DAY, Policy("latest"))
    clock.move(3 * DAY)
    assert late.mark_late(database, clock()) == 3
    site.beat()
    assert site.claim() == []
    site.plan()
    assert (len(site.claim()), site.skipped()) == (1, 2)


def test_what_waits_for_the_policy_says_so(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, DAY, Policy("latest"))
    run = site.run_at(site.times(clock(), clock() + timedelta(days=1))[0])
    clock.move(DAY)
    site.beat()
    assert _reason(site, run) == "catch_up"
    site.plan()
    assert _reason(site, run) == "no_agent"


def _reason(site: Site, run: UUID) -> str:
    with site.db.read() as session:
        return waiting.reasons(session, by_ids(session, [run]), site.clock())[run].code


def test_a_claim_at_the_moment_of_return(database: Database, clock: StoppedClock) -> None:
    """An agent asks again and again while server and services return: it gets what the policy keeps, and nothing else."""
    for _ in range(5):
        site = Site(database, clock, DAY, Policy("latest"))
        clock.move(3 * DAY)
        claimed: list[UUID] = []
        back = threading.Event()

        def ask(site: Site = site, claimed: list[UUID] = claimed, back: threading.Event = back) -> None:
            while not back.is_set():
                claimed += site.claim()
            claimed += site.claim()

        asking = threading.Thread(target=ask)
        asking.start()
        site.beat()
        site.plan()
        back.set()
        asking.join()
        assert [str(id) for id in claimed] == [str(site.run_at(site.times(clock() - timedelta(days=1), clock())[-1]))]
        schedules.delete(database, ALICE, site.schedule)
        with database.write() as session:
            session.execute(text("delete from flow_run"))
            session.execute(text("delete from project_usage"))
            session.execute(text("update flow_version set stored_bytes = 0"))


def test_an_outage_that_grows_is_not_settled(database: Database, clock: StoppedClock) -> None:
    Site(database, clock, DAY, Policy("latest"))
    first = clock()
    presence.beat(database, clock.move(DAY))
    outage, _ = outages.unsettled(database, clock())
    presence.beat(database, clock.move(DAY))
    assert outage is not None
    assert not outages.settle(database, outage, clock())
    with database.read() as session:
        assert reads.find(session, clock()) == reads.Outage(first, clock())


NOTICED = ["server", "services", "server and services"]


@pytest.mark.diagonal
@pytest.mark.parametrize("first", NOTICED)
@pytest.mark.parametrize("second", NOTICED)
def test_a_clock_that_is_an_hour_ahead_for_a_moment(
    database: Database, clock: StoppedClock, first: str, second: str
) -> None:
    """Whoever notices it: each due time has a run or is skipped once, and nothing is decided about times to come by a right clock."""
    site = Site(database, clock, 60, Policy("latest"))
    for noticed in (first, second):
        clock.move(HOUR)
        if "server" in noticed:
            site.beat()
        if "services" in noticed:
            site.plan()
        clock.move(90 - HOUR)
        site.beat()
        known = site.skipped()
        site.plan()
        assert site.skipped() - known <= 1
        assert judge(database, clock()).counts["broken I6"] == 0
        with database.read() as session:
            assert reads.find(session, clock()) is None
    clock.move(90)
    site.beat()
    site.plan()
    assert judge(database, clock()).counts["broken I6"] == 0


CHANGES: dict[str, Callable[[Site], object]] = {
    "it is paused": lambda site: schedules.set_active(site.db, ALICE, site.schedule, False),
    "it is edited": lambda site: schedules.edit(site.db, ALICE, site.schedule, every(HOUR)),
    "its policy is edited": lambda site: schedules.edit(site.db, ALICE, site.schedule, policy=Policy("all")),
    "its flow is registered again": lambda site: register(site.db, content="new"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_policy_from_before_a_change_decides(database: Database, clock: StoppedClock, change: str) -> None:
    site = Site(database, clock, DAY, Policy("none"))
    clock.move(3 * DAY)
    site.beat()
    CHANGES[change](site)
    site.plan()
    assert (site.due_with_runs(), site.skipped()) == ([], 3)


def test_a_paused_schedule_has_nothing_to_catch_up(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, DAY, Policy("all"))
    schedules.set_active(database, ALICE, site.schedule, False)
    clock.move(3 * DAY)
    site.beat()
    site.plan()
    schedules.set_active(database, ALICE, site.schedule, True)
    assert (site.due_with_runs(), site.skipped()) == ([], 0)


def test_a_backfill_stays_and_can_make_up_for_what_was_skipped(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, DAY, Policy("none"))
    start = clock()
    clock.move(3 * DAY)
    site.beat()
    site.plan()
    assert site.skipped() == 3
    jobs.create_backfill(
        database, ALICE, Backfill(schedule_id=site.schedule, start=start, end=clock(), at_once=10), now=clock()
    )
    made = site.due_with_runs()
    assert (len(made), site.skipped()) == (3 - (clock() in site.times(start, clock())), 3 - len(made))
    clock.move(3 * DAY)
    site.beat()
    site.plan()
    assert site.due_with_runs() == made


def test_only_what_the_policies_keep_counts_for_the_hold(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, HOUR, Policy("latest"))
    service = hold_service.Hold(database, 2)
    Rounds(service, database, "hold")()
    clock.move(6 * HOUR)
    site.beat()
    Rounds(service, database, "hold")()
    assert not _is_held(database)
    site.plan()
    clock.move(5)
    Rounds(service, database, "hold")()
    assert not _is_held(database)
    assert len(site.claim()) == 1


def _is_held(database: Database) -> bool:
    with database.read() as session:
        return hold.find(session) is not None


def test_the_last_runs_of_a_schedule_that_ends(database: Database, clock: StoppedClock) -> None:
    site = Site(database, clock, DAY, Policy("latest"))
    ending = every(DAY) | {"end": (clock() + timedelta(days=5)).isoformat()}
    schedules.edit(database, ALICE, site.schedule, ending)
    clock.move(30 * DAY)
    site.beat()
    site.plan()
    assert (len(site.claim()), site.skipped()) == (1, 4)
