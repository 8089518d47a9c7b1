"""What goes wrong in a real appliance reaches a mail server, a webhook, and a log within seconds, whatever bad receivers do meanwhile."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.appliance_process import Appliance, clean_environment, running, until
from tests.integration.receivers import Log, Mailbox, Received, Receiver, cut, hang, log, mailbox, receiver, status

KEY = "a key for tests"
SOON = timedelta(seconds=10)
"""Within which a message arrives, once it is known what has happened."""
AWAY = timedelta(seconds=16)
"""More than three beats of the server, so that the due times meanwhile are its schedule's to decide about."""
EVENTS = {"run.crashed", "run.failed", "run.late", "schedule.skipped", "agent.lost"}
BROKEN = """\
from pathlib import Path
from appliance import Flow, task
if Path({marker!r}).exists():
    raise RuntimeError("the module can't be imported today")
@task
def nothing():
    pass
with Flow("breaks") as breaks:
    nothing()
"""
GROUPS = (["run.crashed", "run.failed"], ["run.late"], ["schedule.skipped"], ["agent.lost"])

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(420)]


@dataclass
class Receivers:
    """A good one of each kind; one that answers badly before it is good; one that redirects, and the one to which it does."""

    mail: Mailbox
    hook: Receiver
    log: Log
    bad: Receiver
    redirecting: Receiver
    elsewhere: Receiver

    @property
    def places(self) -> str:
        return ",".join([self.hook.place, self.bad.place, self.redirecting.place, f"127.0.0.1:{self.log.port}"])


@dataclass
class Site:
    appliance: Appliance
    receivers: Receivers
    folder: Path
    agent: subprocess.Popen[bytes] | None = field(default=None)


@contextmanager
def receivers() -> Iterator[Receivers]:
    with ExitStack() as stack:
        hooks = [stack.enter_context(receiver()) for _ in range(4)]
        yield Receivers(stack.enter_context(mailbox()), hooks[0], stack.enter_context(log("tcp")), *hooks[1:])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with receivers() as all_of_them:
        settings = {
            "APPLIANCE_AUTOMATION_TARGETS": all_of_them.places,
            "APPLIANCE_MAIL_SERVER": f"127.0.0.1:{all_of_them.mail.port}",
            "APPLIANCE_MAIL_FROM": "flows@example.org",
            "APPLIANCE_MAIL_SECURITY": "none",
            "APPLIANCE_LATE_AFTER": "3",
            "APPLIANCE_REPAIR_INTERVAL": "2",
            "APPLIANCE_RUN_LEASE": "30",
        }
        with running(tmp_path / "data", **settings) as appliance:
            appliance.register("flows.py")
            made = Site(appliance, all_of_them, tmp_path)
            try:
                yield made
            finally:
                if made.agent is not None:
                    made.agent.kill()
                    made.agent.wait()


def automate(site: Site) -> None:
    """An automation of each kind of receiver for each group of events, and two with bad receivers."""
    done = site.appliance.cli(
        "secret", "set", "HOOK_KEY", "--project", "tests", "--from-file", str(written(site, "key", KEY))
    )
    assert done.returncode == 0, done.stderr
    actions: list[dict[str, Any]] = [
        {"kind": "email", "to": ["ops@example.org"]},
        {"kind": "webhook", "url": site.receivers.hook.url, "secret": "tests/HOOK_KEY"},
        {"kind": "syslog", "url": f"tcp://127.0.0.1:{site.receivers.log.port}"},
    ]
    for events in GROUPS:
        for action in actions:
            create(site, f"{action['kind']} {events[0]}", events, action, 1 if events == ["run.late"] else 0)
    site.receivers.bad.answers += [status(500), status(500), cut, hang(site.receivers.bad)]
    site.receivers.redirecting.answers += [status(302, Location=site.receivers.elsewhere.url)] * 100
    for name in ("bad", "redirecting"):
        create(site, name, ["run.crashed"], {"kind": "webhook", "url": getattr(site.receivers, name).url})


def create(site: Site, name: str, events: list[str], action: dict[str, Any], at_most: int = 0) -> None:
    body = {"name": name, "events": events, "action": action, "at_most": at_most, "per": 86_400}
    answer = site.appliance.api("POST", "/api/v1/automations", body)
    assert answer.status_code == 201, answer.text


def written(site: Site, name: str, content: str) -> Path:
    path = site.folder / name
    path.write_text(content)
    return path


