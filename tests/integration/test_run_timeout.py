"""Runs that take longer than they may end as TimedOut, even if their agent keeps reporting them; operators, code and site decide."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from appliance import Flow, task
from appliance.core.errors import FlowBuildError
from appliance.core.serialize import serialize
from appliance.protocol.agents import Claim, Exited, Held
from appliance.server.actions import agents
from appliance.server.actions.run_timeouts import set_run_timeout
from appliance.server.db.session import Database
from appliance.server.domain.rules import Rules
from appliance.server.services.repair import Repair
from tests.integration.builders import AGENT, ALICE, begun, check_histories, register, run_row
from tests.integration.conftest import StoppedClock
from tests.integration.server_fixtures import Site

WELL = {"crashed": 0, "cancelled": 0, "returned": 0, "timed_out": 0}
SET = "mutation($input: SetRunTimeoutInput!) { setRunTimeout(input: $input) { flow { runTimeout runTimeoutSource } } }"


def service(db: Database, clock: StoppedClock) -> Repair:
    return Repair(db, started=clock() - timedelta(days=1))


def flow_of(db: Database, run: UUID) -> UUID:
    return UUID(str(run_row(db, run)["flow_id"]))


def report_held(db: Database, agent: UUID, run: UUID) -> list[str]:
    """The agent says that it holds the run; why it must stop it."""
    held = Claim(free_slots=0, holding=[Held(flow_run_id=run, attempt=1)])
    return [stop.reason for stop in agents.claim(db, AGENT, agent, held).stop]


def put(site: Site, flow_id: str, seconds: float) -> Any:
    return site.client.put(
        f"/api/v1/flows/{flow_id}/run-timeout", json={"seconds": seconds}, headers=site.headers("operator")
    )


def test_a_frozen_run_ends_though_its_agent_reports_it(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    set_run_timeout(database, ALICE, flow_of(database, run), 300)
    repair = service(database, clock)
    for _ in range(9):
        clock.move(30)
        assert report_held(database, agent, run) == []
        assert repair.run_once(clock()) == WELL
    clock.move(30)
    report_held(database, agent, run)
    assert repair.run_once(clock()) == WELL | {"timed_out": 1}
    row = run_row(database, run)
    assert (row["state_type"], row["state_name"]) == ("FAILED", "TimedOut")
    assert row["state_message"] == "The run did not end within its run_timeout of 300 s, so it was stopped."
    assert report_held(database, agent, run) == ["The run has already ended as TimedOut."]
    report = agents.AgentReport(exited=[Exited(flow_run_id=run, attempt=1, signal="SIGKILL")])
    agents.report(database, AGENT, agent, report)
    assert run_row(database, run)["state_name"] == "TimedOut"
    assert repair.run_once(clock.move(30)) == WELL
    check_histories(database)


def test_without_a_timeout_a_run_takes_as_long_as_it_needs(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    repair = service(database, clock)
    for _ in range(10):
        clock.move(80)
        report_held(database, agent, run)
        assert repair.run_once(clock()) == WELL


def test_the_site_has_a_default_that_an_operator_can_lift(database_url: str, clock: StoppedClock) -> None:
    database = Database(database_url, rules=Rules(run_timeout=60))
    run, agent = begun(database)
    set_run_timeout(database, ALICE, flow_of(database, run), 0)
    clock.move(61)
    report_held(database, agent, run)
    assert service(database, clock).run_once(clock()) == WELL
    set_run_timeout(database, ALICE, flow_of(database, run), None)
    assert service(database, clock).run_once(clock()) == WELL | {"timed_out": 1}
    database.dispose()


def test_code_declares_a_timeout(site: Site) -> None:
    @task
    def nothing() -> None: ...

    with Flow("etl", run_timeout=timedelta(hours=2)) as flow:
        nothing()
    document = serialize(flow)
    assert document["run_config"]["run_timeout"] == 7200
    body = {"project": "demo", "name": "etl", "content_hash": "0" * 64, "document": document, "storage": {}}
    flow_id = site.post("/api/v1/flows", body).json()["flow_id"]
    shown = site.get(f"/api/v1/flows/{flow_id}").json()
    assert (shown["run_timeout"], shown["run_timeout_source"]) == (7200, "code")


@pytest.mark.parametrize("value", [0, -1, float("nan"), timedelta(days=366)])
def test_code_can_not_declare_nonsense(value: Any) -> None:
    with pytest.raises(FlowBuildError, match="run_timeout must be more than zero seconds and at most 365 days"):
        Flow("etl", run_timeout=value)
    with pytest.raises(TypeError, match="run_timeout"):
        Flow("etl", run_timeout="2h")  # type: ignore[arg-type]


def test_both_doors_set_it_and_show_it(site: Site) -> None:
    flow_id = str(register(site.database).flow_id)
    shown = put(site, flow_id, 90).json()
    assert (shown["run_timeout"], shown["run_timeout_source"]) == (90, "operator")
    flow = site.data(SET, input={"flowId": flow_id, "seconds": 0})["setRunTimeout"]["flow"]
    assert flow == {"runTimeout": None, "runTimeoutSource": "operator"}
    flow = site.data(SET, input={"flowId": flow_id})["setRunTimeout"]["flow"]
    assert flow == {"runTimeout": None, "runTimeoutSource": "site"}
    refused = put(site, flow_id, -1)
    assert refused.status_code == 400
    assert "from 0 (none) to 31536000" in refused.text
