"""Events for automations beyond what runs end as: each is stored once, in the transaction that makes it true."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from appliance.kit import clock
from appliance.protocol.agents import AgentReport, Exited
from appliance.protocol.automations import DryRun
from appliance.protocol.flow_runs import RestartFlowRun
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import agents, automation_history, concurrency, disk, late, repair, soundness
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.db.session import Database
from appliance.server.domain.crash_loops import LENGTH, reason
from appliance.server.domain.repair import MOST_RETURNS
from appliance.server.errors import Invalid
from tests.integration import builders
from tests.integration.builders import AGENT, ALICE, RUN, rows
from tests.integration.lasting import database, lasting
from tests.integration.receivers import Receiver, receiver
from tests.integration.test_deliveries import Rounds, settings_for, webhook

__all__ = ["database", "lasting"]
HOUR = timedelta(hours=1)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as state:
        yield state


def also(db: Database, event: str) -> int:
    """How many events of runs are this one besides."""
    with db.read() as session:
        data = session.connection().exec_driver_sql("select data from event where kind = 'flow_run.state'").all()
    return sum(event in str(row[0]) for row in data)


def crash(db: Database, flow_id: UUID, run: UUID | None = None) -> UUID:
    """A run of the flow whose process ends without a word."""
    run = run or builders.create(db, flow_id)
    agent = builders.enrol(db, storages=["local"])
    [work] = builders.claim(db, agent)
    assert work.flow_run_id == run
    runs.begin(db, RUN, run, Begin(attempt=work.attempt))
    agents.report(db, AGENT, agent, AgentReport(exited=[Exited(flow_run_id=run, attempt=work.attempt, code=137)]))
    assert builders.run_row(db, run)["state_name"] == "Crashed"
    return run


def succeed(db: Database, flow_id: UUID) -> None:
    run = builders.create(db, flow_id)
    [work] = builders.claim(db, builders.enrol(db, storages=["local"]))
    assert work.flow_run_id == run
    runs.begin(db, RUN, run, Begin(attempt=1))
    builders.send(db, run, 1, builders.flow("SUCCESS", "Success"))


def texts(hook: Receiver) -> list[Any]:
    return [(request.document["event"], request.document["text"]) for request in hook.requests]


def test_a_run_that_waits_for_a_slot_or_an_agent_says_so_once_it_is_late(database: Database, hook: Receiver) -> None:
    webhook(database, hook, "slots", events=["run.no_slot", "run.late"])
    webhook(database, hook, "agents", events=["run.no_agent"])
    limited = builders.register(database, "limited")
    builders.begun(database, name="limited")
    concurrency.put(database, ALICE, "flow", "demo/limited", 1)
    builders.create(database, limited.flow_id, name="waits")
    builders.create(database, builders.register(database, "gpu", labels=["gpu"]).flow_id, name="unserved")
    later = clock.now() + timedelta(seconds=80)  # the agent is still heard from
    assert late.mark_late(database, later) == 2
    assert late.mark_late(database, later + HOUR) == 0
    turn = Rounds(database, settings_for(hook.place))
    turn()
    turn(HOUR)
    [slot, unserved, plain] = sorted(texts(hook), key=lambda one: ("no_slot" not in one[0], "no_agent" not in one[0]))
    assert (
        slot[0] == "run.no_slot"
        and "run waits waits for a slot: " in slot[1]
        and "The limit of flow limited" in slot[1]
    )
    assert unserved[0] == "run.no_agent" and "No live agent has label gpu." in unserved[1]
    assert plain[0] == "run.late" and "run unserved is late: " in plain[1]
    dry = automation_history.dry_run(database, DryRun(events=["run.no_agent"]), now=clock.now())
    assert dry.fired == 1 and dry.newest[0].event == "run.no_agent"


def test_the_third_crash_of_a_flow_in_a_row_is_a_loop(database: Database, hook: Receiver) -> None:
    webhook(database, hook, events=["run.crash_loop"])
    flow = builders.register(database).flow_id
    other = builders.register(database, "other").flow_id
    for _ in range(LENGTH - 1):
        crash(database, flow)
        crash(database, other)
    succeed(database, other)
    crash(database, other)
    assert also(database, "run.crash_loop") == 0
    crash(database, flow)
    assert also(database, "run.crash_loop") == 1
    crash(database, flow)
    assert also(database, "run.crash_loop") == 1, "it goes on, and is no new one"
    succeed(database, flow)
    for _ in range(LENGTH):
        crash(database, flow)
    assert also(database, "run.crash_loop") == 2
    Rounds(database, settings_for(hook.place))()
    assert [event for event, _ in texts(hook)] == ["run.crash_loop"] * 2
    assert "The last 3 runs of the flow have crashed." in texts(hook)[0][1]


def test_so_is_the_third_crash_of_one_run(database: Database, hook: Receiver) -> None:
    webhook(database, hook, events=["run.crashed", "run.crash_loop"])
    flow = builders.register(database).flow_id
    run = crash(database, flow)
    for _ in range(LENGTH):
        restart_run(database, ALICE, run, RestartFlowRun())
        crash(database, flow, run)
    Rounds(database, settings_for(hook.place))()
    assert [event for event, _ in texts(hook)] == ["run.crashed", "run.crashed", "run.crash_loop", "run.crashed"]
    assert texts(hook)[2][1].endswith("The run has crashed 3 times in a row.")


def test_so_is_a_run_that_never_begins(database: Database) -> None:
    run = builders.create(database, builders.register(database).flow_id)
    agent = builders.enrol(database, storages=["local"])
    for number in range(1, MOST_RETURNS + 2):
        now = clock.now() + HOUR * number
        with clock.stopped(lambda now=now: now):
            builders.enrol(database, storages=["local"])
            builders.claim(database, agent)
        repair.fix_silent(database, run, now=now + HOUR / 2)
    assert builders.run_row(database, run)["state_name"] == "Crashed" and also(database, "run.crash_loop") == 1
    assert also(database, "given back 3 times") == 1


@pytest.mark.parametrize(
    ("of_flow", "of_run", "returns", "words"),
    [
        (["Crashed"] * 3, ["Crashed"], 0, "last 3 runs"),
        (["Crashed"] * 4, ["Crashed"], 0, ""),
        (["Crashed", "Failed", "Crashed", "Crashed"], ["Crashed"], 0, ""),
        (["Crashed"], ["Crashed"] * 3 + ["Failed"], 0, "The run has crashed"),
        (["Crashed"], ["Crashed"], MOST_RETURNS, "given back"),
        ([], [], 0, ""),
    ],
)
def test_what_makes_a_loop(of_flow: list[str], of_run: list[str], returns: int, words: str) -> None:
    found = reason(of_flow, of_run, returns)
    assert words in found and bool(words) == bool(found)


class Small:
    """A disk of 100 GiB whose free bytes a test sets."""

    reserve = least_free = 0

    def __init__(self, free: int) -> None:
        self.left = free

    def free(self) -> int:
        return self.left

    def total(self) -> int:
        return 100 * 2**30

    def admit(self, _reusable: Any) -> None:
        pass

    admit_essential = reserved = lambda self: 0


def test_low_disk_space_is_announced_once_and_so_is_its_end(
    database: Database, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook(database, hook, events=["appliance.disk_low", "appliance.disk_recovered"])
    space = Small(20 * 2**30)
    monkeypatch.setattr(database, "space", space)
    now = clock.now()
    assert not disk.note_low(database, 0, now)
    space.left = 4 * 2**30
    assert disk.note_low(database, 0, now) and disk.note_low(database, 0, now)
    space.left = 5 * 2**30 + 2**20
    assert disk.note_low(database, 0, now), "a little more than low is still low"
    space.left = 6 * 2**30
    assert not disk.note_low(database, 0, now)
    assert disk.note_low(database, 1, now), "a database may have a budget of its own"
    Rounds(database, settings_for(hook.place))()
    assert [event for event, _ in texts(hook)] == [
        "appliance.disk_low", "appliance.disk_recovered", "appliance.disk_low",
    ]  # fmt: skip
    assert texts(hook)[0][1] == "Disk space is low: Only 4096 MB are free on the database's disk."
    assert "its budget of 0 MB" in texts(hook)[2][1]


def test_damage_is_announced_once(database: Database, hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook(database, hook, events=["appliance.damaged"])
    monkeypatch.setattr("appliance.server.actions.soundness.log.error", lambda *_: None)
    soundness.check(database, clock.now())
    monkeypatch.setattr("appliance.server.db.soundness.problems", lambda _db: ["page 7 is wrong"])
    for _ in range(2):
        soundness.check(database, clock.now())
    Rounds(database, settings_for(hook.place))()
    [(event, text)] = texts(hook)
    assert event == "appliance.damaged" and "restore a backup" in text
    assert rows(database, "select kind from event where kind = 'database.damaged'") == [{"kind": "database.damaged"}]


def test_events_of_the_appliance_can_not_be_narrowed(database: Database, hook: Receiver) -> None:
    with pytest.raises(Invalid, match="can't be narrowed"):
        webhook(database, hook, events=["appliance.disk_low"], q="flow:etl")
    with pytest.raises(Invalid, match="or the appliance"):
        webhook(database, hook, events=["appliance.disk_low", "run.failed"])
