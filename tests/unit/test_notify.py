"""Notifiers: which states call for a message, what it says, and that no receiver changes how a run ends."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes
from typing import Any

import cloudpickle
import pytest

from appliance import Flow, notify, task
from appliance.core.secrets import Secret, declared_by
from appliance.core.states import Cancelled, Failed, Retrying, State, Success
from tests.conformance.task_servers import Mail, Web

HOOK = "T0/B0/of-the-notify-test"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with closing(Web("unused")) as web:
        for name in ("SLACK", "MATTERMOST", "TEAMS"):
            monkeypatch.setenv(f"APPLIANCE_SECRET_{name}_WEBHOOK_URL", f"{web.url}/open/hook/{HOOK}")
        monkeypatch.setenv("APPLIANCE_SECRET_WEBHOOK_URL", f"{web.url}/open/hook/{HOOK}")
        yield web


def bodies(web: Web) -> list[Any]:
    return [json.loads(each["body"]) for each in web.seen]


def failing(**options: Any) -> Flow:
    @task
    def load() -> None:
        raise KeyError("x")

    with Flow("etl", **options) as flow:
        load()
    return flow


class Heard:
    """What a notifier sent."""

    def __init__(self, **options: Any) -> None:
        self.said: list[tuple[str, str]] = []
        self.notifier = notify.Notifier(lambda target, state: self.said.append((target.name, state.name)), **options)


def test_a_failed_flow_says_which_task_failed_and_why(web: Web) -> None:
    state = failing(on_failure=notify.slack()).run(context={"flow_run_name": "happy-otter"})
    assert state.is_failed()
    (body,) = bodies(web)
    first, second, third = body["text"].split("\n")
    assert first == "Flow etl: Failed"
    assert second.startswith("Task load-1 failed: KeyError: 'x'")
    assert third.startswith("Run happy-otter ")


def test_each_receiver_gets_what_it_takes(web: Web) -> None:
    flow = failing(state_handlers=[notify.slack(), notify.mattermost(), notify.teams(), notify.webhook()])
    flow.run()
    slack, mattermost, teams, webhook = bodies(web)
    assert slack == mattermost
    assert teams["attachments"][0]["content"]["body"][0]["text"] == slack["text"]
    assert {key: webhook[key] for key in ("flow", "task", "state", "text")} == {
        "flow": "etl",
        "task": None,
        "state": "Failed",
        "text": slack["text"],
    }
    assert webhook["at"].endswith("Z")


def test_a_message_of_ones_own(web: Web) -> None:
    failing(on_failure=notify.slack(message=lambda flow, state: {"blocks": [flow.name, state.name]})).run()
    assert bodies(web) == [{"blocks": ["etl", "Failed"]}]


def test_success_says_nothing_unless_it_is_named() -> None:
    usual, success, others = Heard(), Heard(only_states=Success), Heard(only_states=[State], ignore_states=[Success])
    with Flow("etl", state_handlers=[each.notifier for each in (usual, success, others)]) as flow:
        task(lambda: 1, name="one")()
    assert flow.run().is_successful()
    assert usual.said == []
    assert success.said == [("etl", "Success")]
    assert others.said == [("etl", "Running")]


def test_a_task_that_is_retried_says_so_once() -> None:
    heard, retried = Heard(), Heard(only_states=[Retrying])

    @task(max_retries=2, retry_delay=0, on_failure=heard.notifier, state_handlers=[retried.notifier])
    def flaky() -> None:
        raise ValueError("down")

    with Flow("etl") as flow:
        flaky()
    assert flow.run().is_failed()
    assert heard.said == [("flaky", "Failed")]
    assert retried.said == [("flaky", "AwaitingRetry")] * 2


def test_a_mapped_task_says_which_child() -> None:
    said: list[str] = []
    notifier = notify.Notifier(lambda target, state: said.append(notify.message_of(target, state)))

    @task(on_failure=notifier)
    def half(n: int) -> float:
        return 1 / n

    with Flow("etl") as flow:
        half.map([1, 0])
    flow.run()
    assert len(said) == 1
    assert said[0].startswith("Task half[1] of flow etl: Failed\nZeroDivisionError: division by zero")


def test_a_receiver_that_is_away_changes_nothing_and_is_logged(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    web.answers = [(500, {}, b"broken")]
    with Flow("etl", state_handlers=[notify.webhook(only_states=Success)]) as flow:
        task(lambda: 1, name="one")()
    assert flow.run().is_successful()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("The message that etl is Success was not sent: ")
    assert "500" in warning
    assert HOOK not in warning


@pytest.mark.parametrize("error", [ZeroDivisionError("0"), KeyError(), RecursionError("deep")])
def test_a_message_that_cant_be_made_changes_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_target: Any, _state: State) -> None:
        raise error

    assert failing(on_failure=notify.Notifier(broken)).run().message == failing().run().message
    assert "was not sent" in caplog.text


def test_a_missing_secret_is_a_warning(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPLIANCE_SECRET_SLACK_WEBHOOK_URL", raising=False)
    assert failing(on_failure=notify.slack("NO_SUCH_HOOK")).run().is_failed()
    assert "Secret 'NO_SUCH_HOOK' was not found" in caplog.text


def test_the_flow_declares_the_secrets_of_its_notifiers() -> None:
    @task(state_handlers=[notify.teams("OPS_TEAMS")])
    def one() -> None: ...

    mail = notify.email("ops@example.org", "etl@example.org", "mail", username="etl", password=Secret("MAIL_PASSWORD"))
    with Flow("etl", on_failure=notify.slack("OPS_SLACK"), state_handlers=[mail], secrets=["OWN"]) as flow:
        one()
    assert declared_by(flow) == ("MAIL_PASSWORD", "OPS_SLACK", "OPS_TEAMS", "OWN")


def test_secrets_are_masked_in_messages(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_ZEBRA", "right-zebra-4711")

    @task
    def load() -> None:
        raise ValueError(f"no {Secret('ZEBRA').get()}")

    with Flow("etl", on_failure=notify.slack()) as flow:
        load()
    flow.run()
    assert "ValueError: no ***" in bodies(web)[0]["text"]


def test_an_email_has_the_first_line_as_its_subject() -> None:
    with closing(Mail("etl", "unused")) as mail:
        notifier = notify.email(
            "ops@example.org", "etl@example.org", "127.0.0.1", smtp_port=mail.port, smtp_type="INSECURE"
        )
        failing(on_failure=notifier).run()
        (message,) = map(message_from_bytes, mail.messages)
    assert message["Subject"] == "Flow etl: Failed"
    assert "Task load-1 failed: KeyError" in message.get_payload()


def test_a_line_of_syslog(tmp_path: Any) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        failing(on_failure=notify.syslog(udp.getsockname())).run()
        line = udp.recv(2_000).decode()
    assert line.startswith("<11>appliance: Flow etl: Failed Task load-1 failed: KeyError")


def test_a_syslog_that_is_not_there_is_a_warning(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert failing(on_failure=notify.syslog(str(tmp_path / "none"))).run().is_failed()
    assert "was not sent" in caplog.text


def test_the_time_of_the_last_state_goes_to_prometheus(web: Web) -> None:
    failing(state_handlers=[notify.prometheus(f"{web.url}/open/hook")]).run()
    web.answers = [(200, {}, b"")]
    failing(state_handlers=[notify.prometheus(f"{web.url}/open/hook/")]).run()
    (first, second) = web.seen
    assert first["method"] == "PUT"
    assert first["path"] == "/open/hook/metrics/job/appliance/flow/etl/state/Failed/task@base64/="
    assert first["path"] == second["path"]
    labels = b'{flow="etl",state="Failed",task=""}'
    assert re.search(rb"appliance_state_timestamp_seconds" + re.escape(labels) + rb" 1\.\d+e\+09", first["body"])


def test_a_callback_is_called_when_its_check_says_so() -> None:
    seen: list[str] = []
    handler = notify.callback_factory(lambda target, state: seen.append(f"{target.name} {state.name}"), State.is_failed)
    state = failing(state_handlers=[handler]).run()
    assert state.is_failed()
    assert seen == ["etl Failed"]


@pytest.mark.parametrize("states", [str, [Failed, "Cancelled"], [Cancelled()]])
def test_what_is_no_state_is_refused(states: Any) -> None:
    with pytest.raises(TypeError, match=r"only_states must be classes of states, such as \[Failed, Cancelled\]"):
        notify.slack(only_states=states)


def test_a_flow_with_notifiers_can_be_pickled() -> None:
    flow = cloudpickle.loads(cloudpickle.dumps(failing(on_failure=notify.slack("OPS"))))
    assert declared_by(flow) == ("OPS",)