def begin_an_agent(site: Site) -> None:
    token = site.appliance.api("POST", "/api/v1/tokens", {"name": "far", "scope": "agent"}).json()["token"]
    site.agent = subprocess.Popen(
        [sys.executable, "-m", "appliance", "agent", "process", "--name", "far", "--label", "far"],
        env=clean_environment(
            APPLIANCE_URL=site.appliance.url, APPLIANCE_TOKEN=token, APPLIANCE_DATA_DIR=str(site.folder / "far")
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until("the agent is there", lambda: "far" in [one["name"] for one in site.appliance.get("/api/v1/agents")["items"]])


def crash_a_run(site: Site) -> None:
    run = site.appliance.create_run("waits", path=str(site.folder / "never"), seconds=300)
    site.appliance.wait_for(run, "RUNNING")
    os.kill(site.appliance.run_pid(run), signal.SIGKILL)
    assert site.appliance.wait_for(run, "FAILED")["state"] == "Crashed"


def fail_to_load(site: Site) -> None:
    marker = site.folder / "broken"
    file = written(site, "breaks.py", BROKEN.format(marker=str(marker)))
    done = site.appliance.cli("register", str(file), "--project", "tests")
    assert done.returncode == 0, done.stderr
    marker.touch()
    run = site.appliance.wait_for(site.appliance.create_run("breaks"), "FAILED")
    assert run["state"] == "Failed" and "can't be imported today" in run["state_message"]


def be_late(site: Site) -> None:
    body = {"project": "tests", "flow": "sums", "labels": ["nobody"]}
    assert site.appliance.api("POST", "/api/v1/flow-runs", body).status_code in (200, 201)


def schedule_what_will_be_skipped(site: Site) -> None:
    [flow] = [one for one in site.appliance.items("/api/v1/flows") if one["name"] == "sums"]
    document = {"kind": "interval", "seconds": 5, "timezone": "UTC", "labels": ["nobody"]}
    body = {"document": document, "catch_up": "none"}
    answer = site.appliance.api("POST", f"/api/v1/flows/{flow['id']}/schedules", body)
    assert answer.status_code in (200, 201), answer.text


def test_each_reaches_everybody_in_time_and_loopback_is_never_touched(site: Site) -> None:
    automate(site)
    schedule_what_will_be_skipped(site)
    site.appliance.kill()
    killed = datetime.now(UTC)
    until("that is long enough to count as an outage", lambda: datetime.now(UTC) - killed > AWAY, 60)
    site.appliance.start()
    begin_an_agent(site)
    assert site.agent is not None
    site.agent.kill()
    crash_a_run(site)
    fail_to_load(site)
    be_late(site)
    until(
        "the webhook has got everything",
        lambda: {one.document["event"] for one in site.receivers.hook.requests} >= EVENTS,
        240,
    )
    until("so has the mail server", lambda: set(mails(site)) >= EVENTS, 20)
    until("so has the log", lambda: set(lines(site)) >= EVENTS, 20)
    for event, delays in mails(site).items():
        assert max(delays) < SOON, ("email", event, delays)
    for event, delays in lines(site).items():
        assert max(delays) < SOON, ("syslog", event, delays)
    check_webhook(site.receivers.hook)
    check_bad_receivers(site)


def check_webhook(hook: Receiver) -> None:
    """Signed, in time, and each message once: no request was sent again."""
    for request in hook.requests:
        signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
        digest = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
        assert request.headers["webhook-signature"] == f"v1,{digest}"
        assert request.at - at(request) < SOON, request.document
    assert len({request.id for request in hook.requests}) == len(hook.requests)
    crashed = [one.document for one in hook.requests if one.document["event"] == "run.crashed"]
    assert len(crashed) == 1 and "SIGKILL" in crashed[0]["message"]


def check_bad_receivers(site: Site) -> None:
    """500 twice, an answer that is cut off, no answer: then it arrives, always under one id. Redirects are not followed."""
    bad = site.receivers.bad
    until("the bad receiver has got it", lambda: len(bad.requests) == 5 and state(site, "bad") == "sent", 120)
    assert len({request.id for request in bad.requests}) == 1 and len({request.body for request in bad.requests}) == 1
    assert len(site.receivers.redirecting.requests) >= 3 and state(site, "redirecting") == "pending"
    assert site.receivers.elsewhere.requests == []


def state(site: Site, name: str) -> str:
    [automation] = [one for one in site.appliance.get("/api/v1/automations")["items"] if one["name"] == name]
    [delivery] = site.appliance.items(f"/api/v1/automations/{automation['id']}/deliveries")
    return str(delivery["state"])


def at(request: Received) -> datetime:
    return datetime.fromisoformat(request.document["at"])


def mails(site: Site) -> dict[str, list[timedelta]]:
    """How long each mail took, by the event of its automation."""
    delays: dict[str, list[timedelta]] = {}
    for mail, time in zip(site.receivers.mail.mails, site.receivers.mail.times, strict=False):
        event = event_of(mail)
        delays.setdefault(event, []).append(time - datetime.fromisoformat(re.findall(r"^at +(\S+)$", mail, re.M)[0]))
    return delays


def event_of(mail: str) -> str:
    words = {
        "crashed": "run.crashed",
        "failed": "run.failed",
        "late": "run.late",
        "skipped": "schedule.skipped",
        "lost": "agent.lost",
    }
    sentence = mail.partition("\n\n")[2].partition("\n")[0]
    return next(event for word, event in words.items() if f" {word}" in sentence)


def lines(site: Site) -> dict[str, list[timedelta]]:
    delays: dict[str, list[timedelta]] = {}
    for line, time in zip(site.receivers.log.lines, site.receivers.log.times, strict=False):
        fields = line.decode().split(" ")
        delays.setdefault(fields[6], []).append(time - datetime.fromisoformat(fields[2]))
    return delays
