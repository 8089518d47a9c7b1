"""The doors to bulk actions, backfills and the hold: REST through the client, GraphQL, and the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from appliance.cli.root import invoke
from appliance.client import errors
from appliance.client import jobs as client
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.backfills import Backfill, BackfillRange
from appliance.protocol.jobs import Bulk
from appliance.protocol.run_filter import RunFilter
from appliance.server.actions import hold
from appliance.server.services.jobs import Jobs
from tests.integration.builders import create, one, register, rows
from tests.integration.lasting import address, database, site, transport
from tests.integration.server_fixtures import Site
from tests.integration.test_backfills import HOURLY
from tests.integration.test_jobs import many, small, states

__all__ = ["address", "database", "site", "small", "transport"]
START = "2026-03-01T00:00:00Z"
END = "2026-03-01T05:00:00Z"


@pytest.fixture
def run(address: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command line; what it printed."""

    def call(*arguments: str, code: int = 0) -> str:
        found = invoke(list(arguments))
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out

    return call


def held(site: Site) -> None:
    """Three runs are held."""
    flow = register(site.database, "etl").flow_id
    for _ in range(3):
        create(site.database, flow)
    assert hold.begin_if_many(site.database, clock.now(), 2, now=clock.now()) == 3


def test_the_client(site: Site, transport: Transport, small: None) -> None:
    many(site.database, 4)
    done = client.bulk(transport, Bulk(action="cancel", filter=RunFilter(flow="etl"), reason="x"))
    assert (done.state, done.done, done.kind, done.created_by) == ("done", 4, "cancel", "operator")
    many(site.database, 11, "other")
    queued = client.bulk(transport, Bulk(action="cancel", filter=RunFilter(flow="other")))
    assert (queued.state, queued.total) == ("queued", 11)
    assert client.cancel(transport, queued.id).state == "cancelled"
    assert [job.id for job in client.each(transport, limit=1)] == [queued.id]
    assert [job.id for job in client.each(transport, state="done")] == [done.id]
    assert client.get(transport, done.id) == done
    with pytest.raises(errors.Invalid, match="field action"):
        transport.post("/api/v1/bulk", {"action": "explode"}, dict)
    with pytest.raises(errors.Forbidden):
        client.release_hold(transport)


def test_the_client_backfills(site: Site, transport: Transport) -> None:
    register(site.database, schedules=[HOURLY])
    schedule = UUID(str(one(site.database, "select id from schedule")["id"]))
    times: dict[str, Any] = {"schedule_id": schedule, "start": clock.parse(START), "end": clock.parse(END)}
    assert client.preview(transport, BackfillRange(**times)).count == 5
    made = client.backfill(transport, Backfill(**times))
    assert (made.state, made.done) == ("done", 5)
    assert "scope" not in made.request
    shown = site.data("query($id: UUID!) { job(id: $id) { request } }", "viewer", id=str(made.id))["job"]
    assert shown["request"] == made.request
    assert client.preview(transport, BackfillRange(**times)).existing == 5


