"""People who act on one run at the same moment, and requests that are sent again: one effect, one answer, a history without gaps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from appliance.kit import clock as kit_clock
from appliance.protocol.flow_runs import ChangeFlowRun, EditFlowRun, MarkFlowRun, RestartFlowRun, ResumeFlowRun
from appliance.protocol.jobs import Bulk
from appliance.server.actions import jobs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.flow_runs.edit import edit_run
from appliance.server.actions.flow_runs.mark import mark_run
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.actions.flow_runs.resume import resume_run
from appliance.server.actions.flow_runs.start_now import start_run_now
from appliance.server.actions.schedule_rows import Policy
from appliance.server.actions.schedules import edit as edit_schedule
from appliance.server.db.session import Database
from appliance.server.errors import Conflict, NotFound
from appliance.server.services.scheduler import Scheduler
from tests.integration.builders import (
    ALICE,
    MINUTELY,
    begun,
    check_histories,
    create,
    flow,
    one,
    register,
    rows,
    run_row,
)
from tests.integration.builders import send as report
from tests.integration.conftest import StoppedClock

Act = Callable[[Database, UUID], Any]
ACTS: dict[str, Act] = {
    "cancel": lambda db, run: cancel_run(db, ALICE, run),
    "pause": lambda db, run: pause_run(db, ALICE, run),
    "resume": lambda db, run: resume_run(db, ALICE, run),
    "restart": lambda db, run: restart_run(db, ALICE, run),
    "mark": lambda db, run: mark_run(db, ALICE, run, MarkFlowRun(state="Success")),
    "start now": lambda db, run: start_run_now(db, ALICE, run),
    "edit": lambda db, run: edit_run(db, ALICE, run, EditFlowRun(priority=1)),
}


def together(db: Database, run: UUID, acts: list[Act]) -> list[str]:
    """Done by as many people at the same moment; what each was told."""
    barrier = Barrier(len(acts))

    def act(one: Act) -> str:
        barrier.wait(10)
        try:
            one(db, run)
        except (Conflict, NotFound) as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def test_a_run_that_ends_while_two_people_cancel_it_has_one_end(database: Database) -> None:
    for _ in range(5):
        run, _ = begun(database)
        cancel = ACTS["cancel"]
        end: Act = lambda db, run: report(db, run, 1, flow("SUCCESS", "Success"))  # noqa: E731 - one of three acts
        told = together(database, run, [cancel, end, cancel])
        assert "done" in told and set(told) <= {"done", "conflict", "stale_attempt"}
        ends = rows(
            database,
            "select name from flow_run_state where flow_run_id = :run and type in ('SUCCESS', 'CANCELLED', 'FAILED')",
            run=run,
        )
        assert len(ends) == 1 or run_row(database, run)["state_type"] == "CANCELLING"
        check_histories(database)
        if run_row(database, run)["state_type"] == "CANCELLING":
            report(database, run, 1, flow("CANCELLED", "Cancelled"))
        delete_run(database, ALICE, run)


def test_everybody_at_once(database: Database) -> None:
    run = create(database, register(database).flow_id, scheduled_time=kit_clock.now() + timedelta(hours=1))
    for _ in range(3):
        told = together(database, run, list(ACTS.values()))
        assert set(told) <= {"done", "conflict"}
        check_histories(database)


@pytest.mark.parametrize("name", sorted(ACTS))
def test_a_request_that_is_sent_again_at_once_has_one_effect(database: Database, name: str) -> None:
    run, _ = begun(database)
    if name in ("restart", "mark"):
        report(database, run, 1, flow("FAILED", "Failed"))
    elif name != "cancel":
        run = create(database, register(database, "second").flow_id)
        if name == "resume":
            pause_run(database, ALICE, run)
    key = "same key"
    keyed: dict[str, Act] = {
        "cancel": lambda db, run: cancel_run(db, ALICE, run, ChangeFlowRun(idempotency_key=key)),
        "pause": lambda db, run: pause_run(db, ALICE, run, ChangeFlowRun(idempotency_key=key)),
        "resume": lambda db, run: resume_run(db, ALICE, run, ResumeFlowRun(idempotency_key=key)),
        "restart": lambda db, run: restart_run(db, ALICE, run, RestartFlowRun(idempotency_key=key)),
        "mark": lambda db, run: mark_run(db, ALICE, run, MarkFlowRun(state="Success", idempotency_key=key)),
        "start now": lambda db, run: start_run_now(db, ALICE, run, ChangeFlowRun(idempotency_key=key)),
        "edit": lambda db, run: edit_run(db, ALICE, run, EditFlowRun(priority=1, idempotency_key=key)),
    }
    before = run_row(database, run)["version"]
    assert together(database, run, [keyed[name]] * 3) == ["done"] * 3
    assert run_row(database, run)["version"] == before + 1
    check_histories(database)


def test_a_schedule_that_many_edit_as_it_comes_due_has_each_due_time_once(
    database: Database, clock: StoppedClock
) -> None:
    register(database, schedules=[MINUTELY])
    schedule = UUID(str(one(database, "select id from schedule")["id"]))
    clock.move(59.999)
    policies = ["all", "latest", "none", "all", "latest"]

    def change(policy: str) -> None:
        edit_schedule(database, ALICE, schedule, policy=Policy(catch_up=policy))

    with ThreadPoolExecutor(4) as pool:
        edits = [pool.submit(change, policy) for policy in policies]
        rounds = [pool.submit(Scheduler(database).run_once, clock.time) for _ in range(2)]
        clock.move(0.002)
        for done in [*edits, *rounds]:
            done.result(30)
    dues = [row["due_at"] for row in rows(database, "select due_at from flow_run")]
    assert len(dues) == len(set(dues)) and len(dues) in (10, 11)
    assert one(database, "select version from schedule")["version"] == 1 + len(policies)
    check_histories(database)


def test_a_bulk_request_that_is_sent_again_at_once_is_one_job(database: Database) -> None:
    run = create(database, register(database).flow_id)
    request = Bulk(action="edit", ids=[run], priority=4, idempotency_key="same key")
    told = together(database, run, [lambda db, _run: jobs.create_bulk(db, ALICE, request)] * 3)
    assert told == ["done"] * 3
    assert one(database, "select done, state from job") == {"done": 1, "state": "done"}
    assert run_row(database, run)["version"] == 2
