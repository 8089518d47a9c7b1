"""Deliveries: each event reaches each automation once or more under one id, whatever the receiver does and whenever the process dies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.config import Settings
from appliance.kit import clock as kit_clock
from appliance.kit import crash
from appliance.protocol.automations import Action, CreateAutomation, EditAutomation
from appliance.protocol.known_failures import MarkFailure
from appliance.protocol.secrets import PutSecret
from appliance.server.actions import automations, deliveries, known_failures, maintenance, restored, secrets
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.backups import COPIED
from appliance.server.db.session import Database
from appliance.server.db.writes import settings as write_settings
from appliance.server.services.notifier import Notifier
from tests.integration import builders
from tests.integration.builders import ALICE, rows
from tests.integration.lasting import database, lasting
from tests.integration.receivers import Receiver, cut, endless, hang, log, mailbox, receiver, status
from tests.integration.test_known_failures import ended

__all__ = ["database", "lasting"]
DAY = timedelta(days=1)
KEY = "a key for tests"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as state:
        yield state


def settings_for(*places: str, **options: Any) -> Settings:
    return Settings(automation_targets=",".join(places), **options)


def webhook(db: Database, hook: Receiver, name: str = "tell", **options: Any) -> UUID:
    action = Action(kind="webhook", url=hook.url, secret=options.pop("secret", ""), text=options.pop("text", ""))
    request = CreateAutomation(name=name, events=options.pop("events", ["run.failed"]), action=action, **options)
    return automations.create(db, ALICE, request)


class Rounds:
    """The notifier, whose rounds the test decides about. The time moves so that everything that waits is due."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.service = Notifier(db, settings)
        self._db = db
        self.now = kit_clock.now()

    def __call__(self, later: timedelta = timedelta(0)) -> None:
        self.now += later
        with kit_clock.stopped(lambda: self.now):
            self.service.run_once(self.now)
            self.service.finish(20)


def states(db: Database) -> list[str]:
    return [row["state"] for row in rows(db, "select state from delivery order by event_id")]


def test_a_failed_run_reaches_a_webhook_with_its_signature(database: Database, hook: Receiver, tmp_path: Path) -> None:
    settings = settings_for(hook.place, data_dir=str(tmp_path), public_url="https://flows.example.org/")
    key = PutSecret(project="demo", name="HOOK_KEY", secret_value=KEY)
    secrets.put(database, ALICE, SecretKeys(settings.secrets_key_path), key)
    webhook(database, hook, secret="demo/HOOK_KEY")
    run = ended(database, "disk full")
    turn = Rounds(database, settings)
    turn()
    [request] = hook.requests
    message = request.document
    assert (message["flow"], message["run_id"], message["event"]) == ("etl", str(run), "run.failed")
    assert message["url"] == f"https://flows.example.org/runs/{run}" and "disk full" in message["text"]
    signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}" and message["id"] == request.id
    turn()
    assert len(hook.requests) == 1 and states(database) == ["sent"]


def test_only_what_the_automation_asks_for(database: Database, hook: Receiver) -> None:
    builders.register(database, "other")
    builders.register(database, "etl")
    webhook(database, hook, q="flow:other error:503", events=["run.failed", "run.crashed"])
    ended(database, "HTTP 503")
    ended(database, "disk full", flow="other")
    ended(database, None, flow="other")
    wanted_run = ended(database, "HTTP 503", flow="other")
    Rounds(database, settings_for(hook.place))()
    assert [request.document["run_id"] for request in hook.requests] == [str(wanted_run)]


def test_what_happened_before_it_was_there_or_while_it_was_off_is_not_sent(database: Database, hook: Receiver) -> None:
    ended(database, "before")
    automation = webhook(database, hook)
    automations.edit(database, ALICE, automation, EditAutomation(enabled=False))
    ended(database, "while it was off")
    turn = Rounds(database, settings_for(hook.place))
    turn()
    automations.edit(database, ALICE, automation, EditAutomation(enabled=True))
    ended(database, "after")
    turn()
    assert [request.document["message"][-5:] for request in hook.requests] == ["after"]


