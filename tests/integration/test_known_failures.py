"""Known failures: marked by people, noted when they happen again, and resolved by the next success of their flow."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from appliance.cli.root import invoke
from appliance.kit import clock
from appliance.protocol.flow_runs import MarkFlowRun
from appliance.protocol.known_failures import MarkFailure
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import known_failures, retention
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.mark import mark_run
from appliance.server.db.reads import known_failures as reads
from appliance.server.db.session import Database
from appliance.server.domain.failures import MOST_KNOWN
from appliance.server.domain.retention import Keep
from appliance.server.errors import Conflict, Invalid, NotFound
from tests.integration import builders
from tests.integration.builders import ALICE, RUN, rows
from tests.integration.lasting import database, lasting, lasting_address, site
from tests.integration.server_fixtures import Site
from tests.integration.test_names_on_the_command_line import address, run

__all__ = ["address", "database", "lasting", "lasting_address", "run", "site"]
HOUR = timedelta(hours=1)
CAUSE = "query ($id: UUID!) { flowRun(id: $id) { cause { fingerprint known { until reason markedBy flowOwner } } } }"
MARK = "mutation ($input: MarkFailureInput!) { markFailure(input: $input) { knownFailure { id taskSlug message expired } } }"
UNMARK = "mutation ($input: UnmarkFailureInput!) { unmarkFailure(input: $input) { knownFailureId } }"


def ended(db: Database, message: str | None, slug: str = "extract-1", flow: str = "etl", **parts: Any) -> UUID:
    """A run of the flow in which a task has failed with this message; None: that has succeeded."""
    run = builders.create(db, builders.register(db, flow, **parts).flow_id)
    [work] = builders.claim(db, builders.enrol(db, storages=["local"]))
    assert work.flow_run_id == run
    runs.begin(db, RUN, run, Begin(attempt=1))
    if message is None:
        builders.send(db, run, 1, builders.flow("SUCCESS", "Success"))
    else:
        failed = builders.task(slug, "FAILED", "Failed", message=message)
        builders.send(db, run, 1, failed, builders.flow("FAILED", "Failed", message=f"Task {slug} failed: {message}"))
    return run


def mark(db: Database, run: UUID, until: datetime | None = None, reason: str = "", **more: Any) -> UUID:
    return known_failures.mark(db, ALICE, MarkFailure(flow_run_id=run, until=until, reason=reason), **more)


def known(db: Database, *, resolved: bool = False) -> list[Any]:
    with db.read() as session:
        return list(reads.page(session, 50, None, resolved=resolved).rows)


def test_it_is_one_failure_whatever_the_numbers_in_its_message(database: Database) -> None:
    first = ended(database, "HTTP 503 on page 17")
    marked = mark(database, first, reason="the supplier is closed")
    [row] = known(database)
    assert (row.id, row.project, row.flow, row.task_slug) == (marked, "demo", "etl", "extract-1")
    assert (row.message, row.reason, row.marked_by) == ("HTTP 503 on page 17", "the supplier is closed", "alice")
    assert (row.until, row.last_run_id) == (None, first)
    again = ended(database, "HTTP 503 on page 3")
    ended(database, "disk full")
    ended(database, "HTTP 503 on page 4", flow="other")
    until = clock.now() + HOUR
    assert mark(database, again, until, "until they open") == marked, "it is marked again, not twice"
    [row] = known(database)
    assert (row.last_run_id, row.until, row.reason) == (again, until, "until they open")


def test_the_next_success_of_the_flow_resolves_it_in_the_same_transaction(database: Database) -> None:
    for message in ("disk full", "no route"):
        mark(database, ended(database, message))
    other = mark(database, ended(database, "disk full", flow="other"))
    success = ended(database, None)
    assert [row.id for row in known(database)] == [other]
    resolved = known(database, resolved=True)
    state = builders.run_row(database, success)["state_at"]
    assert {(row.resolved_by_run, row.message) for row in resolved} == {(success, "disk full"), (success, "no route")}
    assert len(rows(database, "select id from known_failure where resolved_at = :at", at=state)) == 2
    assert len(rows(database, "select id from event where kind = 'known_failure.resolved'")) == 2
    mark(database, ended(database, "disk full"))
    assert len(known(database)) == 2, "what was resolved can fail, and be marked, again"


def test_a_person_who_says_that_a_run_succeeded_resolves_it_too(database: Database) -> None:
    run = ended(database, "disk full")
    mark(database, run)
    mark_run(database, ALICE, run, MarkFlowRun(state="Success"))
    assert known(database) == []


def test_what_is_resolved_is_forgotten_with_old_runs(database: Database) -> None:
    for flow in ("etl", "other"):
        mark(database, ended(database, "disk full", flow=flow))
    ended(database, None)
    retention.Sweep(database, Keep(runs_days=1), clock.now()).run()
    assert len(known(database, resolved=True)) == 1
    swept = retention.Sweep(database, Keep(runs_days=1), clock.now() + timedelta(days=2)).run()
    assert (swept["known_failures"], known(database, resolved=True)) == (1, [])
    assert [row.flow for row in known(database)] == ["other"]


def test_what_can_not_be_marked_is_refused(database: Database) -> None:
    run = ended(database, "disk full")
    now = clock.now()
    for wrong in ({"until": now - HOUR}, {"until": datetime(2999, 1, 1)}, {"reason": "x" * 501}):  # noqa: DTZ001
        with pytest.raises(Invalid):
            mark(database, run, **wrong)
    with pytest.raises(NotFound):
        mark(database, uuid4())
    with pytest.raises(Conflict, match="has not failed"):
        mark(database, ended(database, None, flow="other"))
    ended(database, None)
    with pytest.raises(Conflict, match="has succeeded since"):
        mark(database, run)
    assert known(database) == []


def test_a_flow_has_so_many_at_most(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_KNOWN == 100
    monkeypatch.setattr(known_failures, "MOST_KNOWN", 1)
    mark(database, ended(database, "disk full"))
    with pytest.raises(Conflict, match="1 known failures already"):
        mark(database, ended(database, "no route"))


def test_a_run_says_that_its_cause_is_known_until_that_has_expired(site: Site) -> None:
    db = site.database
    run = ended(db, "HTTP 503 on page 17", owner="data-team")

    def cause() -> Any:
        return site.data(CAUSE, id=str(run))["flowRun"]["cause"]

    assert cause() == {"fingerprint": "http # on page #", "known": None}
    until = clock.now() + HOUR
    given = {"flowRunId": str(run), "until": until.isoformat(), "reason": "closed"}
    marked = site.data(MARK, input=given)["markFailure"]["knownFailure"]
    assert marked == {"id": marked["id"], "taskSlug": "extract-1", "message": "HTTP 503 on page 17", "expired": False}
    assert cause()["known"] == {
        "until": clock.isoformat(until), "reason": "closed", "markedBy": "operator", "flowOwner": "data-team",
    }  # fmt: skip
    with clock.stopped(lambda: until):
        assert cause()["known"] is None
        listed = site.data("{ knownFailures { items { expired } next } }")
        assert listed["knownFailures"] == {"items": [{"expired": True}], "next": None}
    [refused] = site.graphql('{ knownFailures(project: "dem") { next } }')["errors"]
    assert refused["message"] == "There is no project 'dem'; did you mean 'demo'?"
    site.data(UNMARK, input={"knownFailureId": marked["id"]})
    assert cause()["known"] is None
    with pytest.raises(NotFound):
        known_failures.unmark(db, ALICE, UUID(marked["id"]))


def test_the_owner_is_what_the_code_says_last(site: Site) -> None:
    db = site.database
    builders.register(db, owner="data-team")
    made = builders.register(db, owner="finance")
    assert not made.created, "an owner is no new version"
    assert site.get("/api/v1/flows").json()["items"][0]["owner"] == "finance"
    assert site.data("{ flows { items { owner } } }")["flows"]["items"] == [{"owner": "finance"}]
    builders.register(db)
    assert site.get(f"/api/v1/flows/{made.flow_id}").json()["owner"] == ""
    for wrong in ("x" * 201, "two\nlines"):
        with pytest.raises(Invalid, match="owner"):
            builders.register(db, owner=wrong)


def test_on_the_command_line(site: Site, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    db = site.database
    name = builders.run_row(db, ended(db, "disk full", owner="data-team"))["name"]
    assert "at most until" in run("failure", "mark", name, "--until", "monday", "--reason", "new disks")
    listed = run("failure", "list", "--project", "demo")
    assert "demo/etl extract-1" in listed and "new disks" in listed and "08:00:00" in listed
    assert "data-team" in run("get", "flows")
    assert "not known any more" in run("failure", "unmark", "demo/etl")
    assert invoke(["failure", "unmark", "demo/etl"]) == 2
    assert "Flow demo/etl has no known failure" in capsys.readouterr().err
    run("failure", "mark", name)
    ended(db, None)
    assert run("failure", "list") == "" and "disk full" in run("failure", "list", "--resolved")
