"""What a schedule will do next, through every door: due times with notes, those that a calendar drops, and parameters that are missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from appliance.protocol.schedules import PreviewSchedule
from appliance.server.actions import schedule_previews, schedules
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.errors import Invalid, NotFound
from tests.integration.builders import ALICE, YEARLY, register, rows
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_flow_history import ended
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
GAP = {"kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"}
BEFORE_GAP = datetime(2026, 3, 28, tzinfo=UTC)
REQUIRED = {"name": "region", "required": True, "default": None, "schema": {"type": "string"}}


def _notes(db: Database, flow: UUID, **document: Any) -> list[str]:
    request = PreviewSchedule(document=GAP | document, limit=2)
    shown = schedule_previews.of_document(db, flow, request, now=BEFORE_GAP)
    return [note for time in shown.times for note in time.notes]


def test_clock_changes_calendars_and_parameters_are_in_the_answer(database: Database) -> None:
    flow = register(database, "etl", parameters=[REQUIRED]).flow_id
    assert _notes(database, flow) == ["Clocks go forward: 02:30 doesn't exist, runs at 03:00."]
    request = PreviewSchedule(document=GAP | {"calendar": {"holidays": ["2026-03-28"]}}, limit=1)
    shown = schedule_previews.of_document(database, flow, request, now=BEFORE_GAP)
    assert [time.reason for time in shown.dropped] == ["28 March is a holiday."]
    assert shown.missing == ["region"]
    request = PreviewSchedule(document=GAP | {"parameters": {"region": "eu"}})
    assert schedule_previews.of_document(database, flow, request, now=BEFORE_GAP).missing == []


@pytest.mark.parametrize(
    ("policy", "then"),
    [("queue", "waits for it"), ("skip", "is skipped if that is still active"), ("allow", "overlaps with it")],
)
def test_due_times_closer_than_a_typical_run_name_the_overlap_policy(
    database: Database, policy: str, then: str
) -> None:
    flow = register(database, "etl").flow_id
    run_id = ended(database, flow, None)
    with database.write("test") as session:
        row = session.get_one(FlowRun, run_id)
        assert row.end_time is not None
        row.start_time = row.end_time - timedelta(minutes=90)
    hourly = {"kind": "cron", "cron": "0 * * * *", "overlap": policy}
    shown = schedule_previews.of_document(database, flow, PreviewSchedule(document=hourly, limit=2))
    sentence = f"The run before typically takes 1 h 30 min: this one {then}."
    assert [time.notes for time in shown.times] == [[], [sentence]]


def test_what_can_not_be_previewed_is_refused(database: Database) -> None:
    flow = register(database, "etl").flow_id
    for request in (
        PreviewSchedule(document={"kind": "cron", "cron": "no"}),
        PreviewSchedule(document=GAP | {"timezone": "Moon"}),
        PreviewSchedule(document=GAP | {"overlap": "perhaps"}),
        PreviewSchedule(document=GAP, limit=0),
        PreviewSchedule(document=GAP, limit=schedule_previews.MOST_TIMES + 1),
    ):
        with pytest.raises(Invalid):
            schedule_previews.of_document(database, flow, request)
    with pytest.raises(NotFound):
        schedule_previews.of_schedule(database, uuid4(), 10)


def test_every_door_shows_the_same_times(site: Site, run: Callable[..., str]) -> None:
    flow = register(site.database, "etl").flow_id
    schedule = schedules.create(site.database, ALICE, flow, YEARLY).id
    rest = site.get(f"/api/v1/schedules/{schedule}/next?limit=3").json()
    assert len(rest["times"]) == 3 and rest["timezone"] == "UTC"
    fields = "{ description timezone times { at local notes } dropped { at local reason } missing }"
    query = f"query ($id: UUID!) {{ scheduleNext(scheduleId: $id, limit: 3) {fields} }}"
    assert site.data(query, id=str(schedule))["scheduleNext"]["times"][2]["local"] == rest["times"][2]["local"]
    query = f"query ($id: UUID!, $document: JSON!) {{ schedulePreview(flowId: $id, document: $document, limit: 3) {fields} }}"
    shown = site.data(query, id=str(flow), document=YEARLY)["schedulePreview"]
    posted = site.post(f"/api/v1/flows/{flow}/schedules/preview", {"document": YEARLY, "limit": 3}, "viewer").json()
    assert shown["description"] == posted["description"] == rest["description"]
    assert posted["times"] == rest["times"]
    told = run("schedule", "next", "etl", "--limit", "3")
    assert told.count("-01-01 00:00:00 +0000") == 3 and "DUE (UTC)" in told
    as_json = msgspec.json.decode(run("schedule", "next", "etl", "--cron", "0 6 * * *", "--limit", "2", "--json"))
    assert [time["local"][11:16] for time in as_json["times"]] == ["06:00", "06:00"]
    assert rows(site.database, "select version from schedule") == [{"version": 1}]  # nothing was changed
