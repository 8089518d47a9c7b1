"""Automations at every door: created, changed and deleted, tried out, and asked what they would have done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from appliance.cli.root import invoke
from appliance.kit import clock
from appliance.protocol.automations import Action, CreateAutomation, DryRun, EditAutomation
from appliance.server.actions import automation_history, automations, lost_agents
from appliance.server.db.session import Database
from appliance.server.domain.waiting import ONLINE_FOR
from appliance.server.errors import Conflict, Invalid, NotFound, UnknownName
from tests.integration import builders
from tests.integration.builders import ALICE, rows
from tests.integration.lasting import database, lasting, lasting_address, site
from tests.integration.receivers import Receiver, receiver
from tests.integration.server_fixtures import Site
from tests.integration.test_deliveries import Rounds, settings_for
from tests.integration.test_known_failures import ended
from tests.integration.test_names_on_the_command_line import address, run

__all__ = ["address", "database", "lasting", "lasting_address", "run", "site"]
HOOK = Action(kind="webhook", url="https://hooks.example.org/flows/T0/secret")
BODY = {"name": "etl fails", "events": ["run.failed"], "action": {"kind": "webhook", "url": HOOK.url}}


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as state:
        yield state


def create(db: Database, name: str = "etl fails", **options: Any) -> UUID:
    request = {"events": ["run.failed"], "action": HOOK} | options
    return automations.create(db, ALICE, CreateAutomation(name=name, **request))


def test_what_can_not_be_used_is_refused_with_a_sentence(database: Database) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": " "}, "1 to 100"),
        ({"events": []}, "at least one|one event"),
        ({"events": ["run.exploded"]}, "There is no event 'run.exploded'"),
        ({"events": ["run.failed", "agent.lost"]}, "same kind of thing"),
        ({"q": "stat:failed"}, "There is no filter 'stat'"),
        ({"events": ["agent.lost"], "q": "flow:etl"}, "agent: and label:"),
        ({"events": ["schedule.skipped"], "q": "state:failed"}, "flow: and project:"),
        ({"at_most": -1}, "at most"),
        ({"per": 0.0}, "at most"),
        ({"action": Action(kind="webhook")}, "begin with http"),
        ({"action": Action(kind="webhook", url="ftp://example.org")}, "begin with http"),
        ({"action": Action(kind="webhook", url="https://me:pw@example.org")}, "user name"),
        ({"action": Action(kind="webhook", url="https://example.org:99999")}, "can't be read"),
        ({"action": Action(kind="webhook", url=HOOK.url, secret="KEY")}, "project/NAME"),
        ({"action": Action(kind="webhook", url=HOOK.url, text="{password}")}, "no field"),
        ({"action": Action(kind="slack", url=HOOK.url, secret="a/b")}, "but not both"),
        ({"action": Action(kind="email", to=["nobody"])}, "no address|not an address"),
        ({"action": Action(kind="email", to=[])}, "1 to 50"),
        ({"action": Action(kind="email", to=["a@example.org\nBcc: b@example.org"])}, "not an address"),
        ({"action": Action(kind="syslog", url="https://example.org")}, "udp://"),
        ({"action": Action(kind="pagerduty")}, "routing key"),
    ]
    for options, sentence in wrong:
        with pytest.raises(Invalid, match=sentence):
            create(database, **{"name": "x", **options})
    with pytest.raises(UnknownName):
        create(database, q="flow:missing")
    create(database)
    with pytest.raises(Conflict, match="another automation"):
        create(database, "ETL  fails")


def test_it_changes_only_what_nobody_else_has_changed(database: Database) -> None:
    id = create(database)
    automations.edit(database, ALICE, id, EditAutomation(name="etl is broken", revision=1))
    with pytest.raises(Conflict, match="alice has changed"):
        automations.edit(database, ALICE, id, EditAutomation(name="mine", revision=1))
    automations.edit(database, ALICE, id, EditAutomation(at_most=2, per=900.0, unless_known=True))
    with database.read() as session:
        view = automations.one(session, id, ALICE)
    assert (view.name, view.revision, view.at_most) == ("etl is broken", 3, 2)
    assert view.sentence == ("When a run fails, call a webhook, at most 2 per 15 minutes, unless the failure is known.")
    automations.delete(database, ALICE, id)
    for again in (
        lambda: automations.delete(database, ALICE, id),
        lambda: automations.edit(database, ALICE, uuid4(), EditAutomation()),
    ):
        with pytest.raises(NotFound):
            again()


def test_a_dry_run_counts_what_history_has(database: Database) -> None:
    for message in ("HTTP 503", "disk full", "HTTP 503"):
        ended(database, message)
    ended(database, None)
    ended(database, "HTTP 503", flow="other")
    now = clock.now()
    view = automation_history.dry_run(database, DryRun(events=["run.failed"], q="flow:etl error:503"), now=now)
    assert (view.fired, view.events, view.complete) == (2, 2, True)
    assert [one.flow for one in view.newest] == ["etl", "etl"] and view.newest[0].at >= view.newest[1].at
    assert automation_history.dry_run(database, DryRun(events=["run.failed"], at_most=1), now=now).fired == 1
    assert automation_history.dry_run(database, DryRun(events=["run.failed", "run.succeeded"]), now=now).fired == 5
    later = automation_history.dry_run(database, DryRun(events=["run.failed"], days=1), now=now + timedelta(days=2))
    assert later.fired == 0


def test_a_dry_run_reads_in_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation_history, "_BATCH", 3)
    for _ in range(4):
        ended(database, "disk full")
    assert automation_history.dry_run(database, DryRun(events=["run.failed"])).fired == 4


def test_a_lost_agent_is_announced_once_and_so_is_its_return(database: Database, hook: Receiver) -> None:
    action = Action(kind="webhook", url=hook.url)
    builders.enrol(database, "edge-1", ["edge"])
    builders.enrol(database, "office")
    create(database, events=["agent.lost", "agent.returned"], q="agent:edge-* label:edge", action=action)
    turn = Rounds(database, settings_for(hook.place))
    later = turn.now + ONLINE_FOR + timedelta(seconds=5)
    assert lost_agents.note(database, later) == 2 == lost_agents.note(database, later)
    turn(ONLINE_FOR * 2)
    builders.enrol(database, "edge-1", ["edge"])
    lost_agents.note(database, clock.now())
    turn(ONLINE_FOR * 2)
    assert [request.document["event"] for request in hook.requests] == ["agent.lost", "agent.returned"]
    assert hook.requests[0].document["agent"] == "edge-1"
    assert len(rows(database, "select id from event where kind = 'agent.lost'")) == 2


def test_over_http(site: Site, hook: Receiver) -> None:
    headers = site.headers("operator")
    made = site.client.post("/api/v1/automations", json=BODY, headers=headers).json()
    path = f"/api/v1/automations/{made['id']}"
    assert made["sentence"] == "When a run fails, call a webhook." and made["action"]["url"] == HOOK.url
    seen = site.client.get("/api/v1/automations", headers=site.headers("viewer")).json()["items"]
    assert [one["action"]["url"] for one in seen] == ["https://hooks.example.org/…"]
    changed = site.client.patch(path, json={"enabled": False, "revision": 1}, headers=headers).json()
    assert not changed["enabled"] and changed["revision"] == 2
    assert site.client.patch(path, json={"enabled": True, "revision": 1}, headers=headers).status_code == 409
    refused = site.client.post("/api/v1/automations", json=BODY, headers=site.headers("viewer"))
    assert refused.status_code == 403
    dry = site.client.post("/api/v1/automations/dry-run", json={"events": ["run.failed"]}, headers=headers)
    assert dry.json()["fired"] == 0
    assert site.client.get(f"{path}/deliveries", headers=headers).json()["items"] == []
    assert site.client.get(f"{path}/deliveries?state=lost", headers=headers).status_code == 422
    site.client.patch(path, json={"action": {"kind": "webhook", "url": hook.url}}, headers=headers)
    trial = site.client.post(f"{path}/test", headers=headers).json()
    assert (
        not trial["ok"] and "Nothing is sent to" in trial["answer"] and trial["request"].startswith("POST http://127")
    )
    assert hook.requests == []
    assert site.client.delete(path, headers=headers).status_code == 204
    assert site.client.get(path, headers=headers).status_code == 404


def test_in_graphql(site: Site, hook: Receiver) -> None:
    create = (
        "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { automation { id sentence } } }"
    )
    given = {"name": "etl", "events": ["run.failed"], "action": {"kind": "WEBHOOK", "url": hook.url}}
    made = site.data(create, input=given)["createAutomation"]["automation"]
    ended(site.database, "disk full")
    Rounds(site.database, settings_for(hook.place))()
    deliveries = "query ($id: UUID!) { deliveries(automationId: $id, state: SENT) { items { id state text answer } } }"
    [delivery] = site.data(deliveries, id=made["id"])["deliveries"]["items"]
    assert "disk full" in delivery["text"] and "ok" in delivery["answer"]
    again = "mutation ($input: SendAgainInput!) { sendAgain(input: $input) { delivery { state attempts } } }"
    sent = site.data(again, input={"deliveryId": delivery["id"]})["sendAgain"]["delivery"]
    assert sent == {"state": "PENDING", "attempts": 0}
    edit = (
        "mutation ($input: EditAutomationInput!) { editAutomation(input: $input) { automation { enabled revision } } }"
    )
    changed = site.data(edit, input={"automationId": made["id"], "enabled": False})["editAutomation"]["automation"]
    assert changed == {"enabled": False, "revision": 2}
    dry = '{ automationDryRun(events: ["run.failed"]) { fired complete newest { flow run } } }'
    assert site.data(dry)["automationDryRun"]["fired"] == 1
    test = "mutation ($input: TestAutomationInput!) { testAutomation(input: $input) { ok request answer } }"
    assert not site.data(test, input={"automationId": made["id"]})["testAutomation"]["ok"]
    listed = site.data("{ automations { name pending action { kind url } } }")["automations"]
    assert listed == [{"name": "etl", "pending": 1, "action": {"kind": "WEBHOOK", "url": hook.url}}]
    delete = "mutation ($input: DeleteAutomationInput!) { deleteAutomation(input: $input) { automationId } }"
    assert site.data(delete, input={"automationId": made["id"]})["deleteAutomation"] == {"automationId": made["id"]}
    assert site.data("{ automations { name } }")["automations"] == []


def test_on_the_command_line(site: Site, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    builders.register(site.database)
    assert run("automation", "list") == ""
    options = ("--on", "run.failed", "--filter", "flow:etl", "--at-most", "3/15minutes", "--unless-known")
    made = run("automation", "create", "Etl fails", *options, "--webhook", "https://hooks.example.org/a")
    assert "When a run that matches flow:etl fails, call a webhook, at most 3 per 15 minutes" in made
    assert "Etl fails" in run("automation", "list") and "hooks.example.org" in run("automation", "show", "etl FAILS")
    assert "to ops@example.org" in run("automation", "edit", "etl fails", "--email", "ops@example.org")
    assert "disabled" in run("automation", "disable", "etl fails") and "off" in run("automation", "list")
    assert "enabled" in run("automation", "enable", "etl fails")
    assert "0 times" in run("automation", "dry-run", "--on", "run.failed")
    assert run("automation", "deliveries", "etl fails") == ""
    assert invoke(["automation", "test", "etl fails"]) == 1
    assert "No mail server is set" in capsys.readouterr().out
    for arguments, sentence in (
        (["create", "x", "--on", "run.failed"], "needs --on"),
        (["create", "x", "--webhook", "http://a", "--email", "a@b"], "one action"),
        (["create", "x", "--at-most", "often"], "no rate"),
        (["show", "etl fail"], "did you mean"),
    ):
        assert invoke(["automation", *arguments]) == 2
        assert sentence in capsys.readouterr().err
    run("automation", "delete", "etl fails", "--yes")
    assert run("automation", "list") == ""
