"""What attempts have used, added up for a run and for the last runs of a flow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from appliance.server.domain.attempt_usage import (
    MOST_KEPT,
    AttemptUsage,
    RunUsage,
    TypicalUsage,
    added,
    measured,
    memory_limit,
    typical,
)

GB = 1024**3


def test_what_cannot_be_is_left_out() -> None:
    assert measured(1, 1.5, -1) == AttemptUsage(1, 1.5, None)
    assert measured(1, float("nan"), 2**63) is None is measured(1, None, None)


def test_a_run_keeps_its_last_attempts_and_the_sum_of_all() -> None:
    run: RunUsage | None = RunUsage([], None, None)
    for attempt in range(1, MOST_KEPT + 3):
        assert run is not None
        run = added(run, AttemptUsage(attempt, 0.5, attempt))
    assert run is not None
    assert [used.attempt for used in run.attempts] == list(range(3, MOST_KEPT + 3))
    assert (run.cpu_seconds, run.peak_memory) == ((MOST_KEPT + 2) / 2, MOST_KEPT + 2)
    assert added(run, AttemptUsage(1, 9.0, 9)) is None is added(run, AttemptUsage(5, 9.0, 9))


@pytest.mark.parametrize(
    ("run_config", "limit"),
    [
        ({"type": "docker", "memory": "2g"}, 2 * GB),
        ({"type": "process", "limits": {"memory": "512Mi", "processes": 64}}, GB // 2),
        ({"type": "process", "limits": {"memory": GB}}, GB),
        ({"type": "kubernetes", "memory_limit": "2Gi"}, 2 * GB),
        ({"type": "universal"}, None),
        ({"type": "docker", "memory": "much"}, None),
        ({"type": "docker", "memory": 5}, None),
    ],
)
def test_the_limit_is_the_one_of_the_run_config(run_config: dict[str, Any], limit: int | None) -> None:
    assert memory_limit(run_config) == limit


@dataclass
class Run:
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    run_config: dict[str, Any] = field(default_factory=dict)


def test_typical_are_the_median_and_the_maximum_of_what_is_known() -> None:
    runs = [Run(), Run(1.0, GB, {"memory": "2g"}), Run(9.0, None), Run(2.0, 3 * GB)]
    assert typical(runs) == TypicalUsage(3, 2.0, 9.0, 2 * GB, 3 * GB, 2 * GB)
    assert typical([Run()]) is None