@pytest.mark.parametrize("answers", ["cut", "500", "hang", "redirect"])
def test_what_does_not_arrive_is_sent_again_under_its_id(
    database: Database, hook: Receiver, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.server.events.http_post.SECONDS", 0.3)
    monkeypatch.setattr("appliance.server.events.http_post.post.__defaults__", (0.3,))
    with receiver() as elsewhere:
        bad = {
            "cut": [cut],
            "500": [status(500)] * 20,
            "hang": [hang(hook)],
            "redirect": [status(302, Location=elsewhere.url)],
        }[answers]
        hook.answers += bad
        webhook(database, hook)
        ended(database, "disk full")
        turn = Rounds(database, settings_for(hook.place, elsewhere.place))
        for _ in range(len(bad) + 2):
            turn(timedelta(minutes=5))
        assert elsewhere.requests == []
    assert len(hook.requests) == len(bad) + 1 and len({request.id for request in hook.requests}) == 1
    assert states(database) == ["sent"]


def test_an_answer_without_end_is_not_read_to_its_end(database: Database, hook: Receiver) -> None:
    hook.answers.append(endless)
    webhook(database, hook)
    ended(database, "disk full")
    Rounds(database, settings_for(hook.place))()
    [row] = rows(database, "select state, answer from delivery")
    assert row["state"] == "sent" and len(row["answer"]) < 5_000


def test_it_is_given_up_after_a_day_and_can_be_sent_again(database: Database, hook: Receiver) -> None:
    hook.answers += [status(500, b"no")] * 2
    webhook(database, hook)
    ended(database, "disk full")
    turn = Rounds(database, settings_for(hook.place))
    turn()
    turn(DAY - timedelta(seconds=5))
    [row] = rows(database, "select id, state, reason, answer from delivery")
    assert row["state"] == "failed" and "500" in row["reason"] and row["answer"].endswith("no")
    turn()
    assert len(hook.requests) == 2
    deliveries.send_again(database, ALICE, UUID(str(row["id"])), now=turn.now)
    turn()
    assert states(database) == ["sent"] and len({request.id for request in hook.requests}) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0.0.0.0:{port}/",
    ],
)
def test_loopback_is_never_touched_unless_it_is_listed(database: Database, hook: Receiver, url: str) -> None:
    action = Action(kind="webhook", url=url.format(port=hook.port))
    automations.create(database, ALICE, CreateAutomation(name="tell", events=["run.failed"], action=action))
    ended(database, "disk full")
    Rounds(database, settings_for())()
    assert hook.requests == []
    [row] = rows(database, "select state, reason from delivery")
    assert row["state"] == "failed" and "Nothing is sent to" in row["reason"]


def test_a_slow_receiver_delays_no_other(database: Database, hook: Receiver) -> None:
    with receiver() as slow:
        slow.answers.append(hang(slow))
        webhook(database, slow, "slow")
        webhook(database, hook, "fast")
        ended(database, "disk full")
        service = Notifier(database, settings_for(hook.place, slow.place))
        service.run_once(kit_clock.now())
        service._busy[hook.place].join(10)
        assert len(hook.requests) == 1 and service._busy[slow.place].is_alive()
        slow.gate.set()
        service.finish(10)


@pytest.mark.parametrize(
    "point", ["outbox.picked", "outbox.sent", "outbox.marked", "automation.follow.applied", "automation.mark.applied"]
)
def test_a_crash_loses_nothing_and_makes_no_second_id(database: Database, hook: Receiver, point: str) -> None:
    webhook(database, hook)
    for number in range(3):
        ended(database, f"failure {'x' * number}")
    settings = settings_for(hook.place)
    crash.arm(f"{point}:2:raise" if point.startswith("outbox") else f"{point}:1:raise")
    try:
        turn = Rounds(database, settings)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("appliance.server.services.notifier.log.exception", lambda *_: None)
            try:
                turn()
            except crash.Crashed:
                assert point.startswith("automation.follow")
    finally:
        crash.arm("")
    successor = Rounds(database, settings)
    for _ in range(3):
        successor(timedelta(minutes=5))
    assert states(database) == ["sent"] * 3
    by_event = {request.document["run_id"]: set() for request in hook.requests}
    for request in hook.requests:
        by_event[request.document["run_id"]].add(request.id)
    assert len(by_event) == 3 and all(len(ids) == 1 for ids in by_event.values())


def test_at_most_so_often_and_then_with_the_number_of_the_others(database: Database, hook: Receiver) -> None:
    webhook(database, hook, at_most=1, per=3600.0)
    turn = Rounds(database, settings_for(hook.place))
    for _ in range(3):
        ended(database, "disk full")
    turn()
    assert states(database) == ["sent", "dropped", "dropped"]
    ended(database, "disk full")
    turn(timedelta(hours=2))
    assert [request.document["suppressed"] for request in hook.requests] == [0, 2]
    assert "2 more since the last message" in hook.requests[-1].document["text"]


def test_not_if_it_is_known_or_there_is_maintenance(database: Database, hook: Receiver) -> None:
    known_failures.mark(database, ALICE, MarkFailure(flow_run_id=ended(database, "disk full on 3")))
    webhook(database, hook, unless_known=True, unless_maintenance=True)
    ended(database, "disk full on 4")
    ended(database, "no route")
    turn = Rounds(database, settings_for(hook.place))
    turn()
    assert states(database) == ["dropped", "sent"] and "no route" in hook.requests[0].document["text"]
    run, _ = builders.begun(database, name="other")
    maintenance.begin(database, ALICE)
    builders.send(database, run, 1, builders.flow("FAILED", "Failed", message="no disk"))
    turn()
    assert states(database) == ["dropped", "sent", "dropped"]


def test_nothing_old_is_sent_after_a_restore(database: Database, hook: Receiver) -> None:
    hook.answers.append(status(500))
    webhook(database, hook)
    ended(database, "pending when the backup was made")
    turn = Rounds(database, settings_for(hook.place))
    turn()
    ended(database, "not even looked at")
    with database.write("test") as session:
        write_settings.put(session, COPIED, "2026-01-01T00:00:00Z", turn.now)
    restored.settle(database, turn.now)
    for _ in range(3):
        turn(timedelta(minutes=5))
    assert len(hook.requests) == 1 and states(database) == ["dropped"]
    ended(database, "after")
    turn()
    assert len(hook.requests) == 2 and states(database) == ["dropped", "sent"]


