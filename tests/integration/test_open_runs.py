"""How many runs of a project may be without an end: at the boundary and beyond, through every door, and by many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from appliance.kit import clock as clocks
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.server.actions import backfills, jobs
from appliance.server.actions.flow_runs import cancel
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.db.reads import quotas as reads
from appliance.server.db.session import Database
from appliance.server.domain.quotas import OPEN_RUNS, SECONDS, SHARES, allowance
from appliance.server.domain.rules import Rules
from appliance.server.errors import QuotaReached
from appliance.server.services.scheduler import Scheduler
from tests.integration import builders
from tests.integration.conftest import StoppedClock
from tests.integration.server_fixtures import Site
from tests.integration.test_backfills import past, schedule, yesterday
from tests.integration.test_jobs import job


def _open(database: Database) -> int:
    return int(builders.one(database, "select count(*) as n from flow_run where end_time is null")["n"])


def test_one_run_too_many_is_refused_and_another_project_has_its_own(database: Database) -> None:
    database.rules = Rules(project_open_runs=3)
    flows = [builders.register(database, name).flow_id for name in ("one", "two")]
    runs = [builders.create(database, flow) for flow in (*flows, flows[0])]
    for flow in flows:
        with pytest.raises(
            QuotaReached, match=r"has 3 runs that have not ended.*APPLIANCE_PROJECT_OPEN_RUNS"
        ) as refused:
            builders.create(database, flow)
        assert refused.value.details == {"setting": "APPLIANCE_PROJECT_OPEN_RUNS", "most": 3}
    assert builders.create(database, builders.register(database, project="other").flow_id)
    cancel.cancel_run(database, builders.ALICE, runs[0])
    assert builders.create(database, flows[1])
    with pytest.raises(QuotaReached):
        builders.create(database, flows[1])


def test_a_repeated_request_is_answered_although_there_is_no_room(database: Database) -> None:
    database.rules = Rules(project_open_runs=1)
    request = CreateFlowRun(flow_id=builders.register(database).flow_id, idempotency_key="once")
    first = create_run(database, builders.ALICE, request)
    assert create_run(database, builders.ALICE, request).id == first.id
    database.rules = Rules(project_open_runs=0)
    assert builders.create(database, builders.register(database).flow_id)


def test_many_at_once_stay_within_the_quota(database: Database) -> None:
    database.rules = Rules(project_open_runs=10)
    flow = builders.register(database).flow_id

    def create(_number: int) -> UUID | None:
        try:
            return builders.create(database, flow)
        except QuotaReached:
            return None

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(create, range(24)))
    assert sum(run is not None for run in made) == _open(database) == 10


def test_refused_over_rest_and_graphql(site: Site) -> None:
    site.database.rules = Rules(project_open_runs=1)
    flow = str(builders.register(site.database).flow_id)
    assert site.post("/api/v1/flow-runs", {"flow_id": flow}).status_code == 201
    refused = site.post("/api/v1/flow-runs", {"flow_id": flow})
    assert refused.status_code == 409 and refused.json()["code"] == "quota_reached"
    assert refused.json()["details"] == {"setting": "APPLIANCE_PROJECT_OPEN_RUNS", "most": 1}
    create = "mutation($i: CreateFlowRunInput!) { createFlowRun(input: $i) { flowRun { id } } }"
    (error,) = site.graphql(create, i={"flowId": flow})["errors"]
    assert error["extensions"]["code"] == "quota_reached" and error["message"] == refused.json()["message"]
    assert _open(site.database) == 1


def test_a_backfill_ends_with_a_message_and_goes_on_when_there_is_room(database: Database, clock: StoppedClock) -> None:
    schedule_id = schedule(database)
    planned = _open(database)
    database.rules = Rules(project_open_runs=planned + 3)
    request = yesterday(clock, schedule_id=schedule_id)
    job_id = jobs.create_backfill(database, builders.ALICE, request)
    while jobs.step(database, job_id, clock.time) == "more":
        pass
    ended = job(database, job_id)
    assert (ended.state, ended.done, len(past(database, request.end))) == ("failed", 3, 3)
    assert "APPLIANCE_PROJECT_OPEN_RUNS" in ended.message and "The runs that were created stay" in ended.message
    database.rules = Rules(project_open_runs=planned + 10)
    rest = jobs.create_backfill(database, builders.ALICE, request)
    while jobs.step(database, rest, clock.time) == "more":
        pass
    assert (job(database, rest).state, job(database, rest).done) == ("done", 2)
    assert backfills.preview(database, request).existing == 5


def test_schedules_go_on(database: Database, clock: StoppedClock) -> None:
    schedule_id = schedule(database)
    database.rules = Rules(project_open_runs=1)
    before = _open(database)
    clock.move(3 * 3600)
    Scheduler(database).run_once(clock.time)
    assert schedule_id and _open(database) > before


def test_what_is_left_is_shared_and_not_for_long() -> None:
    given = allowance(SHARES * 5, 100.0)
    assert given.take(5, 100.0) and not given.take(1, 100.0)
    assert not allowance(SHARES * 5, 100.0).take(1, 100.0 + SECONDS)
    assert not allowance(SHARES - 1, 100.0).take(1, 100.0) and not allowance(-1, 100.0).left
    assert Rules().project_open_runs == 100_000 and hasattr(Rules(), OPEN_RUNS.rule)


def test_far_from_the_quota_runs_are_not_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr(clocks, "monotonic", lambda: moment)
    counted = []
    count = reads.open_runs
    monkeypatch.setattr(reads, "open_runs", lambda *asked: counted.append(asked) or count(*asked))
    database.rules = Rules(project_open_runs=SHARES * 20)
    flow = builders.register(database).flow_id
    for _ in range(15):
        builders.create(database, flow)
    assert len(counted) == 1
    moment += SECONDS
    builders.create(database, flow)
    assert len(counted) == 2


def test_versions_say_how_many_of_their_runs_have_not_ended(site: Site) -> None:
    run, agent = builders.begun(site.database, name="old")
    flow = builders.register(site.database, "old").flow_id
    builders.create(site.database, flow)
    assert len(builders.claim(site.database, agent)) == 1
    assert builders.register(site.database, "old", content="other").created

    def open_runs() -> list[tuple[int, int]]:
        found = site.get(f"/api/v1/flows/{flow}/versions").json()["items"]
        return [(one["number"], one["open_runs"]) for one in found]

    assert open_runs() == [(2, 0), (1, 2)]
    builders.send(site.database, run, 1, builders.flow("SUCCESS", "Success"))
    assert open_runs() == [(2, 0), (1, 1)]
