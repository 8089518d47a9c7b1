"""The last runs of a flow: durations, causes, and tasks, by REST, GraphQL, and the command line."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from appliance.cli.root import invoke
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import run_protocol as runs
from appliance.server.db.session import Database
from tests.integration import builders
from tests.integration.builders import RUN
from tests.integration.lasting import database, lasting, lasting_address, site
from tests.integration.server_fixtures import Site
from tests.integration.test_known_failures import mark
from tests.integration.test_names_on_the_command_line import address, run

__all__ = ["address", "database", "lasting", "lasting_address", "run", "site"]
QUERY = """query ($id: UUID!) {
  flowHistory(flowId: $id) { medianSeconds runs { id version seconds } causes { taskSlug message runs known lastRunId } }
  flowTasks(flowId: $id) { runs leftOut tasks { slug ended failed retries medianSeconds criticalShare } } }"""


def ended(db: Database, flow: UUID, message: str | None) -> UUID:
    """A run of the flow whose mapped task has failed with this message; None: that has succeeded."""
    run = builders.create(db, flow)
    [work] = builders.claim(db, builders.enrol(db, storages=["local"]))
    runs.begin(db, RUN, work.flow_run_id, Begin(attempt=1))
    begun = [builders.task("load-1", "RUNNING", "Running", map_index=index) for index in range(3)]
    end = ("SUCCESS", "Success") if message is None else ("FAILED", "Failed")
    children = [builders.task("load-1", *end, map_index=index, message=message or "") for index in range(3)]
    builders.send(db, run, 1, *begun)
    builders.send(db, run, 2, *children, builders.flow(*end, message=message or ""))
    return run


def test_history_and_tasks_at_every_door(site: Site, address: str, capsys: Any) -> None:
    flow = builders.register(site.database, "etl").flow_id
    first = ended(site.database, flow, "HTTP 503 on page 7")
    good = ended(site.database, flow, None)
    builders.register(site.database, "etl", labels=["gpu"])
    builders.register(site.database, "etl", labels=[])
    again = ended(site.database, flow, "HTTP 500 on page 9")
    mark(site.database, again)

    found = site.get(f"/api/v1/flows/{flow}/history").json()
    assert [(one["id"], one["version"]) for one in found["runs"]] == [(str(again), 3), (str(good), 1), (str(first), 1)]
    assert found["median_seconds"] == found["runs"][1]["seconds"] is not None
    [cause] = found["causes"]
    assert (cause["task_slug"], cause["message"], cause["runs"]) == ("load-1", "HTTP 500 on page 9", 2)
    assert (cause["last_run_id"], cause["first_run_id"], cause["known"]) == (str(again), str(first), True)

    tasks = site.get(f"/api/v1/flows/{flow}/tasks").json()
    [figures] = tasks["tasks"]
    assert (tasks["runs"], tasks["left_out"]) == (3, 0)
    assert (figures["slug"], figures["ended"], figures["failed"]) == ("load-1", 9, 6)
    assert figures["critical_share"] == 1

    answer = site.data(QUERY, id=str(flow))
    assert answer["flowHistory"]["causes"] == [
        {"taskSlug": "load-1", "message": "HTTP 500 on page 9", "runs": 2, "known": True, "lastRunId": str(again)}
    ]
    assert answer["flowTasks"]["tasks"][0]["failed"] == 6

    assert invoke(["flow", "history", "etl"]) == 0
    text = capsys.readouterr().out
    assert "Of the last 3 runs, half of those that succeeded took at most" in text and "HTTP 500 on page 9" in text
    assert invoke(["flow", "tasks", "etl"]) == 0
    text = capsys.readouterr().out
    assert "67 %" in text and "In the last 3 runs that ended." in text


def test_a_flow_that_never_ran_and_one_that_is_not_there(site: Site, address: str, capsys: Any) -> None:
    flow = builders.register(site.database, "new").flow_id
    assert site.get(f"/api/v1/flows/{flow}/history").json()["runs"] == []
    assert site.get(f"/api/v1/flows/{flow}/tasks").json()["tasks"] == []
    for part in ("history", "tasks"):
        assert site.get(f"/api/v1/flows/{uuid4()}/{part}").status_code == 404
        assert invoke(["flow", part, "new"]) == 0
    assert "has not run yet" in capsys.readouterr().out
