"""Runs that are due and do not start are called Late, once, and start as before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from appliance.protocol.flow_runs import EditFlowRun
from appliance.server.actions.flow_runs.edit import edit_run
from appliance.server.actions.late import BATCH
from appliance.server.db.session import Database
from appliance.server.services.late import Late
from tests.integration.builders import ALICE, check_histories, claim, create, enrol, register, rows, run_row
from tests.integration.conftest import StoppedClock


def test_what_is_overdue_is_called_late_once_and_can_start(database: Database, clock: StoppedClock) -> None:
    flow = register(database).flow_id
    overdue = create(database, flow)
    planned = create(database, flow, scheduled_time=clock.time + timedelta(hours=1))
    service = Late(database)
    assert service.run_once(clock.move(60)) == {"late": 0}
    assert service.run_once(clock.move(1)) == {"late": 1}
    assert service.run_once(clock.move(1)) == {"late": 0}
    row = run_row(database, overdue)
    assert (row["state_type"], row["state_name"], row["version"]) == ("SCHEDULED", "Late", 2)
    assert row["state_message"] == "The run had not started 60 s after it was due."
    assert run_row(database, planned)["state_name"] == "Scheduled"
    assert [work.flow_run_id for work in claim(database, enrol(database))] == [overdue]
    check_histories(database)


def test_a_late_run_with_a_new_time_is_late_no_more(database: Database, clock: StoppedClock) -> None:
    run = create(database, register(database).flow_id)
    Late(database).run_once(clock.move(61))
    edit_run(database, ALICE, run, EditFlowRun(scheduled_time=clock.time + timedelta(hours=1)))
    assert run_row(database, run)["state_name"] == "Scheduled"
    assert Late(database).run_once(clock.move(3_500)) == {"late": 0}


def test_thousands_are_marked_in_batches(database: Database, clock: StoppedClock) -> None:
    flow = register(database).flow_id
    for _ in range(BATCH + 1):
        create(database, flow)
    assert Late(database).run_once(clock.move(61)) == {"late": BATCH + 1}
    events = rows(database, "select count(*) as n from event where kind = 'flow_run.state'")[0]["n"]
    assert events == 2 * (BATCH + 1)
    check_histories(database)


def test_zero_seconds_call_nothing_late(database: Database, clock: StoppedClock) -> None:
    database.rules = replace(database.rules, late_after=0.0)
    create(database, register(database).flow_id)
    assert Late(database).run_once(clock.move(10_000)) == {"late": 0}
