"""Turns: with SQLite one works at a time, in the order in which they came, and nobody is served too late."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.kit import clock
from appliance.server.api.turns import PATIENCE, Turns
from appliance.server.errors import Unavailable


def turns_of(dialect: str) -> Turns:
    database: Any = SimpleNamespace(dialect=dialect)
    return Turns(database)


def test_one_after_the_other_in_order() -> None:
    turns, done, at_work = turns_of("sqlite"), list[int](), threading.Lock()

    def work(number: int) -> int:
        assert at_work.acquire(blocking=False), "two were at work at a time"
        done.append(number)
        at_work.release()
        return number

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(turns.take(lambda n=n: work(n)) for n in range(50)))

    assert asyncio.run(all_of_them()) == list(range(50)) == done
    turns.close()


def test_on_postgres_several_work_at_a_time() -> None:
    turns, both = turns_of("postgresql"), threading.Barrier(2)

    async def two() -> None:
        await asyncio.gather(turns.take(lambda: both.wait(10)), turns.take(lambda: both.wait(10)))

    asyncio.run(two())
    turns.close()


def test_whoever_comes_to_their_turn_too_late_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, now, done = turns_of("sqlite"), [0.0], list[str]()
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])

    both_wait = threading.Event()

    def long() -> None:
        assert both_wait.wait(10)
        now[0] = PATIENCE + 1

    async def a_long_one_and_another() -> None:
        first = asyncio.create_task(turns.take(long))
        second = asyncio.create_task(turns.take(lambda: done.append("late")))
        asyncio.get_running_loop().call_soon(both_wait.set)  # after the first step of both tasks
        await first
        with pytest.raises(Unavailable, match="busy"):
            await second

    asyncio.run(a_long_one_and_another())
    assert done == []
    turns.close()
