"""The hold: after an outage very many overdue runs wait for an administrator, while new ones go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from appliance.server.actions import hold, jobs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.start_now import start_run_now
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import waiting
from appliance.server.db.reads.flow_runs import by_ids
from appliance.server.db.session import Database
from appliance.server.errors import Conflict, Forbidden
from appliance.server.services import hold as service
from appliance.server.services.process import Rounds
from appliance.server.services.service import Service
from tests.integration.builders import ALICE, check_histories, claim, create, enrol, register, rows
from tests.integration.conftest import StoppedClock
from tests.integration.test_jobs import states

ADMIN = Actor(kind="user", name="root", role="admin")


def comes_back(db: Database, clock: StoppedClock, runs: int, above: int = 3, away: float = 3600) -> list[UUID]:
    """Services that were away while so many runs came due, and that have done a round now."""
    flow = register(db).flow_id
    started: Service = service.Hold(db, above)
    Rounds(started, db, "first")()
    made = [create(db, flow, scheduled_time=clock.time + timedelta(seconds=index)) for index in range(runs)]
    clock.move(away)
    back = service.Hold(db, above)
    _round(db, clock, back)
    return made


def _round(db: Database, clock: StoppedClock, one: Any) -> None:
    clock.move(5)
    rounds = Rounds(one, db, "second")
    rounds()
    assert rounds.failures == 0


def held(db: Database) -> hold.Hold | None:
    with db.read() as session:
        return hold.find(session)


def test_many_overdue_runs_are_held_and_new_ones_go_on(database: Database, clock: StoppedClock) -> None:
    runs = comes_back(database, clock, 5)
    found = held(database)
    assert found is not None and found.overdue == 5
    agent = enrol(database)
    assert claim(database, agent, 8) == []
    clock.move(1)
    new = create(database, register(database, "new").flow_id)
    assert [work.flow_run_id for work in claim(database, agent, 8)] == [new]
    start_run_now(database, ALICE, runs[0])  # somebody wants this one in any case
    assert [work.flow_run_id for work in claim(database, agent, 8)] == [runs[0]]
    with database.read() as session:
        reasons = waiting.reasons(session, by_ids(session, [runs[1]]), clock.time)
    assert reasons[runs[1]].code == "held"


def test_a_release_hands_them_out(database: Database, clock: StoppedClock) -> None:
    runs = comes_back(database, clock, 5)
    for _ in range(2):
        hold.release(database, ADMIN)
    assert held(database) is None
    assert {work.flow_run_id for work in claim(database, enrol(database), 8)} == set(runs)
    kinds = [row["kind"] for row in rows(database, "select kind from event where topic = 'hold' order by id")]
    assert kinds == ["hold.begun", "hold.released"]


def test_skipping_them_ends_the_hold(database: Database, clock: StoppedClock) -> None:
    comes_back(database, clock, 5)
    clock.move(1)
    create(database, register(database, "new").flow_id)
    with pytest.raises(Forbidden):
        jobs.skip_held(database, ALICE, "", None)
    jobs.skip_held(database, ADMIN, "too late by now", None)
    assert held(database) is None
    assert states(database) == {"Skipped": 5, "Scheduled": 1}
    assert len(claim(database, enrol(database), 8)) == 1
    with pytest.raises(Conflict, match="No runs are held"):
        jobs.skip_held(database, ADMIN, "", None)
    check_histories(database)


def test_runs_that_the_scheduler_makes_up_for_count_too(database: Database, clock: StoppedClock) -> None:
    flow = register(database).flow_id
    Rounds(service.Hold(database, 3), database, "first")()
    before = clock.time
    clock.move(3600)
    back = service.Hold(database, 3)
    _round(database, clock, back)
    assert held(database) is None
    for index in range(5):
        create(database, flow, scheduled_time=before + timedelta(seconds=index))
    _round(database, clock, back)
    assert held(database) is not None


@pytest.mark.parametrize(
    ("runs", "above", "away"),
    [(3, 3, 3600), (5, 0, 3600), (5, 3, 30)],
    ids=["not more than the limit", "switched off", "no outage"],
)
def test_no_hold(database: Database, clock: StoppedClock, runs: int, above: int, away: float) -> None:
    comes_back(database, clock, runs, above, away)
    assert held(database) is None


def test_a_backlog_without_an_outage_is_no_reason(database: Database, clock: StoppedClock) -> None:
    working = service.Hold(database, 3)
    flow = register(database).flow_id
    for _ in range(4):
        _round(database, clock, working)
    runs = [create(database, flow) for _ in range(5)]
    for _ in range(4):
        _round(database, clock, working)
    assert held(database) is None
    cancel_run(database, ALICE, runs[0])
