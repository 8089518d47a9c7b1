"""What is silent, stuck or without a process, and what is to be done: for every state, at every side of every deadline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.protocol.states import TERMINAL
from appliance.server.domain.repair import MOST_RETURNS, exited, overran, silent, stuck
from appliance.server.domain.rules import Rules
from appliance.server.domain.run_timeouts import RunTimeout, run_timeout
from appliance.server.domain.transitions import LIVE, TYPES, Accept, Facts, Proposed, decide

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
RULES = Rules(run_lease=90, start_deadline=600, cancel_grace=10)


@dataclass(frozen=True)
class Run:
    state_type: str
    state_at: datetime = NOW
    lease_expires_at: datetime | None = NOW - TICK
    times_resurrected: int = 0
    start_time: datetime | None = None


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("lease", [None, NOW, NOW + TICK])
def test_a_run_is_not_silent_while_its_lease_lasts(type: str, lease: datetime | None) -> None:
    assert silent(Run(type, lease_expires_at=lease), RULES, NOW) is None


@pytest.mark.parametrize(
    ("type", "returns", "action", "state"),
    [
        ("PENDING", 0, "give_back", ("SCHEDULED", "Scheduled")),
        ("PENDING", MOST_RETURNS - 1, "give_back", ("SCHEDULED", "Scheduled")),
        ("PENDING", MOST_RETURNS, "crash", ("FAILED", "Crashed")),
        ("RUNNING", 0, "crash", ("FAILED", "Crashed")),
        ("CANCELLING", 0, "cancel", ("CANCELLED", "Cancelled")),
    ],
)
def test_the_remedy_for_a_silent_run(type: str, returns: int, action: str, state: tuple[str, str]) -> None:
    remedy = silent(Run(type, times_resurrected=returns), RULES, NOW)
    assert remedy is not None
    assert (remedy.action, (remedy.change.type, remedy.change.name), remedy.change.at) == (action, state, NOW)


@pytest.mark.parametrize("type", [type for type in TYPES if type not in LIVE])
def test_a_run_that_is_not_live_is_never_silent_or_stuck(type: str) -> None:
    ancient = Run(type, NOW - timedelta(days=400), NOW - timedelta(days=400))
    assert silent(ancient, RULES, NOW) is None
    assert stuck(ancient, RULES, NOW) is None


@pytest.mark.parametrize(("type", "seconds", "action"), [("PENDING", 600, "give_back"), ("CANCELLING", 100, "cancel")])
def test_a_run_is_stuck_after_its_deadline(type: str, seconds: int, action: str) -> None:
    on_time = Run(type, NOW - timedelta(seconds=seconds), NOW + timedelta(seconds=90))
    assert stuck(on_time, RULES, NOW) is None
    remedy = stuck(replace(on_time, state_at=on_time.state_at - TICK), RULES, NOW)
    assert remedy is not None and remedy.action == action


def test_a_run_that_works_is_never_stuck() -> None:
    assert stuck(Run("RUNNING", NOW - timedelta(days=400), NOW), RULES, NOW) is None


def test_a_run_that_was_given_back_too_often_crashes() -> None:
    remedy = stuck(Run("PENDING", NOW - timedelta(days=1), NOW, MOST_RETURNS), RULES, NOW)
    assert remedy is not None
    assert remedy.change.message == "The agent that took the run did not start it within 600 s."


@pytest.mark.parametrize("type", TYPES)
def test_a_process_that_has_exited_ends_its_run_unless_it_has_ended(type: str) -> None:
    remedy = exited(Run(type), "The run's process exited with code 3.", {"exit_code": 3}, NOW)
    if type in TERMINAL:
        assert remedy is None
    else:
        assert remedy is not None
        assert (remedy.action == "cancel") == (type == "CANCELLING")
        assert remedy.change.data == {"exit_code": 3}


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("timeout", [None, 0, 60.0])
@pytest.mark.parametrize("late", [-TICK, timedelta(0), timedelta(days=1)])
def test_only_a_run_that_is_running_overruns_and_only_after_its_timeout(
    type: str, timeout: float | None, late: timedelta
) -> None:
    """Its lease doesn't matter: an agent reports a frozen process as there."""
    run = Run(type, NOW, NOW + timedelta(days=1), start_time=NOW - timedelta(seconds=60) - late)
    remedy = overran(run, timeout, NOW)
    if type != "RUNNING" or not timeout or late < timedelta(0):
        assert remedy is None
    else:
        assert remedy is not None
        assert (remedy.change.type, remedy.change.name) == ("FAILED", "TimedOut")
        assert remedy.change.message == "The run did not end within its run_timeout of 60 s, so it was stopped."


@pytest.mark.parametrize(
    ("settings", "config", "site", "expected"),
    [
        ({}, {}, 0.0, RunTimeout(None, "site")),
        ({}, {}, 30.0, RunTimeout(30.0, "site")),
        ({}, {"run_timeout": 60}, 30.0, RunTimeout(60, "code")),
        ({"run_timeout": 90.0}, {"run_timeout": 60}, 30.0, RunTimeout(90.0, "operator")),
        ({"run_timeout": 0}, {"run_timeout": 60}, 30.0, RunTimeout(None, "operator")),
        ({"run_timeout": "soon"}, {"run_timeout": True}, 30.0, RunTimeout(30.0, "site")),
        ({"run_timeout": -1}, {"run_timeout": 1e12}, 0.0, RunTimeout(None, "site")),
    ],
)
def test_who_decides_how_long_a_run_may_take(
    settings: dict[str, Any], config: dict[str, Any], site: float, expected: RunTimeout
) -> None:
    assert run_timeout(settings, config, site) == expected


@pytest.mark.parametrize("type", sorted(LIVE))
def test_every_remedy_is_one_that_the_table_accepts(type: str) -> None:
    run = Run(type, NOW - timedelta(days=1), NOW - timedelta(days=1), start_time=NOW - timedelta(days=1))
    remedies = silent(run, RULES, NOW), stuck(run, RULES, NOW), overran(run, 60, NOW), exited(run, "Gone.", None, NOW)
    for remedy in remedies:
        if remedy is not None:
            state = remedy.change.type, remedy.change.name
            assert decide(Facts(type, type.title(), 1), Proposed(*state)) == Accept(*state)
            assert remedy.change.message.endswith(".")
