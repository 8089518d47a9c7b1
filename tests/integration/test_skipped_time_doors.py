"""Skipping one due time of a schedule through every door, and restoring it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from appliance.server.actions import schedules
from tests.integration.builders import ALICE, register, rows
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
NIGHTLY = {"kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"}
FIELDS = "{ dueTime { at local notes skipped } }"


def test_every_door_skips_and_restores(site: Site, run: Callable[..., str]) -> None:
    flow = register(site.database, "etl").flow_id
    schedule = schedules.create(site.database, ALICE, flow, NIGHTLY).id
    coming = site.get(f"/api/v1/schedules/{schedule}/next").json()["times"]
    first, second, third = (time["at"] for time in coming[:3])
    answer = site.post(f"/api/v1/schedules/{schedule}/skip", {"at": first, "reason": "closed"})
    assert answer.status_code == 200 and answer.json()["skipped"] == "Skipped by operator: closed"
    query = f"mutation ($id: UUID!, $at: DateTime!) {{ skipDueTime(input: {{scheduleId: $id, at: $at}}) {FIELDS} }}"
    made = site.data(query, id=str(schedule), at=second)["skipDueTime"]["dueTime"]
    assert made["skipped"] == "Skipped by operator."
    shown = msgspec.json.decode(run("schedule", "next", "etl", "--json"))["times"]
    assert [time["skipped"] is not None for time in shown[:3]] == [True, True, False]
    assert "No run. Skipped by operator: closed." in run("schedule", "next", "etl")
    told = run("schedule", "skip", "etl", "next", "--reason", "holiday")
    assert (
        "02:30:00" in told and "No run. Skipped by operator: holiday. `appliance schedule unskip` restores it." in told
    )
    view = site.get(f"/api/v1/schedules/{schedule}").json()
    assert view["next_times"][0] == coming[3]["at"] and view["version"] == 1
    listed = site.get("/api/v1/schedules").json()["items"][0]["next_times"]
    query = "query ($id: UUID!) { flow(id: $id) { schedules { nextTimes(n: 3) } } }"
    [shown_there] = site.data(query, id=str(flow))["flow"]["schedules"]
    assert list(map(datetime.fromisoformat, shown_there["nextTimes"])) == list(map(datetime.fromisoformat, listed))
    assert "Skipped by operator: holiday" in run("schedule", "skips", "etl")
    printed = datetime.fromisoformat(coming[2]["local"]).strftime("%a %Y-%m-%d %H:%M:%S %z")
    assert run("schedule", "unskip", "etl", printed).endswith(": runs again.\n")
    query = f"mutation ($id: UUID!, $at: DateTime!) {{ unskipDueTime(input: {{scheduleId: $id, at: $at}}) {FIELDS} }}"
    assert site.data(query, id=str(schedule), at=second)["unskipDueTime"]["dueTime"]["skipped"] is None
    assert site.post(f"/api/v1/schedules/{schedule}/unskip", {"at": first}).json()["skipped"] is None
    assert third == site.get(f"/api/v1/schedules/{schedule}").json()["next_times"][2]
    run("schedule", "unskip", "etl", "next", code=2)
    assert rows(site.database, "select id from schedule_skip") == []
