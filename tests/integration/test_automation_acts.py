"""Automations that change something: once for each event, with the rights of the person who saved them, and never in circles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from appliance.config import Settings
from appliance.kit import clock, crash
from appliance.protocol.automations import Action, CreateAutomation, EditAutomation
from appliance.protocol.flow_runs import RestartFlowRun
from appliance.protocol.run_protocol import AskChild, Begin
from appliance.protocol.users import CreateUser, EditUser
from appliance.server.actions import automation_sending, automations, child_runs, deliveries, late, schedules, users
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from appliance.server.domain.automation_acts import LONGEST_CHAIN
from appliance.server.errors import Conflict, Forbidden, Invalid, NotFound
from tests.integration import builders
from tests.integration.builders import ALICE, RUN, rows
from tests.integration.lasting import database, lasting, lasting_address, site
from tests.integration.server_fixtures import Site
from tests.integration.test_deliveries import Rounds, states
from tests.integration.test_known_failures import ended
from tests.integration.test_names_on_the_command_line import address, run

__all__ = ["address", "database", "lasting", "lasting_address", "run", "site"]
ADMIN = Actor(kind="user", name="root", role="admin")
AGAIN = Action(kind="restart")
MINUTE = timedelta(minutes=1)


def person(db: Database, name: str = "bob", role: Any = "operator") -> Actor:
    view = users.create(db, ADMIN, CreateUser(username=name, password="a long enough phrase", role=role))
    return Actor(kind="user", name=name, role=role, user_id=view.id)


def automate(db: Database, actor: Actor, action: Action, *events: str, name: str = "calm", **options: Any) -> UUID:
    given = {"events": list(events) or ["run.failed"], "at_most": 100, "per": 60.0} | options
    return automations.create(db, actor, CreateAutomation(name=name, action=action, **given))


def turns(db: Database) -> Rounds:
    return Rounds(db, Settings())


def fail(db: Database, run: UUID, attempt: int) -> None:
    """Have an agent take the run, and the attempt fail."""
    [work] = builders.claim(db, builders.enrol(db, storages=["local"]))
    assert (work.flow_run_id, work.attempt) == (run, attempt)
    runs.begin(db, RUN, run, Begin(attempt=attempt))
    failed = builders.task("extract-1", "FAILED", "Failed", message="disk full")
    builders.send(db, run, 1, failed, builders.flow("FAILED", "Failed", message="disk full"), attempt=attempt)


def reasons(db: Database) -> list[str]:
    return [row["reason"] for row in rows(db, "select reason from delivery order by event_id")]


def runs_of(db: Database, flow: str) -> list[dict[str, Any]]:
    query = "select r.* from flow_run r join flow f on f.id = r.flow_id where f.name = :flow order by r.created"
    return rows(db, query, flow=flow)


def test_what_can_not_be_done_is_refused_with_a_sentence(database: Database) -> None:
    bob = person(database)
    builders.register(database)
    wrong: list[tuple[Action, list[str], str]] = [
        (AGAIN, ["run.late"], "restart works only on these events: run.cancelled, run.crash_loop"),
        (Action(kind="cancel"), ["run.failed"], "cancel works only on these events: run.late"),
        (Action(kind="pause_flow"), ["agent.lost"], "runs and schedules alone"),
        (Action(kind="restart", url="http://a"), ["run.failed"], "no url"),
        (Action(kind="webhook", url="http://a", flow="a/b"), ["run.failed"], "no flow"),
        (Action(kind="start", flow="etl"), ["run.failed"], "project/NAME"),
        (Action(kind="start", flow="demo/etl", parameters={"n": 1}), ["run.failed"], "no parameter 'n'"),
        (Action(kind="start", flow="demo/etl", parameters={"n": ["{secret}"]}), ["run.failed"], "no field"),
        (Action(kind="start", flow="demo/etl", labels=[" "]), ["run.failed"], "label"),
        (Action(kind="set_limit", tag="db"), ["run.failed"], "slots"),
        (Action(kind="set_limit", tag=" ", slots=1), ["run.failed"], "task tag"),
        (Action(kind="restart", text="{password}"), ["run.failed"], "no field"),
    ]
    for action, events, sentence in wrong:
        with pytest.raises(Invalid, match=sentence):
            automate(database, bob, action, *events)
    with pytest.raises(Invalid, match="needs a bound"):
        automate(database, bob, AGAIN, at_most=0)
    with pytest.raises(NotFound, match="did you mean 'demo/etl'"):
        automate(database, bob, Action(kind="start", flow="demo/etk"))
    with pytest.raises(Forbidden, match="a user has to save it"):
        automate(database, ALICE, AGAIN)
    with pytest.raises(Forbidden, match="runs:restart"):
        automate(database, Actor(kind="user", name="eve", role="viewer", user_id=bob.user_id), AGAIN)


def test_it_restarts_a_run_under_its_own_name(database: Database) -> None:
    id = automate(database, person(database), AGAIN)
    run = ended(database, "disk full")
    turn = turns(database)
    turn()
    row = builders.run_row(database, run)
    assert (row["state_name"], row["attempt"]) == ("Scheduled", 1) and states(database) == ["sent"]
    [last] = rows(
        database, "select * from flow_run_state where flow_run_id = :run order by version desc limit 1", run=run
    )
    assert last["message"] == "Restarted by automation calm." and last["actor"] == "automation calm"
    [delivery] = rows(database, "select answer, message from delivery")
    assert delivery["answer"] == f"It restarted run {row['name']} of demo/etl."
    turn(MINUTE)
    assert builders.run_row(database, run)["version"] == row["version"]
    with database.read() as session:
        view = automations.one(session, id, ALICE)
    assert view.acts_as == "bob" and view.sentence.startswith("When a run fails, restart it, at most 100 per minute")


def test_each_other_action_does_what_people_can_do(database: Database) -> None:
    bob = person(database)
    builders.register(database, "repair", parameters=[builders.N | {"name": "cause", "schema": {}}, builders.N])
    start = Action(
        kind="start",
        flow="demo/repair",
        parameters={"cause": "{flow}: {message} {A}", "n": 3},
        run_name="for {run}",
    )
    automate(database, bob, start, name="start")
    automate(database, bob, Action(kind="set_limit", tag="db", slots=1), name="limit")
    automate(database, bob, Action(kind="pause_flow"), name="pause")
    failed = ended(database, "disk full")
    turns(database)()
    assert states(database) == ["sent"] * 3
    [started] = runs_of(database, "repair")
    assert started["name"] == f"for {builders.run_row(database, failed)['name']}"
    assert started["created_by"] == "automation start"
    with database.read() as session:
        row = automations.delivery_view(_delivery(session, "start"))
    assert str(row.started).replace("-", "") == str(started["id"]).replace("-", "")
    assert "etl: Task extract-1 failed: disk full {A}" in row.answer and "n=3" in row.answer
    assert rows(database, "select slots, created_by from concurrency_limit") == [
        {"slots": 1, "created_by": "automation limit"}
    ]
    assert [flow["paused"] for flow in rows(database, "select paused from flow where name = 'etl'")] == [True]


def _delivery(session: Any, name: str) -> Any:
    from appliance.server.db.reads import automations as reads

    id = reads.named(session, name)
    return reads.deliveries(session, id, None, 10, None).rows[0]


def test_it_pauses_the_schedule_of_a_run_or_says_that_there_is_none(database: Database) -> None:
    automate(database, person(database), Action(kind="pause_schedule"), "run.late", name="pause")
    database.rules = database.rules.__class__(late_after=60)
    flow = builders.register(database, schedules=[builders.YEARLY])
    plain = builders.create(database, flow.flow_id)
    turn = turns(database)
    late.mark_late(database, clock.now() + MINUTE * 2)
    turn()
    assert states(database) == ["failed"] and "No schedule has planned the run" in reasons(database)[0]
    assert builders.run_row(database, plain)["state_name"] == "Late"
    year = clock.now() + timedelta(days=367)
    late.mark_late(database, year)
    with clock.stopped(lambda: year):
        turn.now = year
        turn()
    assert "sent" in states(database)
    assert [one["active"] for one in rows(database, "select active from schedule")] == [False]


def test_it_cancels_what_waits_unless_that_has_begun_meanwhile(database: Database) -> None:
    automate(database, person(database), Action(kind="cancel", text="nobody takes {flow}"), "run.late")
    flow = builders.register(database)
    first, second = (builders.create(database, flow.flow_id) for _ in range(2))
    late.mark_late(database, clock.now() + timedelta(hours=1))
    [work] = builders.claim(database, builders.enrol(database, storages=["local"]))
    began, waits = work.flow_run_id, ({first, second} - {work.flow_run_id}).pop()
    turns(database)()
    assert builders.run_row(database, began)["state_name"] == "Submitted"
    row = builders.run_row(database, waits)
    assert (row["state_name"], row["state_message"]) == ("Cancelled", "nobody takes etl")
    assert sorted(states(database)) == ["failed", "sent"]


def test_a_person_who_lost_the_right_does_not_act_through_it(database: Database) -> None:
    bob = person(database)
    assert bob.user_id is not None
    automate(database, bob, AGAIN)
    turn = turns(database)
    users.edit(database, ADMIN, bob.user_id, EditUser(role="viewer"))
    run = ended(database, "disk full")
    turn()
    users.edit(database, ADMIN, bob.user_id, EditUser(role="operator", disabled=True))
    ended(database, "disk full")
    turn()
    users.delete(database, ADMIN, bob.user_id)
    ended(database, "disk full")
    turn()
    assert states(database) == ["failed"] * 3
    viewer, disabled, deleted = reasons(database)
    assert "with the rights of bob" in viewer and "runs:restart" in viewer
    assert "bob, who is disabled" in disabled and "was deleted" in deleted
    assert builders.run_row(database, run)["attempt"] == 1


def test_who_changes_what_it_does_answers_for_it(database: Database) -> None:
    bob, carol = person(database), person(database, "carol", "admin")
    id = automate(database, carol, AGAIN)

    def owner() -> str:
        with database.read() as session:
            return automations.one(session, id, ALICE).acts_as

    automations.edit(database, bob, id, EditAutomation(name="other", enabled=False, action=AGAIN))
    assert owner() == "carol"
    with pytest.raises(Forbidden):
        automations.edit(database, ALICE, id, EditAutomation(q="error:disk"))
    automations.edit(database, bob, id, EditAutomation(events=["run.crashed"]))
    assert owner() == "bob"
    automations.edit(database, carol, id, EditAutomation(action=Action(kind="webhook", url="https://example.org")))
    assert owner() == ""


def test_it_does_not_restart_for_ever(database: Database) -> None:
    automate(database, person(database), AGAIN)
    run = ended(database, "disk full")
    turn = turns(database)
    for attempt in range(2, LONGEST_CHAIN + 2):
        turn()
        fail(database, run, attempt)
    turn()
    assert states(database) == ["sent"] * LONGEST_CHAIN + ["dropped"]
    assert "5 automations in a row" in reasons(database)[-1]
    restart_run(database, ALICE, run, RestartFlowRun())
    fail(database, run, LONGEST_CHAIN + 2)
    turn()
    assert states(database)[-1] == "sent", "a person has begun anew"


def test_runs_that_it_starts_do_not_start_it_for_ever(database: Database) -> None:
    builders.register(database)
    automate(database, person(database), Action(kind="start", flow="demo/etl"))
    ended(database, "disk full")
    turn = turns(database)
    for _ in range(LONGEST_CHAIN + 3):
        turn()
        for row in rows(database, "select id from flow_run where state_name = 'Scheduled'"):
            fail(database, UUID(str(row["id"])), 1)
    assert len(runs_of(database, "etl")) == LONGEST_CHAIN + 1
    assert states(database) == ["sent"] * LONGEST_CHAIN + ["dropped"]


def test_children_of_what_it_starts_belong_to_the_chain(database: Database) -> None:
    builders.register(database)
    builders.register(database, "child")
    builders.register(database, "parent", starts={"project": "demo", "flow": "child"})
    automate(database, person(database), Action(kind="start", flow="demo/parent"), q="flow:etl")
    ended(database, "disk full")
    turns(database)()
    [parent] = runs_of(database, "parent")
    id = UUID(str(parent["id"]))
    builders.claim(database, builders.enrol(database, storages=["local"]))
    runs.begin(database, RUN, id, Begin(attempt=1))
    actor = Actor(kind="run", name=str(id), flow_run_id=id, attempt=1)
    child_runs.follow(database, actor, id, AskChild(attempt=1, task_slug="load-1", map_index=-1, count=1))
    [child] = runs_of(database, "child")
    assert [str(row["context"]).replace(" ", "") for row in (parent, child)] in (
        ['{"automation_chain":1}'] * 2,
        ["{'automation_chain':1}"] * 2,
    )


def test_what_changed_since_is_left_alone(database: Database) -> None:
    automate(database, person(database), AGAIN)
    run = ended(database, "disk full")
    restart_run(database, ALICE, run, RestartFlowRun())
    fail(database, run, 2)
    turns(database)()
    assert sorted(states(database)) == ["failed", "sent"], "the first failure is over, the second is not"
    assert builders.run_row(database, run)["state_name"] == "Scheduled"


def test_no_more_than_it_may_nor_when_it_is_too_late_nor_once_it_is_off(database: Database) -> None:
    limit = Action(kind="set_limit", tag="db", slots=1)
    id = automate(database, person(database), limit, at_most=1, per=3600.0)
    turn = turns(database)
    for _ in range(2):
        ended(database, "disk full")
    turn()
    assert states(database) == ["sent", "dropped"]
    ended(database, "disk full")
    turn(timedelta(hours=3))
    assert "more than an hour" in reasons(database)[-1]
    turn.now = clock.now() + timedelta(hours=3)
    with clock.stopped(lambda: turn.now):
        ended(database, "disk full")
    deliveries.follow(database, turn.service._follower, turn.now)
    automations.edit(database, person(database, "carol"), id, EditAutomation(enabled=False))
    turn()
    assert states(database)[-1] == "dropped" and "switched off" in reasons(database)[-1]


@pytest.mark.parametrize(
    "point", ["outbox.picked", "automation.act.applied", "automation.act.committed", "outbox.marked"]
)
def test_a_crash_neither_loses_nor_repeats_it(database: Database, point: str) -> None:
    builders.register(database, "repair")
    automate(database, person(database), Action(kind="start", flow="demo/repair"))
    for _ in range(3):
        ended(database, "disk full")
    crash.arm(f"{point}:2:raise")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("appliance.server.services.notifier.log.exception", lambda *_: None)
            turns(database)()
    finally:
        crash.arm("")
    assert states(database).count("pending") in (1, 2)
    turn = turns(database)
    for _ in range(2):
        turn()
    assert states(database) == ["sent"] * 3 and len(runs_of(database, "repair")) == 3


def test_what_was_done_is_not_done_again_and_what_was_refused_can_be(database: Database) -> None:
    automate(database, person(database), AGAIN)
    run = ended(database, "disk full")
    turn = turns(database)
    turn()
    [row] = rows(database, "select id from delivery")
    with pytest.raises(Conflict, match="has been done"):
        deliveries.send_again(database, ALICE, UUID(str(row["id"])))
    fail(database, run, 2)
    turn()
    assert states(database) == ["sent", "sent"]


def test_a_test_shows_what_it_would_do_and_does_nothing(database: Database) -> None:
    bob = person(database)
    id = automate(database, bob, AGAIN)
    trial = automation_sending.test(database, bob, Settings(), id)
    assert trial.ok and "nothing to try it on" in trial.answer
    run = ended(database, "disk full")
    before = builders.run_row(database, run)
    trial = automation_sending.test(database, bob, Settings(), id)
    assert trial.ok and trial.answer == f"It would restart run {before['name']} of demo/etl. Nothing was done."
    assert "failed: Task extract-1 failed: disk full\nrun.failed at " in trial.request
    assert builders.run_row(database, run) == before and rows(database, "select id from delivery") == []
    restart_run(database, ALICE, run, RestartFlowRun())
    trial = automation_sending.test(database, bob, Settings(), id)
    assert not trial.ok and "It can't now: " in trial.answer
    builders.register(database, "repair")
    other = automate(database, bob, Action(kind="start", flow="demo/repair", run_name="after {flow}"), name="other")
    assert "start a run of demo/repair" in automation_sending.test(database, bob, Settings(), other).answer
    assert runs_of(database, "repair") == []


def test_a_schedule_that_skips_is_paused(database: Database) -> None:
    automate(database, person(database), Action(kind="pause_schedule"), "schedule.skipped")
    flow = builders.register(database)
    schedule = schedules.create(database, ALICE, flow.flow_id, builders.MINUTELY)
    later = clock.now() + timedelta(days=1)
    with clock.stopped(lambda: later):
        schedules.keep_ahead(database, [schedule.id], now=later)
    turn = turns(database)
    turn.now = later
    turn()
    assert states(database)[:1] == ["sent"], reasons(database)
    assert [one["active"] for one in rows(database, "select active from schedule")] == [False]


def test_at_every_door(site: Site, run: Any) -> None:
    builders.register(site.database, "repair", parameters=[builders.N])
    body = {
        "name": "calm", "events": ["run.failed"], "at_most": 3,
        "action": {"kind": "start", "flow": "demo/repair", "parameters": {"n": 2}, "labels": ["a"]},
    }  # fmt: skip
    made = site.client.post("/api/v1/automations", json=body, headers=site.headers("operator")).json()
    assert made["acts_as"] == "operator" and made["sentence"].startswith(
        "When a run fails, start a run of demo/repair,"
    )
    seen = site.client.get(f"/api/v1/automations/{made['id']}", headers=site.headers("viewer")).json()
    assert seen["action"]["parameters"] == {"n": 2} and "owner" not in seen["action"]
    query = "{ automations { actsAs action { kind flow parameters labels runName tag slots } } }"
    assert site.data(query)["automations"] == [
        {
            "actsAs": "operator",
            "action": {
                "kind": "START", "flow": "demo/repair", "parameters": {"n": 2}, "labels": ["a"], "runName": "", "tag": "", "slots": None,
            },
        }
    ]  # fmt: skip
    create = "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { automation { sentence } } }"
    limit = {"kind": "SET_LIMIT", "tag": "db", "slots": 0}
    given = {"name": "limit", "events": ["agent.lost"], "action": limit, "atMost": 1}
    answer = site.data(create, input=given)["createAutomation"]["automation"]["sentence"]
    assert answer == "When an agent is lost, set the limit of tag db to 0, at most 1 per hour."
    text = run("automation", "create", "again", "--on", "run.failed", "--restart", "--at-most", "3/hour")
    assert "When a run fails, restart it, at most 3 per hour." in text
    options = (
        "--start",
        "demo/repair",
        "--param",
        "n=3",
        "--label",
        "b",
        "--run-name",
        "for {run}",
        "--at-most",
        "1/day",
    )
    assert "start a run of demo/repair" in run("automation", "create", "begin", "--on", "run.failed", *options)
    shown = run("automation", "show", "begin")
    assert "acts as: " in shown and "parameters: n=3" in shown
    assert "tag db to 2" in run("automation", "edit", "begin", "--set-limit", "db=2")
    for kind in ("--pause-flow", "--pause-schedule"):
        run("automation", "edit", "begin", kind)
    run("automation", "edit", "begin", "--on", "run.late", "--cancel")
    ended(site.database, "disk full")
    assert "nothing to try it on" in run("automation", "test", "begin")
    assert "It would restart run" in run("automation", "test", "again")
    turns(site.database)()
    assert "done" in run("automation", "deliveries", "again")