def test_bulk_on_the_command_line(
    site: Site, run: Callable[..., str], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(site.database, 3)
    assert run("bulk", "edit", "--flow", "etl", "--priority", "3", "--yes") == "Done: 3 of 3.\n"
    assert {row["priority"] for row in rows(site.database, "select priority from flow_run")} == {3}
    found = msgspec.json.decode(run("bulk", "mark", "skipped", "--flow", "etl", "--yes", "--json"))
    assert (found["state"], found["done"]) == ("done", 3)
    assert "3 unchanged" in run("bulk", "resume", "--flow", "etl", "--yes", code=1)
    many(site.database, 11, "other")
    assert "Queued: 0 of 11" in run("bulk", "cancel", "--flow", "other", "--state", "SCHEDULED", "--yes", "--no-wait")
    waited: list[float] = []

    def serve(self: Any, seconds: float) -> None:
        waited.append(seconds)
        Jobs(site.database).run_once(clock.now())

    with monkeypatch.context() as patched:
        patched.setattr("appliance.cli.watch_job.threading.Event.wait", serve)
        assert "Done: 11 of 11" in run("bulk", "delete", "--flow", "other", "--include-future", "--yes")
    assert waited and states(site.database) == {"Skipped": 3}
    listed = msgspec.json.decode(run("job", "list", "--json"))
    assert [job["kind"] for job in listed] == ["delete", "cancel", "resume", "mark", "edit"]
    assert "Done: 11 of 11" in run("job", "show", listed[0]["id"])
    run("job", "cancel", listed[0]["id"], code=2)
    run("bulk", "cancel", "--yes", code=2)
    run("bulk", "cancel", "--run", listed[0]["id"], "--flow", "etl", "--yes", code=2)


def test_a_backfill_on_the_command_line(site: Site, run: Callable[..., str]) -> None:
    register(site.database)
    given = ["backfill", "--project", "demo", "--flow", "etl", "--start", START, "--end", END]
    told = run(*given, "--every", "1800", "--preview")
    assert told.startswith("10 due times") and told.endswith("of which 0 already have a run.\n")
    assert run(*given, "--cron", "0 * * * *", "--at-once", "9", "--yes").startswith("Done: 5 of 5")
    assert msgspec.json.decode(run(*given, "--cron", "0 * * * *", "--preview", "--json"))["existing"] == 5
    for wrong in ([], ["--cron", "0 * * * *", "--every", "5"]):
        run(*given, *wrong, "--yes", code=2)
    run("backfill", "--start", START, "--end", END, "--cron", "0 * * * *", code=2)


def test_the_hold_on_the_command_line(site: Site, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("hold", "show") == "No runs are held.\n"
    held(site)
    assert run("hold", "show").startswith("3 runs, due by ")
    run("hold", "skip", code=2)  # an operator may not
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
    assert run("hold", "skip", "--reason", "too late") == "Done: 3 of 3.\n"
    assert states(site.database) == {"Skipped": 3}
    held(site)
    assert run("hold", "release") == "No runs are held any more.\n"
    assert msgspec.json.decode(run("hold", "show", "--json"))["held"] is False


def test_maintenance_on_the_command_line(site: Site, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("maintenance", "show").startswith("The appliance is not in maintenance")
    run("maintenance", "begin", code=2)  # an operator may not
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
    told = run("maintenance", "begin", "--reason", "new disks", "--for", "90m")
    assert told.startswith("In maintenance since ") and "(new disks). No runs start until 20" in told
    assert "until you run `appliance maintenance end`" in run("maintenance", "begin")
    assert msgspec.json.decode(run("maintenance", "show", "--json"))["active"] is True
    run("maintenance", "begin", "--for", "soon", code=2)
    assert run("maintenance", "end") == "The appliance is not in maintenance; runs start when they are due.\n"


def test_graphql(site: Site) -> None:
    flow = register(site.database, "etl").flow_id
    ids = [str(create(site.database, flow, scheduled_time=clock.now() + timedelta(hours=1))) for _ in range(2)]
    fields = "id kind state total done refused refusals { id reason }"
    many_ = f"mutation($i: BulkFlowRunsInput!) {{ bulkFlowRuns(input: $i) {{ job {{ {fields} }} }} }}"
    done = site.data(many_, i={"action": "MARK", "state": "SKIPPED", "ids": ids[:1]})["bulkFlowRuns"]["job"]
    assert (done["kind"], done["done"]) == ("mark", 1)
    refused = site.data(many_, i={"action": "START_NOW", "filter": {"flow": "etl", "includeFuture": True}})
    assert refused["bulkFlowRuns"]["job"]["refusals"][0]["id"] == ids[0]
    listed = site.data(f"{{ jobs {{ items {{ {fields} }} next }} hold {{ held }} }}", "viewer")
    assert len(listed["jobs"]["items"]) == 2 and listed["hold"] == {"held": False}
    assert site.data(f"query($id: UUID!) {{ job(id: $id) {{ {fields} }} }}", id=done["id"])["job"] == done
    span = {"start": START, "end": END, "flowId": str(flow), "document": HOURLY}
    preview = site.data(
        "query($r: BackfillRangeInput!) { backfillPreview(range: $r) { count existing first } }", r=span
    )
    assert preview["backfillPreview"]["count"] == 5
    fill = "mutation($i: BackfillInput!) { backfill(input: $i) { job { done } } }"
    assert site.data(fill, i={"range": span})["backfill"]["job"]["done"] == 5
    answer = site.graphql(fill, i={"range": span, "atOnce": 0})
    assert "atOnce" in answer["errors"][0]["message"]
    cancel = "mutation($i: CancelJobInput!) { cancelJob(input: $i) { job { state } } }"
    assert site.graphql(cancel, i={"jobId": done["id"]})["errors"][0]["extensions"]["code"] == "conflict"


def test_graphql_shows_and_ends_the_hold(site: Site) -> None:
    held(site)
    found = site.data("{ hold { held runs } flowRuns { items { waitCode waitReason } } }")
    assert found["hold"] == {"held": True, "runs": 3}
    assert {item["waitCode"] for item in found["flowRuns"]["items"]} == {"held"}
    release = "mutation { releaseHold(input: {}) { hold { held } } }"
    assert site.graphql(release)["errors"][0]["extensions"]["code"] == "forbidden"
    assert site.data(release, "admin")["releaseHold"]["hold"]["held"] is False
    held_again = "mutation { skipHeld(input: {}) { job { done } } }"
    assert site.graphql(held_again, "admin")["errors"][0]["extensions"]["code"] == "conflict"
