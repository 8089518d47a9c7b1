"""What a run's token can make the server store: a number of bytes, and a number of states, at the boundary and beyond."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.run_protocol import Begin
from appliance.server.actions import run_protocol
from appliance.server.db.session import Database
from appliance.server.domain.quotas import ROW
from appliance.server.domain.report_budget import ReportBudget
from appliance.server.domain.rules import Rules
from tests.integration import builders

TEXT = "x" * 800


def _tasks(database: Database) -> list[tuple[Any, ...]]:
    found = builders.rows(database, "select map_index, state_name, state_message, result_location from task_run")
    return sorted(tuple(row.values()) for row in found)


def _warnings(database: Database) -> list[str]:
    return [row["message"] for row in builders.rows(database, "select message from log order by id")]


def _child(index: int, type: str, name: str, **fields: Any) -> Any:
    return builders.task("load-1", type, name, map_index=index, **fields)


def _begun(database: Database, **rules: Any) -> UUID:
    database.rules = Rules(**rules)
    run, _agent = builders.begun(database)
    return run


def test_a_run_stores_so_many_bytes_of_states(database: Database) -> None:
    run = _begun(database, run_report_bytes=3 * (ROW + 800))
    fitting = [_child(index, "RUNNING", "Running", message=TEXT) for index in range(3)]
    builders.send(database, run, 1, *fitting)
    assert builders.run_row(database, run)["report_bytes"] == 3 * (ROW + 800)
    assert _warnings(database) == []
    late = [_child(index, "RUNNING", "Again") for index in range(4)]
    ends = [_child(index, "SUCCESS", "Success", message=TEXT, result_location="at") for index in range(4)]
    for seq in (2, 3):
        builders.send(database, run, seq, *late, *ends)
    assert _tasks(database) == [(index, "Success", "", None) for index in range(3)]
    (line,) = _warnings(database)
    assert "stored 3,000 bytes of states" in line and "APPLIANCE_RUN_REPORT_BYTES" in line
    builders.send(database, run, 4, builders.flow("SUCCESS", "Success", message="All done.", data={"large": TEXT}))
    ended = builders.run_row(database, run)
    assert (ended["state_name"], ended["state_message"], ended["state_data"]) == ("Success", "All done.", None)
    builders.check_histories(database)


def test_the_attempts_of_a_run_share_its_bytes_and_more_can_be_allowed(database: Database) -> None:
    run = _begun(database, run_report_bytes=1_000)
    builders.send(database, run, 1, builders.flow("RUNNING", "Large", data={"large": TEXT + TEXT}))
    assert builders.run_row(database, run)["state_name"] == "Running"
    start = "2026-01-31T06:30:00+00:00"
    data = {"start_time": start, "large": TEXT}
    builders.send(database, run, 2, builders.flow("SCHEDULED", "Retrying", data=data))
    assert start[:19] in str(builders.run_row(database, run)["state_data"])
    assert TEXT not in str(builders.run_row(database, run)["state_data"])
    agent = builders.enrol(database)
    assert [work.attempt for work in builders.claim(database, agent)] == [2]
    assert run_protocol.begin(database, builders.RUN, run, Begin(attempt=2)).verdict == "go"
    seq = builders.run_row(database, run)["last_seq"]
    again = builders.flow("RUNNING", "Large", data={"large": TEXT})
    builders.send(database, run, seq + 1, again, attempt=2)
    assert builders.run_row(database, run)["state_name"] == "Running" and len(_warnings(database)) == 1
    database.rules = Rules(run_report_bytes=10_000)
    builders.send(database, run, seq + 2, again, attempt=2)
    assert builders.run_row(database, run)["state_name"] == "Large"


def test_a_run_has_so_many_states_of_its_own(database: Database) -> None:
    run = _begun(database, flow_run_states=6)
    version = builders.run_row(database, run)["version"]
    turns = [builders.flow("RUNNING", f"Turn {number}") for number in range(6 - version + 1)]
    builders.send(database, run, 1, *turns[:-1])
    assert _warnings(database) == [] and builders.run_row(database, run)["version"] == 6
    builders.send(database, run, 2, turns[-1])
    assert builders.run_row(database, run)["version"] == 6
    (line,) = _warnings(database)
    assert "APPLIANCE_FLOW_RUN_STATES" in line
    builders.send(database, run, 3, turns[-1], builders.flow("FAILED", "Failed", message="It broke."))
    ended = builders.run_row(database, run)
    assert (ended["version"], ended["state_name"], ended["state_message"]) == (7, "Failed", "It broke.")
    builders.check_histories(database)


@pytest.mark.parametrize("name", ["Looped", "Mapped"])
def test_a_task_that_only_passes_through_success_is_bounded_too(database: Database, name: str) -> None:
    run = _begun(database, task_run_states=4)
    turns = [builders.task("extract-1", "SUCCESS", name) for _ in range(9)]
    builders.send(database, run, 1, *turns)
    assert builders.one(database, "select version from task_run")["version"] == 4
    builders.send(database, run, 2, *turns, builders.task("extract-1", "SUCCESS", "Success"))
    stored = builders.one(database, "select version, state_name from task_run")
    assert tuple(stored.values()) == (5, "Success")
    assert all("APPLIANCE_TASK_RUN_STATES" in line for line in _warnings(database))


def test_bytes_are_counted_as_they_are_stored() -> None:
    budget = ReportBudget(0, 0)
    assert budget.admit("ä" * 10, {"a": 1}, None, "x") and budget.used == ROW + 20 + 1 + len('{"a":1}')
    assert budget.admit("x" * 10**6, None) and not budget.is_spent
    exact = ReportBudget(ROW, 2 * ROW)
    assert exact.admit("", None) and not exact.is_spent and not exact.admit("", None) and exact.is_newly_spent
    assert not ReportBudget(exact.used, 2 * ROW).is_newly_spent
    assert (Rules().flow_run_states, Rules().run_report_bytes) == (10_000, 1024**3)
