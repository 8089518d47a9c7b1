"""`appliance schedule`: what people do with schedules on the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from appliance.kit import clock
from appliance.server.services.scheduler import Scheduler
from tests.integration.builders import N, register, rows
from tests.integration.server_fixtures import Site
from tests.integration.test_action_doors import address
from tests.integration.test_job_doors import run

__all__ = ["address", "run"]


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
    assert "every 15 minutes" in run("schedule", "edit", added["id"], "--every", "900").lower()
    assert "The schedule is off" in run("schedule", "pause", added["id"])
    assert rows(site.database, "select id from flow_run where due_at is not null") == []
    assert "Next: 20" in run("schedule", "resume", added["id"])
    assert run("schedule", "skips", added["id"]) == ""  # nothing on the output; the sentence goes to people
    run("schedule", "delete", added["id"])
    assert rows(site.database, "select id from schedule") == []
    run("schedule", "pause", added["id"], code=2)


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
    run("schedule", "edit", made["id"], "--timezone", "Europe/Berlin", code=2)


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
