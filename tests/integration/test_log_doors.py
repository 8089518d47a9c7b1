"""The doors to log lines: streams as a field and as a filter, and runs by their names, in REST, GraphQL, and on the command line."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec
import pytest

from appliance.cli.root import invoke
from appliance.core import logs as core
from appliance.kit import clock
from appliance.protocol import logs as protocol
from appliance.protocol.run_protocol import LogEvent
from tests.integration import builders
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]

STREAMS = {
    "appliance.run": None,
    "appliance.run.load": None,
    "appliance.run.stdout": "stdout",
    "appliance.run.load.stderr": "stderr",
    "appliance.run.load.all.stderr": "stderr",
    "appliance.run.my_stderr": None,
    "appliance.running.stderr": None,
    "mine.stderr": None,
    "stderr": None,
}


@pytest.fixture
def written(site: Site) -> UUID:
    """A run with a line of each logger."""
    flow_run, _agent = builders.begun(site.database)
    lines = [LogEvent(at=clock.now(), level="INFO", logger=name, message=name) for name in STREAMS]
    builders.send(site.database, flow_run, 1, *lines)
    return flow_run


def by_stream(stream: str) -> list[str]:
    return [name for name, own in STREAMS.items() if own == stream]


def test_the_runner_and_the_server_mean_the_same_logger() -> None:
    assert protocol.LOGGER == core.ROOT


def test_rest_has_streams(site: Site, written: UUID) -> None:
    def items(query: str = "") -> list[dict[str, str]]:
        answer = site.client.get(f"/api/v1/flow-runs/{written}/logs{query}", headers=site.headers("viewer"))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    assert {item["logger"]: item["stream"] for item in items()} == STREAMS
    for stream in ("stdout", "stderr"):
        assert [item["logger"] for item in items(f"?stream={stream}")] == by_stream(stream)
    refused = site.client.get(f"/api/v1/flow-runs/{written}/logs?stream=out", headers=site.headers("viewer"))
    assert (refused.status_code, "stream must be stdout or stderr" in refused.text) == (400, True), refused.text


def test_graphql_has_streams(site: Site, written: UUID) -> None:
    query = "query($id: UUID!, $f: LogFilter) { logs(flowRunId: $id, filter: $f) { items { logger stream } } }"
    items = site.data(query, id=str(written))["logs"]["items"]
    assert {item["logger"]: item["stream"] and item["stream"].lower() for item in items} == STREAMS
    found = site.data(query, id=str(written), f={"stream": "STDERR"})["logs"]["items"]
    assert [item["logger"] for item in found] == by_stream("stderr")


def test_the_command_line_has_streams(written: UUID, run: Callable[..., str]) -> None:
    lines = msgspec.json.decode(run("logs", str(written), "--json"))
    assert {line["logger"]: line["stream"] for line in lines} == STREAMS
    assert [line.count("(stderr)") for line in run("logs", str(written), "--stream", "stderr").splitlines()] == [1, 1]
    run("logs", str(written), "--stream", "out", code=2)
    run("logs", str(written), "--follow", "--json", code=2)


def test_a_run_is_found_by_its_name(site: Site, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    flow = builders.register(site.database, "etl").flow_id
    only = builders.create(site.database, flow, name="amber-otter")
    twins = [builders.create(site.database, flow, name="twin") for _ in range(2)]
    builders.create(site.database, flow, name="twin-2")
    for _ in range(12):
        builders.create(site.database, flow, name="crowd")

    def said(name: str, code: int = 2) -> str:
        assert invoke(["logs", name]) == code
        return capsys.readouterr().err

    assert said("amber-otter", 0) == said(str(only), 0) == ""
    twin = said("twin")
    assert "2 runs match 'twin'; specify one by its id:" in twin
    for id in twins:
        assert f"  {id}  demo/etl, Scheduled" in twin
    assert twin.count("demo/etl") == 2
    assert "More than 10 runs match 'crowd'" in said("crowd")
    assert "There is no run 'amber'; did you mean 'amber-otter'?" in said("amber")
    found = site.client.get("/api/v1/flow-runs?name=twin", headers=site.headers("viewer")).json()["items"]
    assert {item["id"] for item in found} == {str(id) for id in twins}
