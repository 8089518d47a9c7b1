"""A deploy does not break what waits: runs that have not begun follow it, keep their version, or say why they wait."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.agents import CodeGone
from appliance.protocol.flow_runs import ChangeFlowRun, EditFlowRun, ResumeFlowRun
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import deploys
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.edit import edit_run
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.actions.flow_runs.resume import resume_run
from appliance.server.db.session import Database
from tests.integration.builders import (
    AGENT,
    ALICE,
    MINUTELY,
    RUN,
    N,
    begun,
    check_histories,
    claim,
    create,
    enrol,
    flow,
    register,
    rows,
    run_row,
    send,
    task,
    waits,
)
from tests.integration.conftest import StoppedClock

GONE = "The flow file etl.py has changed."
DAY = {"name": "day", "required": True, "default": None, "schema": {"type": "string"}}


def give_back(db: Database, agent: UUID) -> tuple[UUID, bool]:
    """Claim one run, whose code the agent does not have."""
    (work,) = claim(db, agent)
    request = CodeGone(flow_run_id=work.flow_run_id, attempt=work.attempt, reason=GONE)
    answer = deploys.take_back(db, AGENT, agent, request)
    assert deploys.take_back(db, AGENT, agent, request) == answer  # the answer may be lost
    return work.flow_run_id, answer.taken_back


def test_what_an_agent_lacks_beside_the_code_leaves_the_version_as_it_is(database: Database) -> None:
    agent, run = enrol(database), create(database, register(database, content="a").flow_id)
    (work,) = claim(database, agent)
    register(database, content="b")
    reason = "This agent has no Python 3.99."
    request = CodeGone(flow_run_id=run, attempt=work.attempt, reason=reason, is_code=False)
    for _ in range(2):  # the answer may be lost
        assert deploys.take_back(database, AGENT, agent, request).taken_back
    assert version_of(database, run) == 1
    assert messages(database, run)[-2:] == [reason, f"{reason} Resume the run when that has changed, or cancel it."]
    reason_to_wait = waits(database, run)
    assert reason_to_wait is not None and reason_to_wait.code == "no_code"


def version_of(db: Database, run: UUID) -> int:
    query = "select number from flow_version v join flow_run r on r.flow_version_id = v.id where r.id = :id"
    return int(rows(db, query, id=run)[0]["number"])


def messages(db: Database, run: UUID) -> list[str]:
    return [
        row["message"]
        for row in rows(db, "select message from flow_run_state where flow_run_id = :id order by version", id=run)
    ]


@pytest.mark.parametrize("change", ["due", "edited", "paused"])
def test_scheduled_runs_that_have_not_begun_follow(database: Database, clock: StoppedClock, change: str) -> None:
    register(database, content="a", schedules=[MINUTELY], parameters=[N])
    run = UUID(str(rows(database, "select id from flow_run order by due_at")[0]["id"]))
    if change == "due":
        clock.move(90)
    elif change == "edited":
        edit_run(database, ALICE, run, EditFlowRun(priority=5))
    else:
        pause_run(database, ALICE, run)
    before = run_row(database, run)
    register(database, content="b", schedules=[MINUTELY], parameters=[N])
    after = run_row(database, run)
    assert version_of(database, run) == 2
    kept = ("name", "priority", "state_type", "state_name", "scheduled_time", "due_at")
    assert [after[column] for column in kept] == [before[column] for column in kept]
    assert messages(database, run)[-1] == "Moved from version 1 to version 2, which was registered."
    check_histories(database)


def test_what_was_created_by_hand_keeps_its_version_while_there_is_code(database: Database) -> None:
    run = create(database, register(database, content="a").flow_id)
    register(database, content="b")
    agent = enrol(database)
    (work,) = claim(database, agent)
    assert work.flow_run_id == run and version_of(database, run) == 1


def test_without_code_it_moves_to_the_newest_version_and_says_so(database: Database) -> None:
    run = create(database, register(database, content="a", parameters=[N]).flow_id, parameters={"n": 7})
    register(database, content="b", parameters=[N, N | {"name": "m", "default": 3}], labels=["gpu"])
    agent = enrol(database, labels=["gpu"])
    assert give_back(database, agent) == (run, True)
    assert version_of(database, run) == 2
    assert messages(database, run)[-1] == (
        f"Moved from version 1 to version 2; the code of version 1 can't be obtained any more: {GONE}"
    )
    (work,) = claim(database, agent)
    begins = runs.begin(database, RUN, run, Begin(attempt=work.attempt))
    assert (begins.verdict, begins.parameters, work.storage) == ("go", {"n": 7, "m": 3}, begins.storage)
    check_histories(database)


def test_a_default_of_a_parameter_that_is_gone_goes_too(database: Database) -> None:
    run = create(database, register(database, content="a", parameters=[N]).flow_id)
    register(database, content="b")
    assert give_back(database, enrol(database)) == (run, True)
    assert version_of(database, run) == 2


@pytest.mark.parametrize("content", ["a", "b"])
def test_code_that_is_changed_before_it_is_registered_is_waited_for(database: Database, content: str) -> None:
    """Between the copy of a file and its registration: scheduled runs too."""
    run = create(database, register(database, content="a").flow_id)
    agent = enrol(database)
    assert give_back(database, agent) == (run, True)
    assert (waits(database, run).code, version_of(database, run)) == ("no_code", 1)
    register(database, content=content)
    (work,) = claim(database, agent)
    assert work.flow_run_id == run


def test_a_run_whose_code_changes_while_it_starts_moves_as_well(database: Database) -> None:
    run, agent = begun(database, content="a")
    paused: dict[str, Any] = {"message": GONE, "data": {"waits_for": "code"}}
    send(database, run, 1, flow("PAUSED", "Paused", **paused))
    assert waits(database, run).code == "no_code"
    register(database, content="b")
    assert give_back(database, agent) == (run, True)
    assert version_of(database, run) == 2


@pytest.mark.parametrize("way", ["the version again", "one that fits", "resume"])
def test_one_that_can_not_move_says_so_and_continues(database: Database, way: str) -> None:
    run = create(database, register(database, content="a").flow_id)
    register(database, content="b", parameters=[DAY])
    agent = enrol(database)
    assert give_back(database, agent) == (run, True)
    assert claim(database, agent) == []
    why = waits(database, run)
    assert why.code == "no_code"
    assert why.sentence == (
        f"The code of version 1 can't be obtained any more: {GONE} The run's parameters don't fit version 2: Parameter 'day' is "
        "required; give it a value. Register that code again, or a version that takes them, and the run continues; or cancel the "
        "run and create a new one."
    )
    if way == "resume":
        resume_run(database, ALICE, run, ResumeFlowRun())
    else:
        register(database, content="a" if way == "the version again" else "c")
    (work,) = claim(database, agent)
    assert work.flow_run_id == run and version_of(database, run) == 1
    check_histories(database)


def test_one_that_has_begun_never_moves(database: Database) -> None:
    run, agent = begun(database, content="a")
    send(database, run, 1, task("extract-1", "SUCCESS", "Success"), flow("FAILED", "Failed", message="no"))
    register(database, content="b")
    restart_run(database, ALICE, run)
    assert give_back(database, agent) == (run, True)
    assert version_of(database, run) == 1
    assert "with which the run has begun" in waits(database, run).sentence
    cancel_run(database, ALICE, run, ChangeFlowRun())
    assert run_row(database, run)["state_type"] == "CANCELLED"


def test_a_cancelled_or_foreign_attempt_is_not_the_agents_any_more(database: Database) -> None:
    run = create(database, register(database, content="a").flow_id)
    register(database, content="b")
    agent, other = enrol(database), enrol(database, "other")
    (work,) = claim(database, agent)
    for holder, attempt in ((other, work.attempt), (agent, work.attempt + 1)):
        request = CodeGone(flow_run_id=run, attempt=attempt, reason=GONE)
        assert deploys.take_back(database, AGENT, holder, request).taken_back
    assert run_row(database, run)["state_type"] == "PENDING" and version_of(database, run) == 1
