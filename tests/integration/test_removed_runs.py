"""Every way in which a run is deleted is noted for the agents that keep its results, for a month, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from appliance.kit import clock as kit_clock
from appliance.kit import ids
from appliance.protocol.agents import MOST_RUNS_ASKED, WereDeleted
from appliance.protocol.life_cycle import DeleteTree
from appliance.server.actions import agents, jobs, rollups
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.retention import Sweep
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.session import Database
from appliance.server.db.tables.removed_runs import RemovedRun
from appliance.server.db.writes import retention
from appliance.server.domain.retention import REMOVED_RUNS_KNOWN, Keep
from appliance.server.errors import Invalid, NotFound
from appliance.server.services.jobs import Jobs
from tests.integration import builders
from tests.integration.conftest import StoppedClock


def ended(db: Database) -> UUID:
    """A run that an agent has carried out."""
    run, _agent = builders.begun(db)
    builders.send(db, run, 1, builders.task("extract-1", "RUNNING", "Running"), builders.line("hello"))
    stored = builders.task("extract-1", "SUCCESS", "Success", result_location="2026/01/31/x")
    builders.send(db, run, 2, stored, builders.flow("SUCCESS", "Success"))
    while rollups.advance(db, kit_clock.now()):
        pass
    return run


def sweep(db: Database, **keep: float) -> None:
    Sweep(db, Keep(**keep), kit_clock.now(), seconds=3_600.0, pause=lambda _seconds: None).run()  # type: ignore[arg-type]


def by_hand(db: Database, run: UUID) -> None:
    delete_run(db, builders.ALICE, run)


def by_age(db: Database, _run: UUID) -> None:
    later = kit_clock.now() + timedelta(days=2)
    with kit_clock.stopped(lambda: later):
        sweep(db, runs_days=1)


def with_its_flow(db: Database, run: UUID) -> None:
    jobs.delete(db, builders.ALICE, "flow", UUID(str(builders.run_row(db, run)["flow_id"])), DeleteTree())
    Jobs(db).run_once(kit_clock.now())


def with_its_project(db: Database, _run: UUID) -> None:
    project = UUID(str(builders.one(db, "select id from project")["id"]))
    jobs.delete(db, builders.ALICE, "project", project, DeleteTree())
    Jobs(db).run_once(kit_clock.now())


def known(db: Database, *runs: UUID) -> set[UUID]:
    """What an agent learns of these runs."""
    agent = builders.enrol(db)
    return set(agents.deleted(db, builders.AGENT, agent, WereDeleted(flow_run_ids=list(runs))).flow_run_ids)


WAYS = [by_hand, by_age, with_its_flow, with_its_project]


@pytest.mark.parametrize("delete", WAYS)
def test_a_deleted_run_is_noted(
    database: Database, clock: StoppedClock, delete: Callable[[Database, UUID], None]
) -> None:
    run, unknown = ended(database), ids.uuid7()
    assert known(database, run, unknown) == set()
    delete(database, run)
    assert builders.rows(database, "select id from flow_run where id = :id", id=run) == []
    assert known(database, run, unknown) == {run}


@pytest.mark.parametrize("delete", WAYS)
def test_one_that_no_agent_was_given_is_not(
    database: Database, clock: StoppedClock, delete: Callable[[Database, UUID], None]
) -> None:
    run = builders.create(database, builders.register(database, schedules=[builders.YEARLY]).flow_id)
    delete(database, run)
    if delete is not by_age:  # retention leaves what has not ended
        assert builders.rows(database, "select id from flow_run where id = :id", id=run) == []
    assert builders.rows(database, "select id from removed_run") == []


def test_a_run_that_is_only_partly_deleted_is_not_noted_yet(database: Database, clock: StoppedClock) -> None:
    run = ended(database)
    with database.write("retention") as session:
        assert retention.run(session, run, 1, kit_clock.now())[1] is False
    assert known(database, run) == set()
    with database.write("retention") as session:
        assert retention.run(session, run, 1_000, kit_clock.now())[1] is True
    assert known(database, run) == {run}


def test_a_run_that_is_there_is_never_named(database: Database) -> None:
    """Whatever else the database holds, for example after somebody has put runs back by hand."""
    run = ended(database)
    with database.write() as session:
        session.add(RemovedRun(id=run, at=kit_clock.now()))
    assert known(database, run) == set()
    by_hand(database, run)  # it was noted already
    assert known(database, run) == {run}


def test_it_is_forgotten_after_a_month(database: Database, clock: StoppedClock) -> None:
    run = ended(database)
    by_hand(database, run)
    clock.move(REMOVED_RUNS_KNOWN.total_seconds() - 1)
    sweep(database)
    assert known(database, run) == {run}
    clock.move(2.0)
    sweep(database)
    assert known(database, run) == set()


def test_who_may_ask_for_how_many(database: Database) -> None:
    many = [ids.uuid7() for _ in range(MOST_RUNS_ASKED)]
    assert known(database, *many) == set()
    with pytest.raises(Invalid, match="at most 1,000"):
        known(database, *many, ids.uuid7())
    with pytest.raises(NotFound, match="not enrolled"):
        agents.deleted(database, SYSTEM, ids.uuid7(), WereDeleted(flow_run_ids=many[:1]))
