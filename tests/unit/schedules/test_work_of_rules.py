"""How much work a question to a recurrence rule may be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from appliance.schedules import recurrence
from appliance.schedules import rule as schedule_rule
from appliance.schedules.errors import ScheduleError


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Apia"])
@pytest.mark.parametrize(
    "at", ["2026-03-29T00:59:59Z", "2026-10-25T00:30:00Z", "2011-12-30T09:59:00Z", "2026-06-01T00:00:00Z"]
)
def test_a_rule_finer_than_a_minute_jumps_to_its_next_times(zone: str, at: str) -> None:
    rule = schedule_rule.parse({"kind": "rrule", "rrule": "FREQ=SECONDLY", "timezone": zone})
    before = recurrence.work.steps
    moment = datetime.fromisoformat(at)
    assert len(times := rule.next(10, moment)) == 10 and times[0] > moment
    shift = 3600 if at.startswith("2026") else 86_400
    assert recurrence.work.steps - before <= 2 * (2 * shift + 40)
    if zone == "UTC":
        assert recurrence.work.steps - before < 100


def test_the_work_of_a_rule_counts_towards_the_bound_of_a_search() -> None:
    never = {
        "kind": "rrule",
        "rrule": "FREQ=SECONDLY;INTERVAL=9973;BYSECOND=7",
        "filters": [{"kind": "at_time", "at": "03:00"}],
    }
    before = recurrence.work.steps
    with pytest.raises(ScheduleError, match="passes its filters"):
        schedule_rule.parse(never).next(1, datetime(2026, 1, 1, tzinfo=UTC))
    assert recurrence.work.steps - before < 100_000
