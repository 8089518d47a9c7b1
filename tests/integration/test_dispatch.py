"""Who gets to start: limits on flows and labels, projects in turn, and runs of one schedule that must not overlap."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from appliance.protocol.agents import Claim
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import agents, concurrency, overlaps
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.db.session import Database
from appliance.server.errors import Invalid, NotFound
from tests.integration.builders import (
    AGENT,
    ALICE,
    MINUTELY,
    RUN,
    check_histories,
    claim,
    create,
    enrol,
    flow,
    register,
    rows,
    run_row,
    send,
)
from tests.integration.conftest import StoppedClock


def end(db: Database, run: UUID) -> None:
    runs.begin(db, RUN, run, Begin(attempt=1))
    send(db, run, 1, flow("SUCCESS", "Success"))


def blocked(db: Database, agent: UUID) -> bool:
    return agents.claim_due(db, AGENT, agent, Claim(free_slots=5)).blocked


def test_a_flow_starts_no_more_than_its_limit_and_the_next_as_soon_as_one_ends(database: Database) -> None:
    limited, other = register(database), register(database, "other")
    concurrency.put(database, ALICE, "flow", "demo/etl", 2)
    first, second, third, fourth = [create(database, limited.flow_id) for _ in range(4)]
    free = create(database, other.flow_id)
    agent = enrol(database)
    assert [work.flow_run_id for work in claim(database, agent, 9)] == [first, second, free]
    assert blocked(database, agent)
    end(database, first)
    assert [work.flow_run_id for work in claim(database, agent, 9)] == [third]
    cancel_run(database, ALICE, fourth)
    assert not blocked(database, agent)
    check_histories(database)


def test_a_label_limit_counts_runs_of_all_flows_and_zero_pauses(database: Database) -> None:
    flows = [register(database, name) for name in ("a", "b")]
    concurrency.put(database, ALICE, "label", "etl", 1)
    made = [create(database, flows[number % 2].flow_id, labels=["etl", "x"]) for number in range(3)]
    agent = enrol(database, labels=["etl", "x"])
    assert [work.flow_run_id for work in claim(database, agent, 9)] == [made[0]]
    concurrency.put(database, ALICE, "label", "etl", 3)
    assert [work.flow_run_id for work in claim(database, agent, 1)] == [made[1]]
    limit = concurrency.put(database, ALICE, "label", "etl", 0)
    assert claim(database, agent, 9) == [] and blocked(database, agent)
    concurrency.remove(database, ALICE, limit.id)
    assert [work.flow_run_id for work in claim(database, agent, 9)] == [made[2]]


def test_a_limit_below_what_runs_stops_nothing_but_lets_nothing_start(database: Database) -> None:
    registered = register(database)
    made = [create(database, registered.flow_id) for _ in range(4)]
    agent = enrol(database)
    assert len(claim(database, agent, 3)) == 3
    concurrency.put(database, ALICE, "flow", "demo/etl", 1)
    assert claim(database, agent, 9) == []
    for run in made[:2]:
        end(database, run)
    assert claim(database, agent, 9) == []
    end(database, made[2])
    assert [work.flow_run_id for work in claim(database, agent, 9)] == [made[3]]


def test_exhausted_limits_hide_no_others(database: Database) -> None:
    limited, other = register(database), register(database, "other")
    concurrency.put(database, ALICE, "flow", "demo/etl", 0)
    for _ in range(150):
        create(database, limited.flow_id)
    good = create(database, other.flow_id)
    assert [work.flow_run_id for work in claim(database, enrol(database), 5)] == [good]


def test_many_agents_never_exceed_a_limit(database: Database) -> None:
    registered = register(database)
    concurrency.put(database, ALICE, "flow", "demo/etl", 3)
    for _ in range(30):
        create(database, registered.flow_id)
    names = [enrol(database, f"agent {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        given = [run for found in pool.map(lambda agent: claim(database, agent, 2), names) for run in found]
    assert len(given) == 3


def test_projects_take_turns_whatever_one_of_them_has_waiting(database: Database) -> None:
    greedy, modest = register(database), register(database, "small", project="modest")
    for _ in range(12):
        create(database, greedy.flow_id)
    small = [create(database, modest.flow_id) for _ in range(3)]
    agent = enrol(database)
    flows = Counter(work.project for work in claim(database, agent, 4))
    assert flows == {"demo": 2, "modest": 2}
    assert [work.project for work in claim(database, agent, 2)] == ["demo", "modest"]
    assert small[2] in [UUID(str(row["id"])) for row in rows(database, "select id from flow_run where attempt = 1")]
    assert Counter(work.project for work in claim(database, agent, 20)) == {"demo": 9}


def test_priority_comes_before_turns(database: Database) -> None:
    first, second = register(database), register(database, "small", project="modest")
    low = create(database, second.flow_id)
    made = [create(database, first.flow_id) for _ in range(2)]
    with database.write() as session:
        session.execute(
            text("update flow_run set priority = 1 where flow_id <> (select flow_id from flow_run where id = :id)"),
            {"id": low.hex if database.dialect == "sqlite" else low},
        )
    assert [work.flow_run_id for work in claim(database, enrol(database), 9)] == [*made, low]


def scheduled(database: Database, clock: StoppedClock, policy: str) -> tuple[UUID, list[UUID]]:
    """An agent that works on the first run of a schedule, while the second one has come due."""
    register(database, schedules=[MINUTELY])
    with database.write() as session:
        session.execute(text("update schedule set overlap = :policy"), {"policy": policy})
    agent = enrol(database)
    clock.move(60)
    [work] = claim(database, agent, 9)
    clock.move(60)
    planned = rows(database, "select id from flow_run order by due_at")
    return agent, [work.flow_run_id, UUID(str(planned[1]["id"]))]


def test_runs_of_a_schedule_may_overlap_unless_it_says_otherwise(database: Database, clock: StoppedClock) -> None:
    agent, [_, second] = scheduled(database, clock, "allow")
    assert overlaps.settle(database, clock()) == {"skipped": 0, "stopped": 0}
    assert [work.flow_run_id for work in claim(database, agent, 9)] == [second]


def test_a_queued_run_waits_for_the_one_before_it(database: Database, clock: StoppedClock) -> None:
    agent, [first, second] = scheduled(database, clock, "queue")
    clock.move(60)
    assert overlaps.settle(database, clock()) == {"skipped": 0, "stopped": 0}
    assert claim(database, agent, 9) == [] and blocked(database, agent)
    end(database, first)
    assert [work.flow_run_id for work in claim(database, agent, 9)] == [second]


def test_a_run_that_overlaps_is_skipped(database: Database, clock: StoppedClock) -> None:
    agent, [first, second] = scheduled(database, clock, "skip")
    assert claim(database, agent, 9) == []
    assert overlaps.settle(database, clock()) == {"skipped": 1, "stopped": 0}
    row = run_row(database, second)
    assert (row["state_type"], row["state_name"]) == ("CANCELLED", "Skipped")
    assert "was still in progress" in row["state_message"] and row["end_time"] is not None
    assert overlaps.settle(database, clock()) == {"skipped": 0, "stopped": 0}
    end(database, first)
    clock.move(60)
    assert len(claim(database, agent, 9)) == 1
    check_histories(database)


def test_an_older_run_makes_way(database: Database, clock: StoppedClock) -> None:
    agent, [first, second] = scheduled(database, clock, "cancel")
    assert overlaps.settle(database, clock()) == {"skipped": 0, "stopped": 1}
    assert run_row(database, first)["state_type"] == "CANCELLING"
    assert claim(database, agent, 9) == []
    assert overlaps.settle(database, clock()) == {"skipped": 0, "stopped": 0}
    with database.write() as session:
        session.execute(text("update flow_run set state_type = 'CANCELLED' where state_type = 'CANCELLING'"))
    assert [work.flow_run_id for work in claim(database, agent, 9)] == [second]


@pytest.mark.parametrize(
    ("kind", "name", "slots", "error"),
    [
        ("machine", "x", 1, Invalid),
        ("label", "", 1, Invalid),
        ("label", " x", 1, Invalid),
        ("label", "x", -1, Invalid),
        ("label", "x", 10**9, Invalid),
        ("label", "x", True, Invalid),
        ("flow", "nowhere/flow", 1, NotFound),
        ("flow", "etl", 1, NotFound),
    ],
)
def test_limits_that_can_not_be(database: Database, kind: str, name: str, slots: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        concurrency.put(database, ALICE, kind, name, slots)
    assert rows(database, "select id from concurrency_limit") == []


def test_ten_thousand_late_runs_that_nobody_serves(database: Database, clock: StoppedClock) -> None:
    """The good one is taken at the first poll."""
    registered = register(database)
    template = run_row(database, create(database, registered.flow_id, labels=["nobody"]))
    with database.write() as session:
        dialect = database.dialect
        number = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9999) select i from n"
        new_id = "lower(hex(randomblob(16)))" if dialect == "sqlite" else "gen_random_uuid()"
        columns = [name for name in template if name not in ("id", "name")]
        session.execute(
            text(
                f"insert into flow_run (id, name, {', '.join(columns)}) select {new_id}, 'late', {', '.join(columns)}"
                f" from flow_run, ({number}) as numbers"
            )
        )
        session.execute(
            text("update flow_run set scheduled_time = :at"),
            {"at": (clock() - timedelta(hours=1)).replace(tzinfo=None)},
        )
    good = create(database, registered.flow_id)
    assert [work.flow_run_id for work in claim(database, enrol(database), 1)] == [good]
