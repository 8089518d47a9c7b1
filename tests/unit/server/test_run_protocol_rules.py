"""What an attempt may do: every report of every attempt in every state, and whether its process is to stop."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from appliance.protocol.states import TERMINAL
from appliance.server.domain.run_protocol import (
    Gap,
    Repeated,
    Store,
    has_begun,
    judge_report,
    may_start_tasks,
    stop_reason,
)
from appliance.server.domain.transitions import HANDED_BACK, TYPES, Refuse


@dataclass(frozen=True)
class Run:
    state_type: str
    state_name: str = "Name"
    attempt: int = 2
    last_seq: int = 5


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_a_replaced_attempt_may_do_nothing(type: str, attempt: int) -> None:
    for seq, empty in itertools.product(range(8), (False, True)):
        verdict = judge_report(Run(type), attempt, seq, empty=empty)
        assert verdict == may_start_tasks(Run(type), attempt)
        assert isinstance(verdict, Refuse) and verdict.code == "stale_attempt"
    assert not has_begun(Run(type), attempt)


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("empty", [False, True])
def test_every_number_of_a_batch(type: str, empty: bool) -> None:
    at_work, ended = type in ("RUNNING", "CANCELLING"), type in TERMINAL | HANDED_BACK
    for seq in range(8):
        verdict = judge_report(Run(type), 2, seq, empty=empty)
        if seq > (5 if empty else 6):
            assert isinstance(verdict, Gap) and "batch 6" in verdict.sentence
        elif seq <= 5 and (ended or not empty):
            assert verdict == Repeated(ended)
        elif at_work:
            assert verdict == Store(5 if empty else 6)
        else:
            assert verdict == Refuse("stale_attempt", "The run is Name and takes no reports; end this process.")


@pytest.mark.parametrize("type", TYPES)
def test_only_a_run_at_work_starts_tasks(type: str) -> None:
    assert (may_start_tasks(Run(type), 2) is None) == (type in ("RUNNING", "CANCELLING"))
    assert has_begun(Run(type), 2) == (type == "RUNNING")


@pytest.mark.parametrize("type", TYPES)
def test_a_process_stops_when_its_run_is_cancelled_or_has_ended(type: str) -> None:
    assert bool(stop_reason(type, "Name", "")) == (type in TERMINAL | {"CANCELLING"})
    assert stop_reason("CANCELLING", "Cancelling", "Cancelled by alice.") == "Cancelled by alice."
