"""Maintenance: no run starts while it lasts, and each says why."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from appliance.server.actions import maintenance
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import waiting
from appliance.server.db.reads.flow_runs import by_ids
from appliance.server.db.session import Database
from appliance.server.errors import Invalid
from tests.integration.builders import ALICE, claim, create, enrol, register, rows
from tests.integration.conftest import StoppedClock

ADMIN = Actor(kind="user", name="root", role="admin")


def test_nothing_starts_until_it_ends_and_what_runs_goes_on(database: Database, clock: StoppedClock) -> None:
    flow, agent = register(database).flow_id, enrol(database)
    first = create(database, flow)
    assert len(claim(database, agent)) == 1
    second = create(database, flow)
    maintenance.begin(database, ADMIN, "new disks")
    assert claim(database, agent) == []
    with database.read() as session:
        reasons = waiting.reasons(session, by_ids(session, {second}), clock.time)
    assert reasons[second].code == "maintenance" and "new disks" in reasons[second].sentence
    cancel_run(database, ALICE, first)  # an agent still hears of it
    maintenance.end(database, ADMIN, "done")
    maintenance.end(database, ADMIN)
    assert [work.flow_run_id for work in claim(database, agent)] == [second]
    told = rows(database, "select kind from event where topic = 'maintenance' order by id")
    assert [row["kind"] for row in told] == ["maintenance.begun", "maintenance.ended"]


def test_it_ends_by_itself(database: Database, clock: StoppedClock) -> None:
    run, agent = create(database, register(database).flow_id), enrol(database)
    maintenance.begin(database, ADMIN, until=clock.time + timedelta(minutes=30))
    clock.move(29 * 60)
    assert maintenance.find(database) is not None and claim(database, agent) == []
    clock.move(61)
    assert maintenance.find(database) is None
    assert [work.flow_run_id for work in claim(database, agent)] == [run]


def test_begun_again_it_keeps_its_beginning(database: Database, clock: StoppedClock) -> None:
    maintenance.begin(database, ADMIN, "disks")
    began = clock.time
    clock.move(60)
    found = maintenance.begin(database, ADMIN, "disks and memory")
    assert (found.since, found.reason) == (began, "disks and memory")


@pytest.mark.parametrize("until", [datetime(2001, 1, 1), None])  # noqa: DTZ001 - without an offset, as it is meant
def test_an_end_that_can_not_be_is_refused(database: Database, clock: StoppedClock, until: datetime | None) -> None:
    with pytest.raises(Invalid, match="offset" if until else "already be over"):
        maintenance.begin(database, ADMIN, until=until or clock.time)
    assert maintenance.find(database) is None
