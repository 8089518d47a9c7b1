"""Runs that tasks of other runs start: what the server lets them start, and what happens to both."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from appliance.kit import ids
from appliance.protocol.flow_runs import ChangeFlowRun, CreateFlowRun
from appliance.protocol.flows import Registration
from appliance.protocol.run_protocol import AskChild, AwaitChildren, Begin, ChildAnswer
from appliance.server.actions import child_runs, concurrency, flows
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.db.session import Database
from appliance.server.domain.child_runs import MOST_LEVELS, declared, next_step
from appliance.server.errors import Conflict, Invalid, NotFound, StaleAttempt, Undeclared
from tests.integration import builders
from tests.integration.builders import ALICE, RUN, N, claim, enrol, flow, rows, run_row, send

STARTS = {
    "start-1": {"flow": "etl"},
    "first-1": {"flow": "etl", "version": 1},
    "ninth-1": {"flow": "etl", "version": 9},
    "again-1": {"flow": "parent"},
    "far-1": {"flow": "etl", "project": "other"},
}


def parent_flow(db: Database) -> UUID:
    document = builders.document() | {
        "name": "parent",
        "tasks": [{"slug": slug, "name": slug, "starts": starts} for slug, starts in STARTS.items()]
        + [{"slug": "x-1"}],
        "edges": [],
        "reference_tasks": [],
    }
    request = Registration(
        project="demo",
        name="parent",
        content_hash=ids.sha256("p"),
        document=document,
        storage={"type": "local", "path": "p.py"},
    )
    return flows.register(db, ALICE, request).flow_id


def begin(db: Database, run: UUID, agent: UUID, attempt: int = 1) -> UUID:
    assert [work.flow_run_id for work in claim(db, agent)] == [run]
    assert runs.begin(db, RUN, run, Begin(attempt=attempt)).verdict == "go"
    return run


@pytest.fixture
def agent(database: Database) -> UUID:
    return enrol(database, capacity=8)


@pytest.fixture
def parent(database: Database, agent: UUID) -> UUID:
    builders.register(database, parameters=[N])
    flow_id = parent_flow(database)
    return begin(database, create_run(database, ALICE, CreateFlowRun(flow_id=flow_id)).id, agent)


def ask(db: Database, run: UUID, slug: str = "start-1", attempt: int = 1, **fields: Any) -> ChildAnswer:
    return child_runs.follow(db, RUN, run, AskChild(attempt=attempt, task_slug=slug, **fields))


def end(db: Database, child: UUID, agent: UUID, type: str = "SUCCESS", name: str = "Success", attempt: int = 1) -> None:
    begin(db, child, agent, attempt)
    send(db, child, 1, flow(type, name, message="It is over."), attempt=attempt)


def children(db: Database) -> list[dict[str, Any]]:
    return rows(db, "select id from flow_run where parent_flow_run_id is not null")


def test_a_task_run_has_one_child_however_often_it_asks(database: Database, parent: UUID) -> None:
    first = ask(database, parent, parameters={"n": 7}, labels=["x"], name="my child")
    again = ask(database, parent, parameters={"n": 8})
    assert (first.flow_run_id, first.name, first.flow, first.over) == (again.flow_run_id, "my child", "etl", False)
    child = run_row(database, first.flow_run_id)
    name = run_row(database, parent)["name"]
    assert (json.loads(child["parameters"]), json.loads(child["labels"])) == ({"n": 7}, ["x"])
    assert child["created_by"] == f"run {name}"
    assert (child["parent_task_slug"], child["parent_map_index"]) == ("start-1", -1)
    assert len(children(database)) == 1
    assert ask(database, parent, map_index=0).flow_run_id != ask(database, parent, map_index=1).flow_run_id
    assert len(children(database)) == 3


def test_only_what_the_flow_declares_is_started(database: Database, parent: UUID) -> None:
    with pytest.raises(
        Undeclared, match=r"Version 1 of flow 'parent' doesn't declare that task 'x-1' starts runs.*run_flow"
    ):
        ask(database, parent, "x-1")
    with pytest.raises(NotFound, match="There is no flow 'etl' in project 'other'"):
        ask(database, parent, "far-1")
    with pytest.raises(Invalid, match="n"):
        ask(database, parent, parameters={"n": "text"})
    for strange in ({"slug": ""}, {"map_index": -2}, {"count": -1}):
        with pytest.raises(Invalid):
            ask(database, parent, **strange)
    assert children(database) == []


def test_a_stale_attempt_and_a_cancelled_run_start_nothing(database: Database, parent: UUID) -> None:
    with pytest.raises(StaleAttempt):
        ask(database, parent, attempt=2)
    cancel_run(database, ALICE, parent)
    with pytest.raises(Conflict, match="being cancelled"):
        ask(database, parent)
    assert children(database) == []


def test_the_end_of_a_child_is_passed_on_once_and_a_later_try_restarts_it(
    database: Database, parent: UUID, agent: UUID
) -> None:
    child = ask(database, parent).flow_run_id
    end(database, child, agent, "FAILED", "Failed")
    for _ in range(2):
        answer = ask(database, parent)
        assert (answer.over, answer.state_name, answer.message) == (True, "Failed", "It is over.")
    answer = ask(database, parent, count=2)
    assert (answer.flow_run_id, answer.over, answer.state_type) == (child, False, "SCHEDULED")
    assert run_row(database, child)["attempt"] == 1  # the next claim makes it 2
    end(database, child, agent, attempt=2)
    answer = ask(database, parent, count=2)
    assert (answer.over, answer.state_type) == (True, "SUCCESS")
    assert ask(database, parent, count=3).over
    assert len(children(database)) == 1
    builders.check_histories(database)


def test_a_restart_of_the_parent_restarts_a_child_that_failed_while_it_was_away(
    database: Database, parent: UUID, agent: UUID
) -> None:
    child = ask(database, parent).flow_run_id
    end(database, child, agent, "FAILED", "Failed")
    send(database, parent, 1, flow("FAILED", "Crashed"))
    restart_run(database, ALICE, parent)
    begin(database, parent, agent, attempt=2)
    answer = ask(database, parent, attempt=2)
    assert (answer.flow_run_id, answer.over, answer.state_type) == (child, False, "SCHEDULED")


def test_a_child_that_failed_while_its_parent_had_given_its_place_back_fails_the_task(
    database: Database, parent: UUID, agent: UUID
) -> None:
    child = ask(database, parent).flow_run_id
    end(database, child, agent, "FAILED", "Failed")
    send(database, parent, 1, flow("SCHEDULED", "AwaitingRetry"))
    begin(database, parent, agent, attempt=2)
    answer = ask(database, parent, attempt=2)
    assert (answer.flow_run_id, answer.over, answer.state_name) == (child, True, "Failed")


def test_a_child_that_was_cancelled_before_it_started_is_restarted_with_its_parent(
    database: Database, parent: UUID, agent: UUID
) -> None:
    child = ask(database, parent).flow_run_id
    cancel_run(database, ALICE, parent)
    assert run_row(database, child)["state_type"] == "CANCELLED"
    send(database, parent, 1, flow("CANCELLED", "Cancelled"))
    restart_run(database, ALICE, parent)
    begin(database, parent, agent, attempt=2)
    assert not ask(database, parent, attempt=2).over
    end(database, child, agent)
    assert ask(database, parent, attempt=2).state_type == "SUCCESS"
    builders.check_histories(database)


def test_cancelling_a_run_cancels_the_children_that_it_waits_for(database: Database, parent: UUID, agent: UUID) -> None:
    waits, goes_on = ask(database, parent).flow_run_id, ask(database, parent, map_index=0, wait=False)
    assert goes_on.over
    begun = ask(database, parent, "again-1").flow_run_id
    assert {work.flow_run_id for work in claim(database, agent, 3)} == {waits, goes_on.flow_run_id, begun}
    assert runs.begin(database, RUN, begun, Begin(attempt=1)).verdict == "go"
    grandchild = ask(database, begun).flow_run_id
    cancel_run(database, ALICE, parent, ChangeFlowRun(reason="Enough."))
    assert [run_row(database, run)["state_type"] for run in (parent, begun, grandchild)] == [
        "CANCELLING",
        "CANCELLING",
        "CANCELLED",
    ]
    assert run_row(database, waits)["state_type"] in ("CANCELLED", "CANCELLING")
    assert run_row(database, goes_on.flow_run_id)["state_type"] == "PENDING"
    name = run_row(database, begun)["name"]
    assert run_row(database, grandchild)["state_message"] == f"Its parent run {name} was cancelled by alice."
    builders.check_histories(database)


def test_a_run_learns_which_children_have_ended(database: Database, parent: UUID, agent: UUID) -> None:
    child = ask(database, parent).flow_run_id
    ask(database, parent, map_index=0)
    with pytest.raises(StaleAttempt):
        child_runs.ended(database, parent, AwaitChildren(attempt=3))
    assert child_runs.ended(database, parent, AwaitChildren(attempt=1)).ended == []
    cancel_run(database, ALICE, child)
    assert child_runs.ended(database, parent, AwaitChildren(attempt=1)).ended == [child]


def test_a_run_whose_place_its_child_needs_gives_it_back(database: Database) -> None:
    agent = enrol(database, capacity=1)
    builders.register(database)
    run = begin(database, create_run(database, ALICE, CreateFlowRun(flow_id=parent_flow(database))).id, agent)
    answer = ask(database, run)
    assert (answer.gives_back, answer.reason) == (True, "All agents are full.")


def test_a_limit_whose_slot_the_parent_takes_is_seen_through(database: Database, parent: UUID) -> None:
    concurrency.put(database, ALICE, "flow", "demo/parent", 1)
    answer = ask(database, parent, "again-1")
    assert answer.gives_back
    assert run_row(database, parent)["name"] in answer.reason
    assert not ask(database, parent).gives_back


def test_a_limit_whose_slot_a_run_further_up_takes_is_named_as_what_blocks(database: Database) -> None:
    agent = enrol(database, labels=["heavy"])
    builders.register(database)
    top = begin(database, builders.create(database, parent_flow(database), labels=["heavy"]), agent)
    concurrency.put(database, ALICE, "label", "heavy", 1)
    middle = begin(database, ask(database, top, "again-1").flow_run_id, agent)
    answer = ask(database, middle, labels=["heavy"])
    name = run_row(database, top)["name"]
    assert not answer.gives_back
    assert answer.reason.startswith(f"The limit of label heavy is reached: 1 of 1 in use, by {name}.")
    assert f"Run {name} waits for this run in turn, so that neither goes on" in answer.reason


def test_a_version_may_be_chosen(database: Database, parent: UUID) -> None:
    builders.register(database, content="new")
    numbers = "select v.number from flow_run r join flow_version v on v.id = r.flow_version_id where r.id = :run"
    chosen = {slug: ask(database, parent, slug).flow_run_id for slug in ("start-1", "first-1")}
    assert {slug: builders.one(database, numbers, run=run)["number"] for slug, run in chosen.items()} == {
        "start-1": 2,
        "first-1": 1,
    }
    with pytest.raises(NotFound, match="no version 9"):
        ask(database, parent, "ninth-1")


def test_another_task_waits_for_a_child_and_reads_a_result(database: Database, parent: UUID, agent: UUID) -> None:
    child = ask(database, parent, wait=False).flow_run_id
    assert child_runs.ended(database, parent, AwaitChildren(attempt=1)).ended == []
    assert not ask(database, parent, "wait-1", flow_run_id=child).over
    read = {"flow_run_id": child, "result_of": "load-1"}
    assert not ask(database, parent, "read-1", **read).over
    begin(database, child, agent)
    digest = {"result_sha256": "ab"}
    tasks = [
        builders.task("load-1", "SUCCESS", "Success", map_index=n, data=digest, result_location=f"at/{n}")
        for n in (0, 1)
    ]
    tasks.append(builders.task("load-1", "SUCCESS", "Mapped", data={"n_map_states": 2}))
    send(database, child, 1, *tasks, builders.task("extract-1", "SUCCESS", "Success"), flow("SUCCESS", "Success"))
    assert child_runs.ended(database, parent, AwaitChildren(attempt=1)).ended == [child]
    answer = ask(database, parent, "read-1", **read)
    assert answer.results is not None
    assert (answer.mapped, [(one.location, one.sha256) for one in answer.results]) == (
        True,
        [("at/0", "ab"), ("at/1", "ab")],
    )
    (one,) = ask(database, parent, "read-1", **read, result_index=1).results or ()
    assert (one.location, one.state_name) == ("at/1", "Success")
    (extracted,) = ask(database, parent, "read-1", **{**read, "result_of": "extract-1"}).results or ()
    assert extracted.location is None
    assert ask(database, parent, "read-1", **{**read, "result_of": "none"}).results is None
    for strange in ({"result_of": "load-1"}, {**read, "result_index": -2}):
        with pytest.raises(Invalid):
            ask(database, parent, "read-1", **strange)


def test_only_children_of_the_run_are_waited_for(database: Database, parent: UUID, agent: UUID) -> None:
    stranger = builders.create(database, UUID(str(run_row(database, ask(database, parent).flow_run_id)["flow_id"])))
    for other in (stranger, parent):
        with pytest.raises(NotFound, match="No task of this run has started"):
            ask(database, parent, "wait-1", flow_run_id=other)


def test_who_only_reads_a_result_restarts_nothing(database: Database, parent: UUID, agent: UUID) -> None:
    child = ask(database, parent).flow_run_id
    end(database, child, agent, "FAILED", "Failed")
    ask(database, parent)
    assert ask(database, parent, "read-1", count=2, flow_run_id=child, result_of="load-1").over
    assert not ask(database, parent, "wait-1", count=2, flow_run_id=child).over


def test_runs_start_runs_so_many_levels_deep_and_no_deeper(database: Database, parent: UUID, agent: UUID) -> None:
    run = parent
    for _ in range(MOST_LEVELS):
        child = ask(database, run, "again-1").flow_run_id
        send(database, run, 1, flow("FAILED", "Crashed")) if run != parent else None
        run = begin(database, child, agent)
    with pytest.raises(Conflict, match="at most 20 levels deep"):
        ask(database, run, "again-1")


def test_two_answers_at_once_create_one_child(database: Database, parent: UUID) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = {answer.flow_run_id for answer in pool.map(lambda _: ask(database, parent), range(8))}
    assert len(found) == len(children(database)) == 1


def test_the_rules() -> None:
    assert declared({"tasks": [{"slug": "a", "starts": 3}, {"slug": "b", "starts": {"flow": None}}]}, "a", "p") is None
    assert declared({}, "a", "p") is None
    assert [next_step("FAILED", known, "1.1") for known in (None, "1.1", "1.0")] == ["note", "follow", "restart"]
    assert next_step("SUCCESS", "1.0", "1.1") == next_step("RUNNING", None, "1.1") == "follow"
