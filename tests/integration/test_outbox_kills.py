"""SIGKILL in the middle of delivering: processes of the notifier die at each point of the outbox, one after another, and a receiver that
deduplicates by id sees each message once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.kit import crash
from appliance.protocol.automations import Action, CreateAutomation
from appliance.protocol.users import CreateUser
from appliance.server.actions import automations, users
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from tests.integration import builders
from tests.integration.builders import ALICE, rows
from tests.integration.receivers import Receiver, receiver
from tests.integration.test_known_failures import ended

POINTS = ("outbox.picked", "outbox.sent", "outbox.marked", "automation.follow.applied", "automation.mark.applied")
ACTING_POINTS = ("outbox.picked", "automation.act.applied", "automation.act.committed", "outbox.marked")
EVENTS = 6
KILLED = -9
CHILD = """
import sys
from appliance.config import Settings
from appliance.kit import clock
from appliance.server.db.session import Database
from appliance.server.services.notifier import Notifier
db = Database(sys.argv[1])
service = Notifier(db, Settings(automation_targets=sys.argv[2]))
for _ in range(4):
    service.run_once(clock.now())
    service.finish(20)
"""


def notify(url: str, place: str, where: str) -> int:
    """Have a process of its own deliver, which dies at the crash point; minus the signal that ended it."""
    environment = {**os.environ, crash.VARIABLE: where} if where else dict(os.environ)
    root = str(Path(__file__).resolve().parents[2])
    child = subprocess.run(
        [sys.executable, "-c", CHILD, url, place], env=environment, cwd=root, timeout=60, check=False
    )
    return child.returncode


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as state:
        yield state


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_each_message_arrives_under_one_id_whenever_the_process_is_killed(
    database: Database, database_url: str, hook: Receiver
) -> None:
    action = Action(kind="webhook", url=hook.url)
    automations.create(database, ALICE, CreateAutomation(name="tell", events=["run.failed"], action=action))
    for number in range(EVENTS):
        ended(database, f"failure {'x' * number}")
    database.engine.dispose()
    for point in POINTS:
        code = notify(database_url, hook.place, f"{point}:1:kill")
        assert code in (KILLED, 0), "it is killed, unless nothing is left to do"
    assert notify(database_url, hook.place, "") == 0
    assert Counter(row["state"] for row in rows(database, "select state from delivery")) == {"sent": EVENTS}
    ids_by_run: dict[str, set[str]] = {}
    for request in hook.requests:
        ids_by_run.setdefault(request.document["run_id"], set()).add(request.id)
    assert len(ids_by_run) == EVENTS and all(len(ids) == 1 for ids in ids_by_run.values())
    assert len(hook.requests) > EVENTS, "what was sent and not noted is sent again"


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_each_run_is_started_once_whenever_the_process_is_killed(database: Database, database_url: str) -> None:
    builders.register(database, "repair")
    bob = users.create(database, ALICE, CreateUser(username="bob", password="a long enough phrase", role="operator"))
    actor = Actor(kind="user", name="bob", role="operator", user_id=bob.id)
    request = CreateAutomation(
        name="repair", events=["run.failed"], action=Action(kind="start", flow="demo/repair"), at_most=EVENTS
    )
    automations.create(database, actor, request)
    for number in range(EVENTS):
        ended(database, f"failure {'x' * number}")
    database.engine.dispose()
    for point in ACTING_POINTS:
        assert notify(database_url, "", f"{point}:1:kill") == KILLED
    assert notify(database_url, "", "") == 0
    assert Counter(row["state"] for row in rows(database, "select state from delivery")) == {"sent": EVENTS}
    keys = rows(
        database, "select r.idempotency_key from flow_run r join flow f on f.id = r.flow_id where f.name = 'repair'"
    )
    assert len(keys) == EVENTS == len({row["idempotency_key"] for row in keys})