def test_by_mail_and_to_syslog(database: Database) -> None:
    with mailbox() as box, log("udp") as udp, log("tcp") as tcp:
        actions = [
            Action(kind="email", to=["ops@example.org", "dev@example.org"]),
            Action(kind="syslog", url=f"udp://127.0.0.1:{udp.port}"),
            Action(kind="syslog", url=f"tcp://127.0.0.1:{tcp.port}", text="{flow} is broken: {message}"),
        ]
        for number, action in enumerate(actions):
            request = CreateAutomation(name=f"tell {number}", events=["run.failed"], action=action)
            automations.create(database, ALICE, request)
        ended(database, "disk full\r\nBcc: all@example.org")
        mail = {"mail_server": f"127.0.0.1:{box.port}", "mail_from": "flows@example.org", "mail_security": "none"}
        Rounds(database, settings_for(f"127.0.0.1:{udp.port}", f"127.0.0.1:{tcp.port}", **mail))()
        assert states(database) == ["sent"] * 3
        [letter] = box.mails
        assert "Subject: demo/etl: run" in letter and "\nBcc:" not in letter.split("\n\n")[0]
        assert len(box.recipients) == 2
        until = kit_clock.monotonic() + 10
        while not (udp.lines and tcp.lines) and kit_clock.monotonic() < until:
            pass
        assert udp.lines[0].startswith(b"<27>1 ") and b'event="run.failed"' in udp.lines[0]
        length, _, line = tcp.lines[0].partition(b" ")
        assert int(length) == len(line) and b"etl is broken" in line


def test_a_page_a_card_and_an_alert(database: Database, hook: Receiver, tmp_path: Path) -> None:
    settings = settings_for(hook.place, data_dir=str(tmp_path))
    keys = SecretKeys(settings.secrets_key_path)
    secrets.put(database, ALICE, keys, PutSecret(project="demo", name="CHAT", secret_value=hook.url))
    secrets.put(database, ALICE, keys, PutSecret(project="demo", name="PAGER", secret_value="routing"))
    actions = [
        Action(kind="slack", secret="demo/CHAT"),
        Action(kind="teams", url=hook.url),
        Action(kind="pagerduty", url=hook.url, secret="demo/PAGER"),
        Action(kind="alertmanager", url=hook.url),
    ]
    for action in actions:
        automations.create(database, ALICE, CreateAutomation(name=action.kind, events=["run.failed"], action=action))
    ended(database, "<!channel> @all look")
    Rounds(database, settings)()
    assert states(database) == ["sent"] * 4
    documents = [request.document for request in hook.requests]
    chat = next(document for document in documents if list(document) == ["text"])
    assert "<!channel>" not in chat["text"] and "@all" not in chat["text"]
    page = next(document for document in documents if "routing_key" in document)
    assert page["routing_key"] == "routing" and page["payload"]["severity"] == "error"
    [alert] = next(document for document in documents if isinstance(document, list))
    assert alert["labels"]["alertname"] == "alertmanager" and alert["labels"]["flow"] == "etl"
    assert any("attachments" in document for document in documents if isinstance(document, dict))


def test_events_that_become_visible_late_are_not_lost(database: Database, hook: Receiver) -> None:
    """On Postgres, ids are given before transactions end. The position waits; nothing is sent twice meanwhile."""
    webhook(database, hook)
    ended(database, "disk full")
    turn = Rounds(database, settings_for(hook.place))
    for _ in range(3):
        turn()
    Rounds(database, settings_for(hook.place))()  # another process that remembers nothing
    assert len(hook.requests) == 1
    turn(timedelta(minutes=1))
    with database.read() as session:
        newest = session.connection().exec_driver_sql("select max(id) from event").scalar()
    position = rows(database, "select value from setting where name = 'automations.position'")[0]["value"]
    assert newest is not None and 0 < int(position) <= newest


def test_the_example_in_the_documentation_verifies_what_is_sent(
    database: Database, hook: Receiver, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "pages" / "automations.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    settings = settings_for(hook.place, data_dir=str(tmp_path))
    key = PutSecret(project="demo", name="HOOK_KEY", secret_value=KEY)
    secrets.put(database, ALICE, SecretKeys(settings.secrets_key_path), key)
    webhook(database, hook, secret="demo/HOOK_KEY")
    ended(database, "disk full")
    Rounds(database, settings)()
    [request] = hook.requests
    headers = {name.title(): value for name, value in request.headers.items()}
    assert names["verify"](KEY.encode(), headers, request.body)
    assert not names["verify"](b"another key", headers, request.body)
    assert not names["verify"](KEY.encode(), headers, request.body + b" ")
    assert not names["verify"](KEY.encode(), headers | {"Webhook-Timestamp": "1"}, request.body)
