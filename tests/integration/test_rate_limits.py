"""Rate limits of task tags: at most so many starts in any period, counted once each, whoever asks again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from appliance.protocol.run_protocol import AskSlots, Slots
from appliance.server.actions import concurrency as limits
from appliance.server.actions import slots
from appliance.server.db.reads import limit_use
from appliance.server.db.reads.limit_use import LimitUse
from appliance.server.db.session import Database
from appliance.server.domain.concurrency import LABEL, TASK_RATE, TASK_TAG
from appliance.server.errors import Invalid
from tests.integration.builders import ALICE, RUN, begun, rows, run_row, send, task

START = datetime(2026, 3, 2, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def limit(database: Database, starts: int, per: float, tag: str = "api") -> None:
    limits.put(database, ALICE, TASK_RATE, tag, starts, per)


@pytest.fixture
def ask(database: Database) -> Callable[..., Slots]:
    """Requests slots for a task run at a second after the start."""
    run, _agent = begun(database)

    def ask(second: float, index: int, *tags: str, attempt: int = 1) -> Slots:
        request = AskSlots(attempt=attempt, task_slug="call-1", map_index=index, tags=list(tags or ("api",)))
        return slots.acquire(database, RUN, run, request, now=at(second))

    ask.run = run  # type: ignore[attr-defined]
    return ask


def used(database: Database, second: float) -> LimitUse:
    with database.read() as session:
        return limit_use.every(session, at(second))[0]


def test_as_many_starts_as_allowed_and_the_next_one_a_period_after_the_first(
    database: Database, ask: Callable[..., Slots]
) -> None:
    limit(database, 2, 60)
    assert ask(0, 0).granted
    assert ask(10, 1).granted
    refused = ask(20, 2)
    assert not refused.granted
    assert refused.timed
    assert refused.retry_after == 30.0, "nobody waits for longer, since limits may be raised"
    assert refused.reason == "The rate limit of task tag api is reached: 2 started within 60 s."
    assert ask(40, 2).retry_after == 20.0
    assert not ask(59.9, 2).granted
    assert ask(60, 2).granted
    assert not ask(69, 3).granted
    assert ask(70, 3).granted


def test_a_start_counts_after_its_task_has_ended(database: Database, ask: Any) -> None:
    limit(database, 1, 60)
    assert ask(0, 0).granted
    send(database, ask.run, 1, task("call-1", "SUCCESS", "Success", map_index=0, freed=True))
    assert not ask(30, 1).granted
    assert ask(60, 1).granted


def test_a_request_that_is_sent_again_starts_once(database: Database, ask: Callable[..., Slots]) -> None:
    limit(database, 2, 60)
    assert [ask(second, 0).granted for second in (0, 1, 2)] == [True] * 3
    assert used(database, 3).used == 1
    assert ask(4, 1).granted
    assert ask(5, 1).granted, "asking again for what it has is harmless, also when the limit is reached"
    assert not ask(6, 2).granted


def test_another_try_counts_again(database: Database, ask: Any) -> None:
    limit(database, 2, 60)
    assert ask(0, 0).granted
    send(database, ask.run, 1, task("call-1", "SCHEDULED", "AwaitingRetry", map_index=0, freed=True))
    assert ask(1, 0).granted
    assert not ask(2, 1).granted


def test_a_rate_and_slots_of_one_tag_go_together(database: Database, ask: Any) -> None:
    limit(database, 5, 60)
    limits.put(database, ALICE, TASK_TAG, "api", 1)
    assert ask(0, 0).granted
    assert not ask(1, 1).granted, "the slot is taken"
    assert used(database, 2).used == 1, "a task that was refused has not started"
    send(database, ask.run, 1, task("call-1", "SUCCESS", "Success", map_index=0, freed=True))
    assert ask(3, 1).granted
    with database.read() as session:
        rate, tag = limit_use.every(session, at(4))
    assert (rate.kind, rate.used, rate.per) == (TASK_RATE, 2, 60.0)
    assert (tag.kind, tag.used, tag.per) == (TASK_TAG, 1, None)


def test_all_limits_or_none(database: Database, ask: Any) -> None:
    limit(database, 1, 60, "slow")
    limit(database, 5, 60, "fast")
    assert ask(0, 0, "slow", "fast").granted
    refused = ask(1, 1, "slow", "fast")
    assert "task tag slow" in refused.reason
    assert sum(row["n"] for row in rows(database, "select count(*) n from task_start")) == 2


def test_zero_starts_nothing_until_it_is_raised(database: Database, ask: Any) -> None:
    limit(database, 0, 60)
    refused = ask(0, 0)
    assert (refused.granted, refused.retry_after) == (False, 1.0)
    assert refused.reason == "The rate limit of task tag api is 0, so nothing starts; raise it to continue."
    limit(database, 1, 60)
    assert ask(1, 0).granted


def test_lower_and_shorter_limits_hold_at_once(database: Database, ask: Any) -> None:
    limit(database, 3, 60)
    assert [ask(second, second).granted for second in range(3)] == [True] * 3
    limit(database, 1, 10)
    assert ask(11, 3).retry_after == 1.0
    assert ask(12, 3).granted


def test_a_clock_that_is_set_back_blocks_nothing_for_long(database: Database, ask: Any) -> None:
    limit(database, 1, 60)
    assert ask(3600, 0).granted
    assert ask(0, 1).granted
    assert not ask(30, 2).granted
    assert ask(60, 2).granted


def test_the_newest_starts_are_shown(database: Database, ask: Any) -> None:
    limit(database, 3, 60)
    for second in (0, 30, 50):
        assert ask(second, second).granted
    use = used(database, 70)
    name = run_row(database, ask.run)["name"]
    assert (use.used, use.slots) == (2, 3)
    assert [(one.flow_run, one.map_index, one.since) for one in use.holders] == [(name, 50, at(50)), (name, 30, at(30))]


def test_starts_of_earlier_periods_are_forgotten(database: Database, ask: Any) -> None:
    limit(database, 2, 1)
    for second in range(20):
        assert ask(second, second).granted
    (row,) = rows(database, "select count(*) n from task_start")
    assert row["n"] <= 2


@pytest.mark.parametrize(
    ("kind", "number", "per", "sentence"),
    [
        (TASK_RATE, 1, None, "needs per, a period of 1 to 86,400 s"),
        (TASK_RATE, 1, 0.5, "needs per"),
        (TASK_RATE, 1, 86_401.0, "needs per"),
        (TASK_RATE, 1, float("nan"), "needs per"),
        (TASK_RATE, 10_001, 60.0, "At most 10,000 starts"),
        (TASK_TAG, 1, 60.0, "Only a limit of the kind task_rate has a period"),
        (LABEL, 1, 60.0, "Only a limit of the kind task_rate has a period"),
    ],
)
def test_periods_that_make_no_sense_are_refused(
    database: Database, kind: str, number: int, per: float | None, sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence):
        limits.put(database, ALICE, kind, "api", number, per)
    assert rows(database, "select id from concurrency_limit") == []


@pytest.mark.parametrize("seed", range(3))
def test_no_period_ever_has_more_starts(database: Database, ask: Any, seed: int) -> None:
    draw, starts = Random(seed), 4
    limit(database, starts, 10)
    granted, second = [], 0.0
    for index in range(150):
        second += draw.choice((0.0, 0.001, 0.5, 3.0))
        if ask(second, index).granted:
            granted.append(second)
    assert len(granted) > 30
    for first, next_one in zip(granted, granted[starts:], strict=False):
        assert next_one - first >= 10
    assert all(before <= after for before, after in pairwise(granted))
