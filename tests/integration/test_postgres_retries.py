"""Transactions that Postgres undoes: done again when that is safe, told to nobody, and never done twice."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from appliance.server.actions import leases
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.errors import Contended, Interrupted, Unavailable
from tests.integration.builders import one
from tests.integration.databases import empty

SERVER = Path(__file__).resolve().parents[2] / "appliance" / "server"
WRITERS, ROUNDS = 8, 6


@pytest.fixture
def db(postgres_database: str) -> Iterator[Database]:
    empty(postgres_database)
    opened = Database(postgres_database)
    for name in ("a", "b"):
        leases.acquire(opened, name, "test", 60)
    with opened.write() as session:
        session.execute(text("update lease set epoch = 0"))
    yield opened
    opened.dispose()


def add_one(session: Session, name: str) -> None:
    session.execute(text("update lease set epoch = epoch + 1 where name = :name"), {"name": name})


def epochs(db: Database) -> dict[str, Any]:
    return {name: one(db, "select epoch from lease where name = :name", name=name)["epoch"] for name in ("a", "b")}


def all_at_once(act: Callable[[int], None]) -> None:
    barrier = threading.Barrier(WRITERS)

    def work(number: int) -> None:
        barrier.wait(10)
        for turn in range(ROUNDS):
            act(number + turn)

    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(work, number) for number in range(WRITERS)]:
            done.result(60)


def test_writers_who_lock_in_opposite_order_hear_nothing_of_it(db: Database) -> None:
    met = []

    @retried
    def both(number: int) -> None:
        try:
            with db.write() as session:
                session.execute(text("set local deadlock_timeout = '20ms'"))
                for name in ("a", "b") if number % 2 else ("b", "a"):
                    add_one(session, name)
        except Contended:
            met.append(number)
            raise

    all_at_once(both)
    assert epochs(db) == {"a": WRITERS * ROUNDS, "b": WRITERS * ROUNDS}
    assert met, "nobody met anybody: this tested nothing"


def test_serialization_failures_are_told_to_nobody(db: Database) -> None:
    met = []
    turns = threading.Semaphore(2)  # more at once would fail more often than we try

    @retried
    def count(number: int) -> None:
        try:
            with db.write() as session:
                session.execute(text("set transaction isolation level repeatable read"))
                epoch = session.execute(text("select epoch from lease where name = 'a'")).scalar_one()
                session.execute(text("update lease set epoch = :new where name = 'a'"), {"new": epoch + 1})
        except Contended:
            met.append(number)
            raise

    def in_turn(number: int) -> None:
        with turns:
            count(number)

    all_at_once(in_turn)
    assert epochs(db)["a"] == WRITERS * ROUNDS
    assert met, "nobody met anybody: this tested nothing"


def test_who_meets_others_again_and_again_is_told(db: Database) -> None:
    tries = []

    @retried
    def never() -> None:
        tries.append(1)
        raise Contended("again")

    with pytest.raises(Contended):
        never()
    assert len(tries) == 4


def end_backend_of(db: Database, session: Session) -> None:
    pid = session.execute(text("select pg_backend_pid()")).scalar_one()
    with db.engine.connect() as other:
        other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_an_action_whose_backend_is_ended_is_done_again_once(db: Database) -> None:
    tries = []

    @retried
    def act(deaths: int) -> None:
        tries.append(1)
        with db.write() as session:
            add_one(session, "a")
            if len(tries) <= deaths:
                end_backend_of(db, session)
            add_one(session, "b")

    act(1)
    assert len(tries) == 2
    assert epochs(db) == {"a": 1, "b": 1}
    tries.clear()
    with pytest.raises(Interrupted, match="nothing was changed"):
        act(2)
    assert len(tries) == 2
    assert epochs(db) == {"a": 1, "b": 1}


def test_a_connection_lost_while_committing_is_not_tried_again(db: Database) -> None:
    """Whether the change was kept is not known then: only the key of who asked can tell."""
    tries = []

    @retried
    def act() -> None:
        tries.append(1)
        with db.write() as session:
            add_one(session, "a")
            end_backend_of(db, session)

    with pytest.raises(Unavailable, match="may have kept") as caught:
        act()
    assert not isinstance(caught.value, Interrupted)
    assert len(tries) == 1


def test_nothing_is_done_again_once_a_part_was_kept(db: Database) -> None:
    @retried
    def act() -> None:
        with db.write() as session:
            add_one(session, "a")
        raise Contended("in a second transaction")

    with pytest.raises(Contended):
        act()
    assert epochs(db)["a"] == 1


OTHERWISE = {
    "retention.py: _work": "it deletes in as many transactions as it likes, and continues in its next round",
    "jobs.py: _create": "only keyed actions call it",
    "keyed.py: recorded": "its action is retried, and may be done again",
    "keyed.py: decorate": "as above",
    "keyed.py: once": "as above",
    "keyed.py: keyed": "its wrapper is marked",
}
"""Functions that are not marked, and why."""


def test_every_action_is_tried_again() -> None:
    missing = []
    for path in [*SERVER.glob("actions/*.py"), *SERVER.glob("auth/*.py"), *SERVER.glob("events/*.py")]:
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and _writes(function) and not _is_marked(function):
                missing.append(f"{path.name}: {function.name}")
    missing = [name for name in missing if name not in OTHERWISE]
    assert not missing, f"a function that opens a transaction is marked @retried or @keyed: {missing}"


def _is_marked(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(mark).partition("(")[0] in ("retried", "keyed") for mark in function.decorator_list)


def _writes(function: ast.FunctionDef) -> bool:
    opened = [item.context_expr for node in ast.walk(function) if isinstance(node, ast.With) for item in node.items]
    return any(
        isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "write"
        for call in opened
    )
