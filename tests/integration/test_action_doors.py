"""The doors to the actions on one run: REST through the client, GraphQL, and the command line against a listening server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from appliance.cli.root import invoke
from appliance.client import errors, flow_runs
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.flow_runs import EditFlowRun
from tests.integration.builders import N, create, register, rows, run_row
from tests.integration.lasting import address, database, site, transport
from tests.integration.server_fixtures import Site
from tests.integration.test_actions import succeeded
from tests.integration.test_attempts import failed, tasks

__all__ = ["address", "database", "site", "transport"]


def later(site: Site) -> UUID:
    return create(
        site.database, register(site.database, "later").flow_id, scheduled_time=clock.now() + timedelta(hours=1)
    )


def test_the_client(site: Site, transport: Transport) -> None:
    run = later(site)
    edited = flow_runs.edit(transport, run, EditFlowRun(name="urgent", labels=["gpu"], priority=5))
    assert (edited.name, edited.labels, edited.priority) == ("urgent", ["gpu"], 5)
    with pytest.raises(errors.Conflict, match="has changed"):
        flow_runs.edit(transport, run, EditFlowRun(priority=6, version=1))
    started = flow_runs.start_now(transport, run, "no need to wait")
    assert started.scheduled_time is not None and started.scheduled_time <= clock.now()
    assert flow_runs.mark(transport, run, "Skipped").state == "Skipped"
    flow_runs.delete(transport, run)
    with pytest.raises(errors.NotFound):
        flow_runs.get(transport, run)
    ended, _ = succeeded(site.database, parameters=[N])
    again = flow_runs.restart(transport, ended, "x", from_task="load-1", parameters={"n": 3})
    assert (again.state, again.parameters) == ("Scheduled", {"n": 3})


def test_the_command_line(site: Site, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> str:
        assert invoke(list(arguments)) == 0
        return capsys.readouterr().out

    waiting = str(later(site))
    found = msgspec.json.decode(run("edit", waiting, "--label", "gpu", "--priority", "4", "--json"))
    assert (found["labels"], found["priority"]) == (["gpu"], 4)
    assert msgspec.json.decode(run("edit", waiting, "--no-labels", "--json"))["labels"] == []
    assert "is Scheduled" in run("start-now", waiting)
    assert run("delete", waiting, "--reason", "tidying up") == "Run deleted.\n"
    ended = str(failed(site.database)[0])
    run("mark", ended, "success", "--task", "load-1", "--map-index", "1", "--reason", "by hand")
    assert tasks(site.database)["load-1", 1] == "Success"
    assert "is Skipped" in run("mark", ended, "skipped")
    assert "is Scheduled" in run("restart", ended, "--from-task", "extract-1")
    assert invoke(["mark", ended, "Success", "--map-index", "1"]) == 2
    assert invoke(["edit", ended, "--label", "x", "--no-labels"]) == 2
    assert invoke(["edit", ended]) == 2


def test_graphql(site: Site) -> None:
    run, ended = later(site), failed(site.database)[0]

    def change(verb: str, of: UUID, answer: str = "flowRun { state { name message } }", **fields: Any) -> Any:
        query = f"mutation($i: {verb[0].upper()}{verb[1:]}Input!) {{ {verb}(input: $i) {{ {answer} }} }}"
        return site.data(query, i={"flowRunId": str(of), **fields})[verb]

    assert change("editFlowRun", run, priority=3, reason="x")["flowRun"]["state"]["message"] == (
        "Edited (priority) by operator: x"
    )
    assert change("startFlowRunNow", run)["flowRun"]["state"]["message"] == "Started now by operator."
    assert change("markFlowRun", run, state="SKIPPED")["flowRun"]["state"]["name"] == "Skipped"
    assert change("deleteFlowRun", run, "flowRunId") == {"flowRunId": str(run)}
    change("markFlowRun", ended, state="SUCCESS", taskSlug="load-1", mapIndex=1)
    assert tasks(site.database)["load-1", 1] == "Success"
    change("restartFlowRun", ended, fromTask="extract-1", parameters={})
    assert set(tasks(site.database).values()) == {"Pending"}
    key = {"idempotencyKey": "c", "reason": "enough"}
    assert change("cancelFlowRun", ended, **key)["flowRun"]["state"] == {"name": "Cancelled", "message": "enough"}
    assert run_row(site.database, ended)["cancel_requested"]
    answer = site.graphql(
        "mutation($i: RestartFlowRunInput!) { restartFlowRun(input: $i) { flowRun { id } } }",
        i={"flowRunId": str(ended), "parameters": [1]},
    )
    assert "must be a JSON object" in answer["errors"][0]["message"]


def test_a_viewer_can_do_none_of_it(site: Site) -> None:
    run = later(site)
    for method, suffix in (("POST", "/mark"), ("POST", "/start-now"), ("PATCH", ""), ("DELETE", "")):
        answer = site.client.request(
            method, f"/api/v1/flow-runs/{run}{suffix}", json={}, headers=site.headers("viewer")
        )
        assert answer.status_code == 403
    assert [row["version"] for row in rows(site.database, "select version from flow_run")] == [1]
