"""What is shown over a list of runs, and offered while its filter is written, in GraphQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import strawberry

from appliance.server.db.reads.run_histograms import Histogram
from appliance.server.domain.transitions import CANCELLED, CANCELLING, FAILED, RUNNING, SUCCESS


@strawberry.type(
    description="The runs of a list that are due in one stretch of time. `waiting` are those that have not started, or are paused."
)
class RunBucket:
    start: datetime
    success: int
    failed: int
    running: int
    cancelled: int
    waiting: int


@strawberry.type(description="The runs of a list by due time. Stretches without runs are left out.")
class RunHistogram:
    since: datetime
    until: datetime
    seconds: int = strawberry.field(description="The length of each stretch of time.")
    complete: bool = strawberry.field(description="False if the list may have runs that are due before `since`.")
    buckets: list[RunBucket]


@strawberry.type(description="A value for a field of a query.")
class RunSuggestion:
    value: str
    runs: int = strawberry.field(description="How many of the newest 1,000 runs of the list have it.")


def run_histogram(histogram: Histogram) -> RunHistogram:
    span = histogram.span
    return RunHistogram(
        since=span.start,
        until=span.of(span.parts),
        seconds=span.width,
        complete=histogram.complete,
        buckets=[_bucket(span.of(part), numbers) for part, numbers in sorted(histogram.counts.items())],
    )


def _bucket(start: datetime, numbers: Mapping[str, int]) -> RunBucket:
    success, failed, cancelled = (numbers.get(type, 0) for type in (SUCCESS, FAILED, CANCELLED))
    running = numbers.get(RUNNING, 0) + numbers.get(CANCELLING, 0)
    waiting = sum(numbers.values()) - success - failed - cancelled - running
    return RunBucket(start=start, success=success, failed=failed, running=running, cancelled=cancelled, waiting=waiting)
