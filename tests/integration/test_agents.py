"""The agent protocol: work is given once, to an agent that may have it, and the end of a process is never lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from appliance.kit import clock as kit_clock
from appliance.kit import ids
from appliance.protocol.agents import AgentReport, Claim, Exited, Held, InfrastructureLog
from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import agents
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.retention import Sweep
from appliance.server.db.session import Database
from appliance.server.domain.retention import Keep
from appliance.server.errors import Invalid, NotFound
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
    rows,
    run_row,
    send,
    task,
)
from tests.integration.conftest import StoppedClock
from tests.integration.server_fixtures import Site


def held(run: UUID, attempt: int = 1) -> Held:
    return Held(flow_run_id=run, attempt=attempt)


def exited(db: Database, agent: UUID, run: UUID, attempt: int = 1, **how: object) -> list[Held]:
    request = AgentReport(exited=[Exited(flow_run_id=run, attempt=attempt, **how)])  # type: ignore[arg-type]
    return agents.report(db, AGENT, agent, request).stale


def test_enrolling_again_is_the_same_agent(database: Database) -> None:
    first = enrol(database)
    assert enrol(database, labels=["gpu"]) == first != enrol(database, "other")
    with pytest.raises(Invalid, match="capacity"):
        enrol(database, capacity=0)
    with pytest.raises(NotFound, match="enrol it again"):
        claim(database, uuid4())


def test_a_claim_makes_an_attempt(database: Database) -> None:
    run = create(database, register(database).flow_id)
    [work] = claim(database, enrol(database))
    assert (work.flow_run_id, work.attempt, work.flow, work.project) == (run, 1, "etl", "demo")
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"], row["version"]) == ("PENDING", "Submitted", 2)
    assert row["run_token_hash"] == ids.sha256(work.run_token) and row["lease_expires_at"] is not None
    check_histories(database)


def test_never_more_than_the_free_slots_and_the_urgent_first(database: Database) -> None:
    registered = register(database)
    made = [create(database, registered.flow_id) for _ in range(5)]
    with database.write() as session:
        session.execute(
            text("update flow_run set priority = 1 where id = :id"),
            {"id": made[3].hex if database.dialect == "sqlite" else made[3]},
        )
    agent = enrol(database)
    assert [work.flow_run_id for work in claim(database, agent, 2)] == [made[3], made[0]]
    assert claim(database, agent, 0) == []
    assert [work.flow_run_id for work in claim(database, agent, 50)] == [made[1], made[2], made[4]]


def test_many_agents_at_once_get_each_run_once(database: Database) -> None:
    registered = register(database)
    made = {create(database, registered.flow_id) for _ in range(40)}
    names = [enrol(database, f"agent {number}") for number in range(8)]

    def take(agent: UUID) -> list[UUID]:
        return [work.flow_run_id for _ in range(6) for work in claim(database, agent, 2)]

    with ThreadPoolExecutor(8) as pool:
        given = [run for found in pool.map(take, names) for run in found]
    assert len(given) == len(set(given)) and set(given) <= made
    assert set(given) | {work.flow_run_id for work in claim(database, names[0], 50)} == made
    check_histories(database)


def test_what_is_not_due_paused_or_not_served_stays(database: Database, clock: StoppedClock) -> None:
    first, second = register(database), register(database, "other")
    create(database, first.flow_id, labels=["gpu", "linux"])
    later = create(database, second.flow_id, scheduled_time=clock() + timedelta(seconds=10))
    plain, gpu = enrol(database), enrol(database, "gpu", labels=["gpu", "linux", "big"])
    assert claim(database, plain, 9) == []
    assert claim(database, gpu, 9, labels=["gpu"]) == []
    assert len(claim(database, gpu, 9, labels=["gpu", "linux"])) == 1
    clock.move(10)
    with database.write() as session:
        session.execute(text("update flow set paused = true"))
    assert claim(database, plain, 9) == []
    with database.write() as session:
        session.execute(text("update flow set paused = false"))
    assert [work.flow_run_id for work in claim(database, plain, 9)] == [later]


def test_unserved_runs_hide_no_others(database: Database) -> None:
    registered = register(database)
    for _ in range(30):
        create(database, registered.flow_id, labels=["nobody"])
    good = create(database, registered.flow_id)
    assert [work.flow_run_id for work in claim(database, enrol(database), 1)] == [good]


def test_an_agent_that_drains_gets_nothing(database: Database) -> None:
    create(database, register(database).flow_id)
    agent = enrol(database)
    with database.write() as session:
        session.execute(text("update agent set state = 'draining'"))
    assert claim(database, agent, 5) == []


def test_a_quiet_claim_writes_nothing(database: Database, clock: StoppedClock) -> None:
    agent = enrol(database)
    seen = "select last_seen from agent"
    before = one(database, seen)
    clock.move(2)
    claim(database, agent, 5)
    assert one(database, seen) == before
    clock.move(10)
    claim(database, agent, 5)
    assert one(database, seen) != before


def test_holding_prolongs_leases_and_says_what_to_stop(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    clock.move(60)
    asked = Claim(free_slots=1, holding=[held(run), held(run, 7), held(uuid4())])
    answer = agents.claim(database, AGENT, agent, asked)
    assert [stop.reason for stop in answer.stop] == ["Another attempt has replaced this one.", "The run was deleted."]
    cancel_run(database, ALICE, run, ChangeFlowRun(reason="enough"))
    clock.move(80)  # past the first lease, within the second
    answer = agents.claim(database, AGENT, agent, Claim(free_slots=1, holding=[held(run)]))
    assert [(stop.flow_run_id, stop.attempt, stop.reason) for stop in answer.stop] == [(run, 1, "enough")]
    assert run_row(database, run)["state_type"] == "CANCELLING"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"signal": "SIGKILL"}, "The run's process was killed by SIGKILL."),
        ({"code": 3}, "The run's process ended with exit code 3."),
        ({"code": 0}, "The run's process ended with exit code 0, but did not report how the run ended."),
        (
            {"reason": "The process could not be started: no such file."},
            "The process could not be started: no such file.",
        ),
    ],
)
def test_a_process_that_ends_without_a_word_is_crashed(
    database: Database, how: dict[str, object], message: str
) -> None:
    run, agent = begun(database)
    send(database, run, 1, task("extract-1", "SUCCESS", "Success"), task("load-1", "RUNNING", "Running"))
    assert exited(database, agent, run, tail=["last", "line\0"], **how) == []
    assert exited(database, agent, run, tail=["last"], **how) == []
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"], row["state_message"]) == ("FAILED", "Crashed", message)
    assert "line" in str(row["state_data"])
    found = rows(database, "select state_name, version from task_run order by task_slug")
    assert [tuple(item.values()) for item in found] == [("Success", 1), ("Crashed", 2)]
    check_histories(database)


def test_a_process_that_ends_when_cancelled_is_cancelled(database: Database) -> None:
    run, agent = begun(database)
    send(database, run, 1, task("load-1", "RUNNING", "Running"))
    cancel_run(database, ALICE, run)
    exited(database, agent, run, signal="SIGTERM")
    assert run_row(database, run)["state_name"] == "Cancelled"
    assert one(database, "select state_name from task_run") == {"state_name": "Cancelled"}
    check_histories(database)


def test_a_run_that_had_its_say_keeps_its_state(database: Database) -> None:
    run, agent = begun(database)
    from tests.integration.builders import flow

    send(database, run, 1, flow("SUCCESS", "Success"))
    assert exited(database, agent, run, code=0) == []
    assert run_row(database, run)["state_name"] == "Success"


def test_another_agent_or_attempt_changes_nothing(database: Database) -> None:
    run, agent = begun(database)
    other = enrol(database, "other")
    assert exited(database, other, run, code=1) == [held(run)]
    assert exited(database, agent, run, attempt=2, code=1) == [held(run, 2)]
    assert run_row(database, run)["state_type"] == "RUNNING"


def test_infrastructure_logs_of_held_attempts_are_kept(database: Database) -> None:
    run, agent = begun(database)

    def say(message: str, attempt: int) -> InfrastructureLog:
        return InfrastructureLog(flow_run_id=run, attempt=attempt, at=kit_clock.now(), level="INFO", message=message)

    answer = agents.report(
        database, AGENT, agent, AgentReport(started=[held(run)], logs=[say("started", 1), say("stale", 4)])
    )
    assert answer.stale == [held(run, 4)]
    assert rows(database, "select logger, message from log") == [{"logger": "appliance.agent", "message": "started"}]


def test_begin_after_cancel_before_start_is_refused(database: Database) -> None:
    run = create(database, register(database).flow_id)
    agent = enrol(database)
    claim(database, agent)
    cancel_run(database, ALICE, run)
    assert runs.begin(database, RUN, run, Begin(attempt=1)).verdict == "refused"
    exited(database, agent, run, code=0)
    assert run_row(database, run)["state_type"] == "CANCELLED"


def test_an_agent_that_signs_off_is_offline_at_once(site: Site) -> None:
    database = site.database
    run = create(database, register(database).flow_id)
    agent = enrol(database)
    assert [work.flow_run_id for work in claim(database, agent)] == [run]
    for _ in range(2):  # its answer may be lost
        answer = site.post(f"/api/v1/agents/{agent}/sign-off", None, "agent")
        assert answer.status_code == 204
    assert [one["health"] for one in site.get("/api/v1/agents").json()["items"]] == ["offline"]
    assert run_row(database, run)["state_name"] == "Submitted"  # its runs continue
    with pytest.raises(NotFound, match="enrol it again"):
        claim(database, agent)
    assert enrol(database) == agent
    assert [one["health"] for one in site.get("/api/v1/agents").json()["items"]] == ["online"]


def test_a_drained_agent_stays_drained_when_it_comes_back(database: Database) -> None:
    enrol(database)
    with database.write("test") as session:
        session.execute(text("update agent set state = 'draining'"))
    enrol(database)
    assert one(database, "select state from agent") == {"state": "draining"}


def test_agents_that_are_long_gone_are_pruned_unless_they_hold_runs(database: Database, clock: StoppedClock) -> None:
    run, holder = begun(database)
    enrol(database, "gone")
    now = clock.move(31 * 86_400)
    enrol(database, "new")
    Sweep(database, Keep(events_days=30), now, pause=lambda _seconds: None).run()
    assert {row["name"] for row in rows(database, "select name from agent")} == {"embedded", "new"}
    assert str(run_row(database, run)["agent_id"]).replace("-", "") == holder.hex
