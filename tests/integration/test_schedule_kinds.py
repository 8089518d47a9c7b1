"""Schedules of every kind, with filters and calendars, through the server: added, described, and refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance import Calendar, CronClock, DatesClock, RRuleClock, Schedule, adjustments, filters
from appliance.schedules import parse
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

BERLIN = "Europe/Berlin"
KINDS = {
    "filtered": Schedule([CronClock("30 6 * * *", BERLIN)], [filters.is_weekday], calendar=Calendar(["03-10"])),
    "moved": Schedule([CronClock("0 9 1 * *", BERLIN)], adjustments=[adjustments.add(timedelta(days=-1))]),
    "dates": Schedule([DatesClock([datetime(2090, 1, day, tzinfo=UTC) for day in range(1, 5)])]),
    "a day of both fields": Schedule([CronClock("0 6 13 * 5", BERLIN, day_or=False)]),
    "rule until an instant": Schedule([RRuleClock("FREQ=DAILY;UNTIL=20900101T000000Z", timezone=BERLIN)]),
    "rule": Schedule([RRuleClock("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6", timezone=BERLIN)]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_of_each_kind_is_added_over_rest(site: Site, kind: str) -> None:
    flow = builders.register(site.database).flow_id
    clock = KINDS[kind].clocks[0]
    made = site.post(f"/api/v1/flows/{flow}/schedules", {"document": clock.document})
    assert made.status_code == 201
    view = made.json()
    assert view["kind"] == clock.document["kind"]
    assert view["document"] == clock.document
    assert f"{view['description']} ({BERLIN})".split(" (")[0] in clock.describe().replace(f" ({BERLIN})", "")
    first = parse(clock.document).next(3, datetime.fromisoformat(view["next_times"][0]) - timedelta(seconds=1))
    assert [datetime.fromisoformat(text) for text in view["next_times"]] == first


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"filters": [{"kind": "is_holiday"}]}, "kind is one of"),
        ({"filters": [{"kind": "is_weekday"}, {"kind": "is_weekend"}]}, "10,000 consecutive times"),
        ({"calendar": {"holidays": ["soon"]}}, "12-25"),
        ({"adjustments": {}}, "must be a list"),
        ({"day_or": "no"}, "day_or of a cron schedule must be true"),
    ],
)
def test_rules_that_make_no_sense_are_refused(site: Site, rules: dict[str, Any], says: str) -> None:
    flow = builders.register(site.database).flow_id
    refused = site.post(f"/api/v1/flows/{flow}/schedules", {"document": {"kind": "cron", "cron": "@daily"} | rules})
    assert refused.status_code == 400
    assert says in refused.json()["message"]
