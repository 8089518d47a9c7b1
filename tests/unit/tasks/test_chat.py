"""Messages to chats: what each service gets, and that the address stays secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from appliance.tasks.chat import MattermostTask, SlackTask, TeamsTask, WebhookTask
from appliance.tasks.library.errors import ConnectionLost, Refused
from tests.conformance.task_servers import Web

NAMES = ("SLACK_WEBHOOK_URL", "MATTERMOST_WEBHOOK_URL", "TEAMS_WEBHOOK_URL", "WEBHOOK_URL")
HOOK = "T0/B0/of-the-chat-test"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with closing(Web("unused")) as web:
        for name in NAMES:
            monkeypatch.setenv(f"APPLIANCE_SECRET_{name}", f"{web.url}/open/hook/{HOOK}?key=key-of-the-chat-test")
        yield web


def test_each_service_gets_what_it_takes(web: Web) -> None:
    kinds = (SlackTask, MattermostTask, TeamsTask, WebhookTask)
    tasks = [kind("hello") for kind in kinds]
    assert [task.run() for task in tasks] == [200] * 4
    assert tuple(task.secrets for task in tasks) == tuple((name,) for name in NAMES)
    slack, mattermost, teams, webhook = (json.loads(each["body"]) for each in web.seen)
    assert slack == mattermost == webhook == {"text": "hello"}
    assert teams["attachments"][0]["content"]["body"] == [{"type": "TextBlock", "text": "hello", "wrap": True}]
    assert web.seen[0]["query"] == {"key": "key-of-the-chat-test"}
    SlackTask().run(message={"blocks": []})
    assert json.loads(web.seen[-1]["body"]) == {"blocks": []}


def test_the_address_is_in_no_error(web: Web) -> None:
    web.answers = [(400, {}, f"bad {HOOK} key-of-the-chat-test".encode())]
    with pytest.raises(Refused, match=r"^http://127\.0\.0\.1:\d+/\*\*\* answered with 400 Bad Request: bad") as refused:
        SlackTask("hello").run()
    assert "of-the-chat" not in str(refused.value)


def test_a_message_is_not_repeated(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_WEBHOOK_URL", f"{web.url}/open/drop/x")
    with pytest.raises(ConnectionLost):
        WebhookTask("hello").run()
    assert len(web.seen) == 1
