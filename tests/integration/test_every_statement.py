"""Every statement that the server's reads and its busiest writes send finds its rows by an index: each one is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import Connection, event

from appliance.config import Settings
from appliance.core.protocol import AgentReport, Exited
from appliance.kit import clock as kit_clock
from appliance.server.actions import agents, flow_runs, repair, schedules
from appliance.server.app import create_app
from appliance.server.db.session import Database
from appliance.server.services.scheduler import Scheduler
from tests.bench import catalogue
from tests.bench.seed import seed
from tests.bench.seed_rows import Sizes
from tests.integration import builders
from tests.integration.server_fixtures import add_token

BIG = ("flow_run", "task_run", "flow_run_state", "task_run_state", "log", "event")
UNTIL = datetime(2026, 3, 2, 8, tzinfo=UTC)
SELDOM = {"GROUP BY flow_run.state_type"}
"""What may read a whole index: the numbers of runs by state, which a server counts for a hundredth of the time at most."""

Sent = dict[str, Any]


@pytest.fixture
def large(database_url: str) -> Iterator[Database]:
    """A database with some of everything, whose newest moment is UNTIL."""
    seed(database_url, Sizes(runs=600, task_runs=6_000, schedules=20), until=UNTIL)
    database = Database(database_url)
    with kit_clock.stopped(lambda: UNTIL):
        yield database
    database.dispose()


@contextmanager
def recorded(database: Database) -> Iterator[Sent]:
    """Each statement that is sent, once, with values of one time."""
    sent: Sent = {}

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, _context: Any, many: bool) -> None:
        several = many and isinstance(values, list)  # what SQLAlchemy folds into one statement has one set of values
        sent.setdefault(sql, values[0] if several else values)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


def scans(connection: Connection, sql: str, values: Any) -> list[str]:
    """The steps that read all of a big table, or all of one of its indexes without an end."""
    if connection.dialect.name == "postgresql":
        plan = [str(row[0]) for row in connection.exec_driver_sql(f"explain {sql}", values)]
        return [step.strip() for step in plan if (found := re.search(r"Seq Scan on (\w+)", step)) and found[1] in BIG]
    names = set(BIG) | {alias for table, alias in re.findall(r"(\w+) AS \"?(\w+)", sql) if table in BIG}
    steps = [str(row[3]) for row in connection.exec_driver_sql(f"explain query plan {sql}", values)]
    whole = [step for step in steps if (found := re.match(r"SCAN (\w+)", step)) and found[1] in names]
    return [step for step in whole if "INDEX" not in step or " LIMIT " not in sql.replace("\n", " ")]


def check(database: Database, sent: Sent) -> None:
    """No statement reads all of a big table."""
    wrong = {}
    with database.engine.connect() as connection:
        if database.dialect == "postgresql":
            connection.exec_driver_sql(
                "set enable_seqscan = off"
            )  # a small table is read faster whole: ask whether it must be
        for sql, values in sent.items():
            verb = sql.lstrip().partition(" ")[0].upper()
            if any(part in sql for part in SELDOM):
                continue
            if verb in ("SELECT", "UPDATE", "DELETE", "WITH", "INSERT") and (found := scans(connection, sql, values)):
                wrong[sql] = found
    assert wrong == {}


def test_reads(large: Database) -> None:
    headers = {"Authorization": f"Bearer {add_token(large, 'bench')}"}
    with large.read() as session:
        asks = catalogue.asks(catalogue.facts(session))
    with TestClient(create_app(Settings(), large)) as client, recorded(large) as sent:
        for ask in asks:
            ask.send(client, headers)
    assert len(sent) > 50
    check(large, sent)


def test_busy_writes(large: Database) -> None:
    with recorded(large) as sent:
        run, agent = builders.begun(large)
        tasks = [builders.task("extract-1", *state) for state in (("RUNNING", "Running"), ("SUCCESS", "Success"))]
        builders.send(large, run, 1, tasks[0], builders.line("hello"))
        builders.send(large, run, 2, *[builders.task("load-1", "RUNNING", "Running", map_index=n) for n in range(9)])
        builders.send(large, run, 2)
        builders.send(large, run, 3, tasks[1], builders.flow("SUCCESS", "Success"))
        flow = builders.register(large, "planned")
        schedules.create(large, builders.ALICE, flow.flow_id, builders.MINUTELY)
        Scheduler(large).run_once(UNTIL + timedelta(minutes=3))
        other = builders.create(large, flow.flow_id, idempotency_key="once")
        flow_runs.cancel(large, builders.ALICE, other)
        work = builders.claim(large, agent, 5, labels=[], holding=[])
        exits = [Exited(flow_run_id=one.flow_run_id, attempt=one.attempt, code=1) for one in work]
        agents.report(large, builders.AGENT, agent, AgentReport(exited=exits))
        late = UNTIL + timedelta(hours=1)
        for silent in repair.silent_runs(large, late, 20):
            repair.mend_silent(large, silent, now=late)
    assert len(sent) > 25
    check(large, sent)


def test_it_can_tell(large: Database) -> None:
    sent: Sent = {
        "select count(*) from task_run where name = 'x'": (),
        "select id from flow_run where created_by = 'x'": (),
    }
    with pytest.raises(AssertionError, match="created_by"):
        check(large, sent)
