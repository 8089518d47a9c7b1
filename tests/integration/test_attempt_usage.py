"""What attempts have used: kept once for each, added up for their run, and told at every door."""

from __future__ import annotations

from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from appliance.protocol.agents import AgentReport, Exited, Provided
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import agents
from appliance.server.actions import run_protocol as runs
from tests.integration.builders import AGENT, RUN, begun, claim, create, enrol, flow, register, run_row, send
from tests.integration.server_fixtures import Site

GB = 1024**3
QUERY = """query ($run: UUID!, $flow: UUID!) {
  flowRun(id: $run) { cpuSeconds peakMemory memoryLimit attempts { attempt cpuSeconds peakMemory } }
  flow(id: $flow) { usage { runs medianCpuSeconds highestCpuSeconds medianPeakMemory highestPeakMemory memoryLimit } } }"""


def ended(site: Site, agent: UUID, run: UUID, attempt: int, seconds: float | None, peak: int | None) -> None:
    exit = Exited(flow_run_id=run, attempt=attempt, code=0, cpu_seconds=seconds, peak_memory=peak)
    agents.report(site.database, AGENT, agent, AgentReport(exited=[exit]))


def test_each_attempt_counts_once_and_its_run_has_their_sum_and_the_highest_peak(site: Site) -> None:
    db = site.database
    flow_id = register(db).flow_id
    said = {"results_url": "", "storages": ["local"], "provided": Provided()}
    agent, other = enrol(db, **said), enrol(db, "other", **said)
    run, limits = create(db, flow_id), {"type": "process", "limits": {"memory": "2Gi"}}
    assert claim(db, agent)
    assert runs.begin(db, RUN, run, Begin(attempt=1)).verdict == "go"
    send(db, run, 1, flow("SCHEDULED", "AwaitingRetry"))  # it gives the run back, and then ends
    ended(site, other, run, 1, 99.0, 99 * GB)  # not this agent's attempt
    ended(site, agent, run, 1, 1.5, 1 * GB)
    assert claim(db, other)[0].attempt == 2
    assert runs.begin(db, RUN, run, Begin(attempt=2)).verdict == "go"
    ended(site, agent, run, 1, 1.5, 1 * GB)  # the report comes again, late
    ended(site, agent, run, 2, 77.0, 77 * GB)  # not this agent's attempt
    send(db, run, 1, flow("SUCCESS", "Success"), attempt=2)
    ended(site, other, run, 2, 2.25, GB // 2)
    ended(site, other, run, 2, 9.0, 9 * GB)
    version = run_row(db, run)["version"]
    for _ in range(2):
        spare = create(db, flow_id)
        assert claim(db, agent)
        ended(site, agent, spare, 1, None, None)  # an agent of an earlier release
    failed = create(db, flow_id, run_config=limits)
    assert claim(db, agent)
    ended(site, agent, failed, 1, 0.25, 3 * GB)

    view = site.get(f"/api/v1/flow-runs/{run}").json()
    attempts = [
        {"attempt": 1, "cpu_seconds": 1.5, "peak_memory": GB},
        {"attempt": 2, "cpu_seconds": 2.25, "peak_memory": GB // 2},
    ]
    assert (view["cpu_seconds"], view["peak_memory"], view["attempts"]) == (3.75, GB, attempts)
    assert view["version"] == version, "it is no change of the run's state"
    listed = {one["id"]: one for one in site.get("/api/v1/flow-runs").json()["items"]}
    assert listed[str(run)]["cpu_seconds"] == 3.75 and listed[str(spare)]["cpu_seconds"] is None
    usage = site.get(f"/api/v1/flows/{flow_id}").json()["usage"]
    assert usage == {
        "runs": 2, "median_cpu_seconds": 2.0, "highest_cpu_seconds": 3.75, "median_peak_memory": 2 * GB,
        "highest_peak_memory": 3 * GB, "memory_limit": 2 * GB,
    }  # fmt: skip
    data = site.data(QUERY, run=str(run), flow=str(flow_id))
    assert data["flowRun"]["cpuSeconds"] == 3.75 and data["flowRun"]["peakMemory"] == GB
    assert data["flowRun"]["memoryLimit"] is None and len(data["flowRun"]["attempts"]) == 2
    assert data["flow"]["usage"]["highestPeakMemory"] == 3 * GB and data["flow"]["usage"]["runs"] == 2
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(site.client.get("/metrics").text)
        for sample in family.samples
        if sample.labels in ({}, {"le": "1073741824.0"})
    }
    assert samples["appliance_flow_run_cpu_seconds_total"] == 4.0
    assert samples["appliance_flow_run_peak_memory_bytes_bucket"] == 2
    assert samples["appliance_flow_run_peak_memory_bytes_count"] == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_damaged_column_does_not_keep_an_end_from_being_recorded(site: Site) -> None:
    run, agent = begun(site.database)
    with site.database.write() as session:
        session.execute(text("update flow_run set attempt_usage = '{'"))
    ended(site, agent, run, 1, 1.5, GB)
    assert run_row(site.database, run)["state_name"] == "Crashed"
