"""Limits of task tags: slots granted to tasks, waited for, given back, and never held by what is dead."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest

from appliance.protocol.run_protocol import AskSlots, Begin, Slots
from appliance.server.actions import concurrency as limits
from appliance.server.actions import run_protocol as runs
from appliance.server.actions import slots
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.db.session import Database
from appliance.server.domain.concurrency import TASK_TAG
from appliance.server.errors import Invalid, NotFound, StaleAttempt
from appliance.server.services.repair import Repair
from tests.integration.builders import (
    ALICE,
    RUN,
    begun,
    claim,
    create,
    flow,
    one,
    rows,
    run_row,
    send,
    task,
)
from tests.integration.conftest import StoppedClock


def ask(db: Database, run: UUID, *tags: str, index: int = -1, attempt: int = 1, release: bool = False) -> Slots:
    asked = AskSlots(attempt=attempt, task_slug="extract-1", map_index=index, tags=list(tags), release=release)
    return slots.acquire(db, RUN, run, asked)


def limit(db: Database, tag: str, number: int) -> None:
    limits.put(db, ALICE, TASK_TAG, tag, number)


def another(db: Database, agent: UUID) -> UUID:
    run = create(db, UUID(str(run_flow(db))))
    assert [work.flow_run_id for work in claim(db, agent)] == [run]
    assert runs.begin(db, RUN, run, Begin(attempt=1)).verdict == "go"
    return run


def run_flow(db: Database) -> UUID:
    return UUID(str(one(db, "select id from flow")["id"]))


def held(db: Database) -> int:
    return len(rows(db, "select limit_id from task_slot"))


def test_a_tag_without_a_limit_is_free(database: Database) -> None:
    run, _ = begun(database)
    assert ask(database, run, "db").granted
    assert held(database) == 0


def test_the_last_slot_is_given_once_and_its_holder_is_named(database: Database) -> None:
    run, agent = begun(database)
    limit(database, "db", 1)
    assert ask(database, run, "db").granted
    assert ask(database, run, "db").granted, "asking again for what it has is harmless"
    other = another(database, agent)
    refused = ask(database, other, "db", index=3)
    name = run_row(database, run)["name"]
    assert (refused.granted, refused.reason) == (
        False,
        f"The limit of task tag db is reached: 1 of 1 in use, by {name}/extract-1.",
    )
    assert held(database) == 1


def test_all_slots_of_a_task_or_none(database: Database) -> None:
    run, _ = begun(database)
    limit(database, "db", 5)
    limit(database, "api", 0)
    refused = ask(database, run, "db", "api")
    assert (refused.granted, held(database)) == (False, 0)
    assert refused.reason == "The limit of task tag api is 0, so nothing starts; raise it to continue."
    limit(database, "api", 1)
    assert ask(database, run, "db", "api").granted
    assert held(database) == 2


def test_the_end_of_the_task_gives_its_slots_back(database: Database) -> None:
    run, _ = begun(database)
    limit(database, "db", 1)
    assert ask(database, run, "db", index=0).granted
    assert not ask(database, run, "db", index=1).granted
    send(database, run, 1, task("extract-1", "SUCCESS", "Success", map_index=0, freed=True))
    assert ask(database, run, "db", index=1).granted
    ask(database, run, index=1, release=True)
    assert ask(database, run, "db", index=2).granted


def test_a_request_that_arrives_after_the_end_of_its_task_takes_no_slot(database: Database) -> None:
    """Its connection broke while it waited, so the task has asked once more, and has run."""
    run, _ = begun(database)
    limit(database, "db", 1)
    assert ask(database, run, "db").granted
    send(database, run, 1, task("extract-1", "SUCCESS", "Success", freed=True))
    assert not ask(database, run, "db").granted
    assert held(database) == 0
    assert ask(database, run, "db", index=1).granted


def test_what_an_ended_attempt_held_counts_no_more(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    limit(database, "db", 1)
    assert ask(database, run, "db").granted
    other = another(database, agent)
    assert not ask(database, other, "db").granted
    send(database, run, 1, flow("FAILED", "Failed"))
    assert ask(database, other, "db").granted
    assert held(database) == 2
    assert slots.sweep(database) == 1
    assert held(database) == 1
    with pytest.raises(StaleAttempt):
        ask(database, run, "db")


def test_a_dead_run_loses_its_slots_with_its_lease(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    limit(database, "db", 1)
    assert ask(database, run, "db").granted
    clock.move(60)
    other = another(database, agent)
    assert not ask(database, other, "db").granted
    repair = Repair(database, started=clock.time.replace(year=2025))
    assert repair.run_once(clock.move(31))["crashed"] == 1
    assert ask(database, other, "db").granted


def test_a_limit_lowered_below_its_use_lets_nothing_more_start(database: Database) -> None:
    run, _ = begun(database)
    limit(database, "db", 3)
    for index in range(3):
        assert ask(database, run, "db", index=index).granted
    limit(database, "db", 1)
    for index in range(2):
        ask(database, run, index=index, release=True)
        assert not ask(database, run, "db", index=9).granted
    ask(database, run, index=2, release=True)
    assert ask(database, run, "db", index=9).granted


def test_a_run_learns_which_tags_are_limited(database: Database) -> None:
    run, _ = begun(database)
    assert send(database, run, 0).limited_tags == []
    limit(database, "db", 1)
    assert send(database, run, 0).limited_tags == ["db"]
    assert runs.begin(database, RUN, run, Begin(attempt=1)).limited_tags == ["db"]
    limits.remove(database, ALICE, UUID(str(one(database, "select id from concurrency_limit")["id"])))
    assert send(database, run, 0).limited_tags == []


def test_a_run_that_is_being_stopped_may_still_tidy_up(database: Database) -> None:
    run, _ = begun(database)
    limit(database, "db", 1)
    cancel_run(database, ALICE, run)
    assert ask(database, run, "db").granted


def test_questions_that_make_no_sense(database: Database) -> None:
    run, _ = begun(database)
    with pytest.raises(StaleAttempt):
        ask(database, run, "db", attempt=2)
    with pytest.raises(NotFound):
        ask(database, UUID(int=1), "db")
    with pytest.raises(Invalid):
        ask(database, run, *(f"tag-{number}" for number in range(101)))
    with pytest.raises(Invalid):
        ask(database, run, "db", index=-2)


def test_slots_are_never_given_out_twice(database: Database) -> None:
    run, _ = begun(database)
    limit(database, "a", 3)
    limit(database, "b", 3)
    granted: list[int] = []

    def worker(number: int) -> None:
        tags = ("a", "b") if number % 2 else ("b", "a")
        if ask(database, run, *tags, index=number).granted:
            granted.append(number)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 3
    assert held(database) == 6
