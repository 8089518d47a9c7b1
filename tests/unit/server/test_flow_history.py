"""What past runs say of a flow: percentiles, causes by frequency, and the critical path."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from appliance.server.domain.failures import Failure
from appliance.server.domain.flow_history import FailedRun, affordable, critical_path, figures, percentile, ranked

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = uuid4()


@dataclass
class Stored:
    stored_rows: int


@dataclass
class Span:
    task_slug: str
    start: float = 0
    end: float = 1
    map_index: int = -1
    state_type: str = "SUCCESS"
    state_name: str = "Success"
    run_count: int = 1
    flow_run_id: UUID = RUN

    @property
    def start_time(self) -> datetime | None:
        return NOON + timedelta(seconds=self.start)

    @property
    def end_time(self) -> datetime | None:
        return NOON + timedelta(seconds=self.end)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 3), (0.95, 5), (0, 1), (1, 5)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([5, 1, 4, 2, 3], share) == expected
    assert percentile([], share) is None


def test_causes_are_ranked_by_how_often_and_then_by_how_lately_they_happened() -> None:
    def failed(minutes: int, task: str, message: str) -> FailedRun:
        return FailedRun(uuid4(), NOON - timedelta(minutes=minutes), Failure(task, message))

    runs = [failed(1, "load", "disk full"), failed(2, "get", "HTTP 503, try 2"), failed(3, "", "crashed")]
    runs.append(failed(4, "get", "HTTP 500, try 1"))
    known = frozenset({("load", "disk full")})
    first, second, third = ranked(runs, known)
    assert (first.task_slug, first.message, first.runs) == ("get", "HTTP 503, try 2", 2)
    assert (first.last_run_id, first.first_run_id, first.known) == (runs[1].id, runs[3].id, False)
    assert [(one.task_slug, one.known) for one in (second, third)] == [("load", True), ("", False)]


def test_the_critical_path_counts_no_moment_twice_and_no_wait() -> None:
    spans = {"get": (0.0, 4.0), "slow": (4.0, 10.0), "quick": (4.0, 5.0), "load": (11.0, 13.0), "aside": (0.0, 1.0)}
    edges = [("get", "slow"), ("get", "quick"), ("slow", "load"), ("quick", "load"), ("gone", "load")]
    assert critical_path(spans, edges) == {"load": 2.0, "slow": 6.0, "get": 4.0}
    overlapping = {"pages": (0.0, 8.0), "rows": (2.0, 9.0)}
    assert critical_path(overlapping, [("pages", "rows")]) == {"rows": 1.0, "pages": 8.0}
    assert critical_path({}, edges) == {}


def test_children_count_for_a_mapped_task_and_what_did_not_run_does_not() -> None:
    runs = [
        Span("a", 0, 100, state_name="Mapped"),
        Span("a", 0, 2, map_index=0, run_count=3),
        Span("a", 0, 4, map_index=1),
        Span("a", 0, 3, map_index=2, state_type="FAILED", state_name="Failed"),
        Span("b", 4, 5, state_type="FAILED", state_name="TriggerFailed", run_count=0),
        Span("c", 4, 5, state_name="Cached"),
        Span("x", 0, 0.5),
    ]
    a, b, c = figures(runs, {RUN: [("x", "a"), ("a", "b")]}, frozenset({"x"}))
    assert (a.slug, a.ended, a.failed, a.retries, a.median_seconds, a.p95_seconds) == ("a", 3, 1, 2, 2.0, 4.0)
    assert (b.slug, b.ended, b.failed, c.ended) == ("b", 0, 0, 0)
    assert a.critical_share == pytest.approx(3.5 / 5), (
        "a takes from x's end to its own, b the second after it, x its own"
    )


def test_runs_with_too_many_tasks_are_passed_over() -> None:
    runs = [Stored(4), Stored(20), Stored(5), Stored(2)]
    assert affordable(runs, 10) == [runs[0], runs[2]]
