"""One due time of a schedule is skipped and restored: its planned run goes and comes back, and all else stays as it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from appliance.config import Settings
from appliance.protocol.flow_runs import ChangeFlowRun, EditFlowRun
from appliance.protocol.schedules import DueTime, PreviewSchedule, SkipDueTime
from appliance.server.actions import schedule_previews, schedules, skipped_times
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.flow_runs.edit import edit_run
from appliance.server.actions.flow_runs.start_now import start_run_now
from appliance.server.actions.retention import Sweep, keep_of
from appliance.server.db.session import Database
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.services.scheduler import Scheduler
from tests.chaos.judge import judge
from tests.integration.builders import ALICE, MINUTELY, claim, create, enrol, register, rows
from tests.integration.conftest import StoppedClock

NIGHTLY = {"kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"}
FIRST = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def _nightly(db: Database, **fields: Any) -> UUID:
    return schedules.create(db, ALICE, register(db).flow_id, NIGHTLY, **fields).id


def _skip(db: Database, schedule: UUID, at: datetime = FIRST, reason: str = "") -> DueTime:
    return skipped_times.skip(db, ALICE, schedule, SkipDueTime(at=at, reason=reason))


def _unskip(db: Database, schedule: UUID, at: datetime = FIRST) -> DueTime:
    return skipped_times.unskip(db, ALICE, schedule, SkipDueTime(at=at))


def _planned(db: Database) -> list[datetime]:
    return [_time(row["due_at"]) for row in rows(db, "select due_at from flow_run order by due_at")]


def _time(value: Any) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _listed(db: Database, schedule: UUID) -> list[str | None]:
    return [time.skipped for time in schedule_previews.of_schedule(db, schedule, 10).times]


def test_the_planned_run_goes_and_comes_back(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    time = _skip(database, schedule, FIRST + DAY, "the supplier is closed")
    assert (time.local, time.skipped) == ("2026-03-04T02:30:00+01:00", "Skipped by alice: the supplier is closed")
    assert _planned(database) == [FIRST + n * DAY for n in (0, *range(2, 11))]  # still ten
    assert _listed(database, schedule) == [None, time.skipped] + [None] * 8
    skip = rows(database, "select code, count from schedule_skip")
    assert skip == [{"code": "skipped", "count": 1}]
    assert _unskip(database, schedule, FIRST + DAY).skipped is None
    assert _planned(database) == [FIRST + n * DAY for n in range(11)]
    assert rows(database, "select id from schedule_skip") == []
    assert rows(database, "select version from schedule") == [{"version": 1}]
    assert _listed(database, schedule) == [None] * 10


def test_other_planned_runs_are_the_same_ones_afterwards(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    others = "select id from flow_run where due_at > '2026-03-04' and due_at < '2026-03-12' order by id"
    before = rows(database, others)
    _skip(database, schedule)
    _unskip(database, schedule)
    assert rows(database, others) == before and len(before) == 8


def test_both_are_done_once(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    _unskip(database, schedule)
    first = _skip(database, schedule, reason="one")
    assert _skip(database, schedule, reason="two") == first
    assert len(rows(database, "select id from schedule_skip")) == 1
    _unskip(database, schedule)
    _unskip(database, schedule)
    kinds = [
        row["kind"] for row in rows(database, "select kind from event where kind like 'schedule.time%' order by id")
    ]
    assert kinds == ["schedule.time_skipped", "schedule.time_unskipped"]


def test_what_is_not_due_has_passed_or_does_not_exist_is_refused(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    for wrong in (FIRST + timedelta(hours=1), datetime(9999, 12, 31, 23, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)):
        for action in (_skip, _unskip):
            with pytest.raises(Invalid, match=r"isn't due|too far"):
                action(database, schedule, wrong)
    with pytest.raises(Invalid, match="offset"):
        _skip(database, schedule, FIRST.replace(tzinfo=None))
    with pytest.raises(Conflict, match="has passed"):
        _skip(database, schedule, FIRST - 30 * DAY)
    with pytest.raises(NotFound):
        _skip(database, register(database).flow_id)
    _skip(database, schedule)
    clock.move(86_400)
    with pytest.raises(Conflict, match="a backfill can still create its run"):
        _unskip(database, schedule)
    assert _skip(database, schedule).skipped == "Skipped by alice."  # it was, and stays so


def test_a_run_that_has_started_is_not_taken_away(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    [first] = rows(database, "select id, name from flow_run order by due_at limit 1")
    run_id = UUID(str(first["id"]))
    start_run_now(database, ALICE, run_id)
    with pytest.raises(Conflict, match=f"{first['name']!r}, is due already; cancel the run") as due:
        _skip(database, schedule)
    assert due.value.details == {"flow_run_id": str(run_id)}
    assert len(claim(database, enrol(database))) == 1
    with pytest.raises(Conflict, match="is Submitted already; cancel the run"):
        _skip(database, schedule)
    assert rows(database, "select id from schedule_skip") == []
    assert len(_planned(database)) == 10


def test_a_run_that_a_person_has_edited_or_paused_goes_too(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    [first] = rows(database, "select id from flow_run order by due_at limit 1")
    edit_run(database, ALICE, UUID(str(first["id"])), EditFlowRun(priority=5))
    _skip(database, schedule)
    assert FIRST not in _planned(database)


def test_a_deleted_run_is_listed_and_restored_like_a_skipped_time(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    [first] = rows(database, "select id from flow_run order by due_at limit 1")
    delete_run(database, ALICE, UUID(str(first["id"])), ChangeFlowRun(reason="not today"))
    assert _listed(database, schedule)[0] == "Deleted by alice: not today"
    _unskip(database, schedule)
    assert FIRST in _planned(database) and _listed(database, schedule)[0] is None


def test_it_survives_edits_unless_the_schedule_is_no_longer_due_then(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    _skip(database, schedule)
    _skip(database, schedule, FIRST + DAY)
    schedules.edit(database, ALICE, schedule, catch_up="all", parameters={})
    schedules.set_active(database, ALICE, schedule, False)
    assert _planned(database) == []
    schedules.set_active(database, ALICE, schedule, True)
    assert _planned(database)[0] == FIRST + 2 * DAY
    every_other = NIGHTLY | {"filters": [{"kind": "on_date", "month": 3, "day": day} for day in (4,)]}
    schedules.edit(database, ALICE, schedule, every_other)
    assert [_time(row["last"]) for row in rows(database, "select last from schedule_skip")] == [FIRST + DAY]
    schedules.edit(database, ALICE, schedule, NIGHTLY)
    assert _planned(database)[:2] == [FIRST, FIRST + 2 * DAY]


def test_it_survives_registrations(database: Database, clock: StoppedClock) -> None:
    register(database, schedules=[NIGHTLY])
    schedule = UUID(str(rows(database, "select id from schedule")[0]["id"]))
    _skip(database, schedule)
    register(database, content="new", schedules=[NIGHTLY])
    assert FIRST not in _planned(database)
    register(database, content="newer", schedules=[NIGHTLY | {"overlap": "skip"}])
    assert FIRST not in _planned(database) and _listed(database, schedule)[0] == "Skipped by alice."


def test_beside_the_edit_form_it_is_shown_too(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    _skip(database, schedule)
    flow = register(database).flow_id
    for cron, skipped in (("30 2 * * *", "Skipped by alice."), ("31 2 * * *", None)):
        request = PreviewSchedule(document=NIGHTLY | {"cron": cron}, schedule_id=schedule)
        assert schedule_previews.of_document(database, flow, request).times[0].skipped == skipped
    assert schedule_previews.of_document(database, flow, PreviewSchedule(document=NIGHTLY)).times[0].skipped is None


@pytest.mark.parametrize("policy", ["latest", "all", "none"])
def test_after_an_outage_it_is_not_caught_up(database: Database, clock: StoppedClock, policy: str) -> None:
    """Also beyond what was planned, and each due time has one run or one skip all the same."""
    flow = register(database).flow_id
    schedule = schedules.create(database, ALICE, flow, MINUTELY, policy=_policy(policy)).id
    minute = clock() + timedelta(minutes=1)
    skipped = [minute + timedelta(minutes=n) for n in (2, 30, 59)]
    for at in skipped:
        _skip(database, schedule, at)
    now = clock.move(3600)
    Scheduler(database).run_once(now)
    planned = _planned(database)
    assert not set(skipped) & set(planned)
    assert ((minute + timedelta(minutes=58)) in planned) == (policy != "none")
    verdict = judge(database, now)
    assert [one for one in verdict.violations if one.startswith(("I5", "I6"))] == []
    assert verdict.counts["due times"] >= 60


def _policy(catch_up: str) -> schedules.Policy:
    return schedules.Policy(catch_up=catch_up, catch_up_cap=10)


def test_a_time_far_ahead_stays_skipped_however_old_the_record_is(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    ahead = datetime(2026, 6, 3, 0, 30, tzinfo=UTC)
    _skip(database, schedule, ahead)
    _skip(database, schedule)
    _skip(database, schedule, FIRST + DAY)  # the newest record stays, so that ids don't restart
    keep = keep_of(Settings(retention_runs_days=30))
    Sweep(database, keep, clock.move(60 * 86_400), 5.0, pause=lambda _seconds: None).run()
    assert [_time(row["last"]) for row in rows(database, "select last from schedule_skip order by id")] == [
        ahead,
        FIRST + DAY,
    ]


def test_so_many_are_enough(database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skipped_times, "MOST_SKIPPED", 2)
    schedule = _nightly(database)
    _skip(database, schedule)
    _skip(database, schedule, FIRST + DAY)
    with pytest.raises(Conflict, match="pause the schedule instead"):
        _skip(database, schedule, FIRST + 2 * DAY)


def test_of_a_skip_and_a_start_one_wins(database: Database, clock: StoppedClock) -> None:
    """The run is never both started and gone."""
    schedule = schedules.create(database, ALICE, register(database).flow_id, MINUTELY).id
    planned = rows(database, "select id, due_at from flow_run order by due_at")

    def attempt(action: Callable[[], object], outcomes: list[object]) -> None:
        try:
            action()
            outcomes.append(None)
        except (Conflict, NotFound) as error:
            outcomes.append(error)

    for row in planned:
        run_id, at = UUID(str(row["id"])), _time(row["due_at"])
        skipped: list[object] = []
        started: list[object] = []
        actions = [
            (partial(_skip, database, schedule, at), skipped),
            (partial(start_run_now, database, ALICE, run_id), started),
        ]
        threads = [threading.Thread(target=attempt, args=pair) for pair in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = rows(database, "select id from flow_run where id = :id", id=run_id)
        if skipped == [None]:
            assert isinstance(started[0], NotFound) and left == []
        else:
            assert isinstance(skipped[0], Conflict) and started == [None] and len(left) == 1


def test_a_run_made_by_hand_is_none_of_it(database: Database, clock: StoppedClock) -> None:
    schedule = _nightly(database)
    [flow] = rows(database, "select id from flow")
    by_hand = create(database, UUID(str(flow["id"])), scheduled_time=FIRST)
    _skip(database, schedule)
    assert rows(database, "select id from flow_run where id = :id", id=by_hand) != []
