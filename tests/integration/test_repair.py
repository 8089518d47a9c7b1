"""Runs that nobody hears from any more end; runs that could not be heard do not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from appliance.protocol.agents import Claim, Held
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import agents, presence
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.db.session import Database
from appliance.server.domain.repair import MOST_RETURNS
from appliance.server.domain.rules import Rules
from appliance.server.services.repair import Repair
from tests.integration.builders import (
    AGENT,
    ALICE,
    RUN,
    begun,
    check_histories,
    claim,
    create,
    enrol,
    one,
    register,
    run_row,
    send,
    task,
)
from tests.integration.conftest import StoppedClock


def service(db: Database, clock: StoppedClock) -> Repair:
    return Repair(db, started=clock() - timedelta(days=1))


def test_a_silent_run_is_crashed_once(database: Database, clock: StoppedClock) -> None:
    run, _ = begun(database)
    send(database, run, 1, task("load-1", "RUNNING", "Running"))
    repair = service(database, clock)
    assert repair.run_once(clock.move(90)) == {"crashed": 0, "cancelled": 0, "returned": 0, "timed_out": 0}
    assert repair.run_once(clock.move(1)) == {"crashed": 1, "cancelled": 0, "returned": 0, "timed_out": 0}
    assert repair.run_once(clock.move(1)) == {"crashed": 0, "cancelled": 0, "returned": 0, "timed_out": 0}
    row = run_row(database, run)
    assert (row["state_name"], row["lease_expires_at"]) == ("Crashed", None)
    assert row["state_message"] == "The run was not heard from for 90 s; its process or its machine is gone."
    assert one(database, "select state_name from task_run") == {"state_name": "Crashed"}
    check_histories(database)


def test_a_claimed_run_whose_agent_is_gone_waits_for_another(database: Database, clock: StoppedClock) -> None:
    run = create(database, register(database).flow_id)
    lost = claim(database, enrol(database))[0]
    repair = service(database, clock)
    assert repair.run_once(clock.move(91)) == {"crashed": 0, "cancelled": 0, "returned": 1, "timed_out": 0}
    row = run_row(database, run)
    assert (row["state_type"], row["agent_id"], row["times_resurrected"]) == ("SCHEDULED", None, 1)
    late = runs.begin(database, RUN, run, Begin(attempt=lost.attempt))
    assert late.verdict == "refused"
    again = claim(database, enrol(database, "other"))[0]
    assert (again.flow_run_id, again.attempt) == (run, 2)
    assert runs.begin(database, RUN, run, Begin(attempt=1)).verdict == "refused"
    assert runs.begin(database, RUN, run, Begin(attempt=2)).verdict == "go"
    check_histories(database)


def test_a_run_that_no_agent_ever_begins_is_crashed_at_last(database: Database, clock: StoppedClock) -> None:
    run = create(database, register(database).flow_id)
    agent, repair = enrol(database), service(database, clock)
    for _ in range(MOST_RETURNS):
        assert len(claim(database, agent)) == 1
        assert repair.run_once(clock.move(91))["returned"] == 1
    assert len(claim(database, agent)) == 1
    assert repair.run_once(clock.move(91))["crashed"] == 1
    assert run_row(database, run)["state_name"] == "Crashed"
    check_histories(database)


def test_a_silent_run_that_was_cancelled_is_cancelled(database: Database, clock: StoppedClock) -> None:
    run, _ = begun(database)
    cancel_run(database, ALICE, run)
    assert service(database, clock).run_once(clock.move(91)) == {
        "crashed": 0,
        "cancelled": 1,
        "returned": 0,
        "timed_out": 0,
    }
    assert run_row(database, run)["state_name"] == "Cancelled"


def test_a_run_that_is_heard_of_lives_on(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    repair = service(database, clock)
    for _ in range(4):
        clock.move(60)
        send(database, run, 0)
        assert repair.run_once(clock())["crashed"] == 0
    for _ in range(4):
        clock.move(60)
        agents.claim(database, AGENT, agent, Claim(free_slots=0, holding=[Held(flow_run_id=run, attempt=1)]))
        assert repair.run_once(clock())["crashed"] == 0


def _holds(db: Database, clock: StoppedClock, agent: UUID, run: UUID, seconds: float) -> None:
    """The agent says for so long that it has the run."""
    for _ in range(int(seconds // 60)):
        clock.move(60)
        agents.claim(db, AGENT, agent, Claim(free_slots=0, holding=[Held(flow_run_id=run, attempt=1)]))


def test_a_run_that_its_agent_never_begins_is_given_to_another(database: Database, clock: StoppedClock) -> None:
    run, agent, repair = create(database, register(database).flow_id), enrol(database), service(database, clock)
    claim(database, agent)
    _holds(database, clock, agent, run, database.rules.start_deadline)
    assert repair.run_once(clock()) == {"crashed": 0, "cancelled": 0, "returned": 0, "timed_out": 0}
    assert repair.run_once(clock.move(1)) == {"crashed": 0, "cancelled": 0, "returned": 1, "timed_out": 0}
    assert "did not start it within 1800 s" in run_row(database, run)["state_message"]
    assert runs.begin(database, RUN, run, Begin(attempt=1)).verdict == "refused"
    assert [work.attempt for work in claim(database, enrol(database, "other"))] == [2]
    check_histories(database)


def test_a_run_that_does_not_stop_is_let_go(database: Database, clock: StoppedClock) -> None:
    """Its agent is well and says that it has it, but it never ends: its process is refused from then on."""
    run, agent = begun(database)
    repair = service(database, clock)
    cancel_run(database, ALICE, run)
    _holds(database, clock, agent, run, 60)
    assert repair.run_once(clock())["cancelled"] == 0
    _holds(database, clock, agent, run, 60)
    assert repair.run_once(clock())["cancelled"] == 1
    assert run_row(database, run)["state_name"] == "Cancelled"
    check_histories(database)


def test_nobody_is_judged_right_after_the_start(database: Database, clock: StoppedClock) -> None:
    begun(database)
    clock.move(1_000)
    repair = Repair(database, started=clock())
    assert repair.run_once(clock.move(89))["crashed"] == 0
    assert repair.run_once(clock.move(1))["crashed"] == 1


def test_nobody_is_judged_while_no_server_could_hear(database: Database, clock: StoppedClock) -> None:
    run, _ = begun(database)
    repair = service(database, clock)
    presence.beat(database, clock())
    for _ in range(20):  # ten minutes without a server
        assert repair.run_once(clock.move(30))["crashed"] == 0
    presence.beat(database, clock())
    send(database, run, 0)
    for _ in range(9):
        presence.beat(database, clock.move(10))
        assert repair.run_once(clock())["crashed"] == 0
    presence.beat(database, clock.move(1))
    assert repair.run_once(clock())["crashed"] == 1  # the server was there for 91 s and heard nothing


def test_nobody_is_judged_right_after_a_standstill_of_everything(database: Database, clock: StoppedClock) -> None:
    """A machine that was stopped for two minutes: server and services go on at the same moment, and the server is the quicker one."""
    run, _ = begun(database)
    repair = service(database, clock)
    for _ in range(10):
        presence.beat(database, clock.move(10))
        send(database, run, 0)
    presence.beat(database, clock.move(120))
    assert repair.run_once(clock())["crashed"] == 0
    send(database, run, 0)
    assert run_row(database, run)["state_name"] == "Running"


def test_a_short_outage_kills_nobody_whose_lease_is_shorter_still(database_url: str, clock: StoppedClock) -> None:
    database = Database(database_url, rules=Rules(run_lease=20))
    begun(database)
    presence.beat(database, clock())
    for _ in range(10):
        presence.beat(database, clock.move(2))
    presence.beat(database, clock.move(25))
    assert Repair(database).run_once(clock())["crashed"] == 0
    database.dispose()


def test_other_services_judge_at_once_what_the_server_has_long_been_waiting_for(
    database: Database, clock: StoppedClock
) -> None:
    begun(database)
    for _ in range(10):
        presence.beat(database, clock.move(10))
    assert Repair(database, started=clock()).run_once(clock())["crashed"] == 1
