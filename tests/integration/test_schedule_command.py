"""`appliance schedule`: what people do with schedules on the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from appliance.kit import clock
from appliance.server.actions import schedules
from appliance.server.services.scheduler import Scheduler
from tests.integration.builders import ALICE, YEARLY, N, register, rows
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]


def test_a_schedule_is_added_changed_switched_and_deleted(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl", parameters=[N])
    given = ("schedule", "add", "etl", "--project", "demo", "--cron", "30 6 * * *", "--timezone", "Europe/Berlin")
    added = msgspec.json.decode(run(*given, "-p", "n=3", "--overlap", "skip", "--json"))
    assert (added["overlap"], added["parameters"], added["timezone"]) == ("skip", {"n": 3}, "Europe/Berlin")
    assert len(rows(site.database, "select id from flow_run where due_at is not null")) > 1
    told = run("schedule", "edit", added["id"], "--catch-up", "all", "--catch-up-cap", "7", "--catch-up-window", "2d")
    assert "Missed times: all, at most 7, from the last 2 days. Overlapping runs: skip." in told
    days = ("--cron", "0 6 13 * 5", "--day-and")
    assert msgspec.json.decode(run("schedule", "edit", added["id"], *days, "--json"))["document"]["day_or"] is False
    assert "every 7 days" in run("schedule", "edit", added["id"], "--every", "604800").lower()
    assert "The schedule is off" in run("schedule", "pause", added["id"])
    assert rows(site.database, "select id from flow_run where due_at is not null") == []
    assert "Next: 20" in run("schedule", "resume", added["id"])
    assert run("schedule", "skips", added["id"]) == ""  # nothing on the output; the sentence goes to people
    run("schedule", "delete", added["id"])
    assert rows(site.database, "select id from schedule") == []
    run("schedule", "pause", added["id"], code=2)


def test_given_dates_are_on_the_clock_of_the_zone(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl")
    dates = ("--date", "2030-12-24 06:00", "--date", "2030-12-31T06:00:00Z", "--timezone", "Asia/Tokyo")
    added = msgspec.json.decode(run("schedule", "add", "etl", *dates, "--json"))
    assert added["document"]["dates"] == ["2030-12-24T06:00", "2030-12-31T06:00:00Z"]
    assert added["next_times"] == ["2030-12-23T21:00:00Z", "2030-12-31T06:00:00Z"]
    shown = msgspec.json.decode(run("schedule", "next", "etl", "--date", "2031-01-01 09:30", "--json"))
    assert [time["local"] for time in shown["times"]] == ["2031-01-01T09:30:00+09:00"]
    assert "2030-12-25" in run("schedule", "edit", "etl", "--date", "2030-12-25 00:00", "--timezone", "UTC")
    edited = msgspec.json.decode(run("schedule", "edit", "etl", "--cron", "0 6 * * *", "--json"))
    assert edited["document"] == {"kind": "cron", "timezone": "UTC", "cron": "0 6 * * *"}
    run("schedule", "add", "etl", "--date", "tomorrow", code=2)
    run("schedule", "add", "etl", "--date", "2030-12-24", "--cron", "0 6 * * *", code=2)
    run("schedule", "edit", "etl", "--date", "2030-12-24", "--day-and", code=2)


def test_what_goes_with_a_schedule_is_said_before(site: Site, run: Callable[..., str]) -> None:
    """GraphQL, as the UI asks, refuses what the code declares; REST and the command line delete it."""
    flow = register(site.database, "etl", schedules=[RICH]).flow_id
    declared = str(UUID(str(rows(site.database, "select id from schedule")[0]["id"])))
    own = str(schedules.create(site.database, ALICE, flow, YEARLY).id)
    assert "deletes 10 planned runs. It can't be undone.\n" in run("schedule", "delete", own, "--preview")
    assert "The flow's code declares it" in run("schedule", "delete", declared, "--preview")
    assert len(rows(site.database, "select id from schedule")) == 2
    query = "query ($id: UUID!) { scheduleDeletion(scheduleId: $id) { plannedRuns declared } }"
    assert site.data(query, id=own)["scheduleDeletion"] == {"plannedRuns": 10, "declared": False}
    assert site.get(f"/api/v1/schedules/{declared}/deletion").json() == {"planned_runs": 10, "declared": True}
    mutation = "mutation ($id: UUID!) { deleteSchedule(input: {scheduleId: $id}) { scheduleId } }"
    (refused,) = site.graphql(mutation, id=declared)["errors"]
    assert refused["extensions"]["code"] == "conflict" and "pause it, or remove it from the code" in refused["message"]
    assert site.data(mutation, id=own)["deleteSchedule"] == {"scheduleId": own}
    assert len(rows(site.database, "select id from flow_run")) == 10
    (gone,) = site.graphql(mutation, id=own)["errors"]
    assert gone["extensions"]["code"] == "not_found"
    assert site.get(f"/api/v1/schedules/{own}/deletion").status_code == 404
    run("schedule", "delete", declared)
    assert rows(site.database, "select id from flow_run") == []


def test_what_can_not_be_meant_is_refused(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl")
    for wrong in (
        [],
        ["--cron", "0 * * * *", "--every", "60"],
        ["--cron", "no"],
        ["--every", "60", "--day-and"],
        ["--every", "60", "--timezone", "Moon"],
    ):
        run("schedule", "add", "etl", "--project", "demo", *wrong, code=2)
    run("schedule", "add", "nobody", "--project", "demo", "--every", "60", code=2)
    made = msgspec.json.decode(run("schedule", "add", "etl", "--project", "demo", "--every", "60", "--json"))
    run("schedule", "edit", made["id"], code=2)
    run("schedule", "edit", made["id"], "--cron", "0 * * * *", "--every", "60", code=2)
    run("schedule", "edit", made["id"], "--day-and", code=2)
    run("schedule", "edit", made["id"], "--no-param", "n", code=2)
    run("schedule", "edit", made["id"], "--label", "a", "--no-labels", code=2)
    run("schedule", "edit", made["id"], "--reset", "cron", code=2)


RICH = {
    "kind": "cron",
    "cron": "0 6 13 * 5",
    "day_or": False,
    "timezone": "Europe/Berlin",
    "start": "2026-01-01T00:00:00Z",
    "filters": [{"kind": "is_weekday"}],
    "not_filters": [{"kind": "on_date", "month": 12, "day": 25}],
    "calendar": {"holidays": ["12-26"]},
}


@pytest.mark.parametrize(
    ("options", "change"),
    [
        (["--cron", "0 7 13 * 5"], {"cron": "0 7 13 * 5"}),
        (["--timezone", "UTC"], {"timezone": "UTC"}),
        (["--day-or"], {"day_or": True}),
        (["--every", "900"], {"kind": "interval", "seconds": 900.0, "cron": None, "day_or": None}),
        (["-p", "n=5"], {}),
        (["--label", "gpu"], {}),
        (["--overlap", "skip"], {}),
    ],
)
def test_what_is_not_named_stays(
    site: Site, run: Callable[..., str], options: list[str], change: dict[str, Any]
) -> None:
    flow = register(site.database, "etl", parameters=[N, N | {"name": "m"}])
    made = schedules.create(site.database, ALICE, flow.flow_id, RICH | {"labels": ["small"]}, {"n": 1, "m": 2})
    told = msgspec.json.decode(run("schedule", "edit", str(made.id), *options, "--json"))
    expected = {name: value for name, value in (RICH | change).items() if value is not None}
    assert {name: value for name, value in told["document"].items() if value is not None} == expected
    assert told["parameters"] == {"n": 5 if "-p" in options else 1, "m": 2}
    assert told["labels"] == (["gpu"] if "--label" in options else ["small"])
    assert told["overlap"] == ("skip" if "--overlap" in options else "allow")


def test_parameters_and_labels_are_removed_by_name(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl", parameters=[N, N | {"name": "m"}])
    given = ("-p", "n=1", "-p", "m=2", "--label", "a", "--label", "b")
    added = msgspec.json.decode(run("schedule", "add", "etl", "--project", "demo", "--every", "60", *given, "--json"))
    assert (added["parameters"], added["labels"]) == ({"n": 1, "m": 2}, ["a", "b"])
    told = run("schedule", "edit", added["id"], "--no-param", "n", "--label", "b")
    assert "Parameters: m=2\n" in told and "Labels: b\n" in told
    assert "Labels" not in run("schedule", "edit", added["id"], "--no-labels")


def test_an_edit_of_what_code_declares_is_shown_and_goes_back(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl", schedules=[RICH])
    (row,) = rows(site.database, "select id from schedule")
    id = str(UUID(str(row["id"])))
    told = run("schedule", "edit", id, "--cron", "0 5 * * *")
    assert "Edited by an operator: cron is 0 5 * * *, the code says 0 6 13 * 5; --reset cron goes back." in told
    assert "Edited" not in run("schedule", "edit", id, "--reset", "cron")


def test_skipped_times_are_listed_with_the_reason(site: Site, run: Callable[..., str]) -> None:
    register(site.database, "etl")
    made = msgspec.json.decode(
        run("schedule", "add", "etl", "--project", "demo", "--every", "60", "--catch-up", "none", "--json")
    )
    later = clock.now() + timedelta(hours=1)
    with clock.stopped(lambda: later):
        Scheduler(site.database).run_once(later)
    assert "catch-up policy" in run("schedule", "skips", made["id"])
    found = msgspec.json.decode(run("schedule", "skips", made["id"], "--json"))
    assert sum(one["count"] for one in found) > 40


def test_all_of_one_edit_happens_together(site: Site) -> None:
    """Switched off and changed by one request: no run of the new times is left."""
    register(site.database, "etl", schedules=[{"kind": "interval", "seconds": 60}])
    schedule = rows(site.database, "select id from schedule")[0]["id"]
    answer = site.client.patch(
        f"/api/v1/schedules/{schedule}",
        json={"active": False, "document": {"kind": "interval", "seconds": 90}},
        headers=site.headers("operator"),
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["active"] is False and answer.json()["version"] == 2
    assert rows(site.database, "select id from flow_run where due_at is not null") == []
    on = site.client.patch(
        f"/api/v1/schedules/{schedule}", json={"active": True, "overlap": "queue"}, headers=site.headers("operator")
    ).json()
    assert on["active"] is True and on["overlap"] == "queue" and len(on["next_times"]) == 3
    assert len(rows(site.database, "select id from flow_run where due_at is not null")) > 1
