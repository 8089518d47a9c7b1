"""The wall clock is set ahead or back by an hour: no healthy run dies of it, and dead ones are still noticed soon."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from appliance.server.actions import presence
from appliance.server.db.session import Database
from appliance.server.services.process import Rounds
from appliance.server.services.repair import Repair
from tests.integration.builders import begun, run_row, send, task
from tests.integration.conftest import StoppedClock

HOUR = 3600.0


class Machine:
    """A server that says that it is there, and the repair service, on one wall clock; 15 s pass at a time."""

    def __init__(self, db: Database, clock: StoppedClock) -> None:
        self.db, self.clock = db, clock
        presence.beat(db, clock())
        self.repair = Repair(db, started=clock() - timedelta(days=1))
        self.rounds = Rounds(self.repair, db, "one")
        self.rounds()

    def step(self, seconds: float) -> None:
        """The clock jumps, and the server is the first to take notice."""
        self.clock.move(seconds)
        presence.beat(self.db, self.clock())
        self.rounds()

    def live_on(self, seconds: int) -> None:
        for _ in range(seconds // 15):
            presence.beat(self.db, self.clock.move(15))
            self.repair.run_once(self.clock())

    def state(self, run: UUID) -> str:
        return str(run_row(self.db, run)["state_name"])


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_step_kills_no_healthy_run(database: Database, clock: StoppedClock, step: float) -> None:
    run, _ = begun(database)
    machine = Machine(database, clock)
    machine.step(step)
    assert machine.state(run) == "Running"
    for seq in range(1, 20):
        machine.live_on(15)
        send(database, run, seq, task("load-1", "RUNNING", "Running"))
    assert machine.state(run) == "Running"


@pytest.mark.parametrize("steps", [[HOUR], [-HOUR], [HOUR, -HOUR], [-HOUR, HOUR]])
def test_a_dead_run_is_noticed_in_spite_of_steps(database: Database, clock: StoppedClock, steps: list[float]) -> None:
    run, _ = begun(database)
    machine = Machine(database, clock)
    for step in steps:
        machine.step(step)
    machine.live_on(195)
    assert machine.state(run) == "Crashed"


def test_services_whose_own_clock_is_wrong_judge_nobody(database: Database, clock: StoppedClock) -> None:
    run, _ = begun(database)
    machine = Machine(database, clock)
    for wrong in (HOUR, -HOUR, 3 * HOUR):
        machine.repair.run_once(clock() + timedelta(seconds=wrong))
    assert machine.state(run) == "Running"
    machine.live_on(195)
    assert machine.state(run) == "Crashed"
