"""Random lives of a run, through the real actions on a real database, against a model of what may become of one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from appliance.kit import clock
from appliance.protocol.run_protocol import Begin
from appliance.protocol.verbs import VERBS
from appliance.server.actions import repair
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.perform import perform
from appliance.server.db import migrate
from appliance.server.db.session import Database
from appliance.server.domain.repair import MOST_RETURNS
from appliance.server.errors import ServerError
from tests import depth
from tests.integration.builders import ALICE, RUN, claim, create, enrol, flow, register, rows, run_row, send, task

ENDED, LIVE = ("SUCCESS", "FAILED", "CANCELLED"), ("PENDING", "RUNNING", "CANCELLING")
LEASE = 90.0
NAMES = {"SUCCESS": "Success", "FAILED": "Failed", "CANCELLED": "Cancelled", "PAUSED": "Paused", "RUNNING": "Running"}


@dataclass
class Model:
    """All that matters of a run with one task. Each method says what the caller hears, and follows it."""

    type: str = "SCHEDULED"
    attempt: int = 0
    seq: int = 0
    returns: int = 0
    due: bool = True
    task: tuple[str, int] = ("", 0)  # its type, and the attempt that it is of
    history: list[str] = field(default_factory=lambda: ["SCHEDULED"])

    def become(self, type: str) -> str:
        self.type = type
        self.history.append(type)
        if type in ENDED and self.task[0] not in ("", *ENDED):
            self.task = ("FAILED" if type == "FAILED" else "CANCELLED", self.attempt)
        return "ok"

    def claim(self) -> str:
        if self.type != "SCHEDULED" or not self.due:
            return "none"
        self.attempt, self.seq = self.attempt + 1, 0
        return self.become("PENDING")

    def begin(self, attempt: int) -> str:
        if attempt != self.attempt or self.type not in ("PENDING", "RUNNING"):
            return "refused"
        if self.type == "PENDING":
            self.become("RUNNING")
        return "go"

    def report(self, attempt: int, seq: int, task: str, end: str) -> str:
        if attempt != self.attempt:
            return "stale_attempt"
        if seq <= self.seq:
            return "ok"
        if seq > self.seq + 1:
            return "sequence_gap"
        if self.type not in ("RUNNING", "CANCELLING"):
            return "stale_attempt"
        self.seq = seq
        if self.task[1] != attempt or self.task[0] not in ENDED:
            self.task = (task, attempt)
        if end and (end in ENDED or self.type == "RUNNING"):
            self.due = False
            self.become(end)
        return "ok"

    def expire(self) -> None:
        if self.type == "PENDING" and self.returns < MOST_RETURNS:
            self.returns, self.due = self.returns + 1, True
            self.become("SCHEDULED")
        elif self.type in LIVE:
            self.become("CANCELLED" if self.type == "CANCELLING" else "FAILED")

    def cancel(self) -> str:
        if self.type in ("CANCELLING", "CANCELLED"):
            return "ok"
        if self.type in ENDED:
            return "conflict"
        return self.become("CANCELLING" if self.type in LIVE else "CANCELLED")

    def pause(self) -> str:
        if self.type == "SCHEDULED":
            self.become("PAUSED")
        return "ok" if self.type == "PAUSED" else "conflict"

    def resume(self) -> str:
        if self.type != "PAUSED":
            return "conflict"
        self.due = True
        return self.become("SCHEDULED")

    def restart(self) -> str:
        if self.type not in ENDED or not self.attempt or (self.type == "SUCCESS" and self.task[0] in ("", "SUCCESS")):
            return "conflict"
        self.returns, self.due = 0, True
        self.task = self.task if self.task[0] in ("", "SUCCESS") else ("PENDING", self.task[1])
        return self.become("SCHEDULED")

    def mark(self, type: str) -> str:
        if self.type in LIVE:
            return "conflict"
        if self.type != type:
            self.attempt += self.type in ENDED
            self.become(type)
            self.task = ("CANCELLED", self.task[1]) if self.task[0] not in ("", *ENDED) else self.task
        return "ok"

    def mark_task(self, type: str) -> str:
        if self.type in LIVE:
            return "conflict"
        if not self.task[0]:
            return "not_found"
        self.task = (type, self.task[1])
        return "ok"

    def start_now(self) -> str:
        if self.type != "SCHEDULED":
            return "conflict"
        self.due = True
        return self.become("SCHEDULED")

    def edit(self) -> str:
        if self.attempt or self.type not in ("SCHEDULED", "PAUSED"):
            return "conflict"
        return self.become(self.type)


class Lives(RuleBasedStateMachine):
    """One run; whatever is done to it is done to the model too, and both must say and become the same."""

    db: Database
    flow_id: UUID

    @initialize()
    def born(self) -> None:
        self.time = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
        self.stopped = clock.stopped(lambda: self.time)
        self.stopped.__enter__()
        self.label = uuid4().hex
        self.agent = enrol(self.db, labels=[self.label])
        self.run = create(self.db, self.flow_id, labels=[self.label])
        self.model = Model()
        self.sent: Callable[[], Any] | None = None  # what can be sent once more

    def teardown(self) -> None:
        self.stopped.__exit__(None, None, None)

    def asks(self, verb: str, expected: str, **fields: Any) -> None:
        """Send a request under a key of its own; one that has changed the run may be sent again, and nothing more happens."""
        before = len(_history(self.db, self.run))
        request = VERBS[verb].request(idempotency_key=uuid4().hex, **fields)
        heard = _heard(lambda: perform(self.db, ALICE, self.run, verb, request))
        assert heard == expected
        if heard == "ok" and len(_history(self.db, self.run)) > before:
            self.sent = lambda: perform(self.db, ALICE, self.run, verb, request)

    @rule()
    def claims(self) -> None:
        taken = claim(self.db, self.agent, 5, labels=[self.label])
        assert (["ok"] if taken else ["none"]) == [self.model.claim()]
        assert [(work.flow_run_id, work.attempt) for work in taken] in ([], [(self.run, self.model.attempt)])

    @rule(behind=st.integers(0, 2))
    def begins(self, behind: int) -> None:
        attempt = self.model.attempt - behind
        assert runs.begin(self.db, RUN, self.run, Begin(attempt=attempt)).verdict == self.model.begin(attempt)

    @rule(behind=st.sampled_from([0, 0, 0, 0, 1]), ahead=st.sampled_from([1, 1, 1, 1, 0, -1, 2]),
          type=st.sampled_from(["RUNNING", "SUCCESS", "FAILED"]), end=st.sampled_from(["", "", "", "PAUSED", *ENDED]))  # fmt: skip
    def reports(self, behind: int, ahead: int, type: str, end: str) -> None:
        attempt, seq = max(1, self.model.attempt - behind), max(1, self.model.seq + ahead)
        events: list[Any] = [task("extract-1", type, NAMES[type])]
        if end:
            events.append(flow(end, NAMES[end]))
        heard = _heard(lambda: send(self.db, self.run, seq, *events, attempt=attempt))
        assert heard == self.model.report(attempt, seq, type, end)

    @rule()
    def falls_silent(self) -> None:
        self.time += timedelta(seconds=LEASE + 1)
        self.model.expire()
        repair.fix_silent(self.db, self.run, now=self.time)

    @rule()
    def is_heard_of_in_time(self) -> None:
        """Nobody ends a run whose lease is not over: one that was just claimed, begun or reported."""
        lease = run_row(self.db, self.run)["lease_expires_at"]
        if lease is not None and datetime.fromisoformat(lease).replace(tzinfo=UTC) >= self.time:
            assert repair.fix_silent(self.db, self.run, now=self.time) is None

    @rule()
    def is_cancelled(self) -> None:
        assert _heard(lambda: cancel_run(self.db, ALICE, self.run)) == self.model.cancel()

    @rule()
    def is_paused(self) -> None:
        self.asks("pause", self.model.pause())

    @rule()
    def is_resumed(self) -> None:
        self.asks("resume", self.model.resume())

    @rule()
    def is_restarted(self) -> None:
        self.asks("restart", self.model.restart())

    @rule()
    def is_started_now(self) -> None:
        self.asks("start_now", self.model.start_now())

    @rule(type=st.sampled_from(ENDED))
    def is_marked(self, type: str) -> None:
        if self.model.type != type or _name(self.db, self.run) == NAMES[type]:
            self.asks("mark", self.model.mark(type), state=NAMES[type])

    @rule(type=st.sampled_from(ENDED))
    def has_its_task_marked(self, type: str) -> None:
        self.asks("mark", self.model.mark_task(type), state=NAMES[type], task_slug="extract-1")

    @rule(priority=st.integers(-3, 3))
    def is_edited(self, priority: int) -> None:
        self.asks("edit", self.model.edit(), priority=priority)

    @precondition(lambda self: self.model.type in LIVE)
    @rule()
    def is_not_deleted_while_it_is_live(self) -> None:
        self.asks("delete", "conflict")

    @rule(verb=st.sampled_from(sorted(VERBS)))
    def is_asked_by_someone_who_has_seen_an_older_version(self, verb: str) -> None:
        """Nothing is changed: refused, or what was asked for is so already."""
        fields = {"mark": {"state": "Failed"}, "edit": {"priority": 1}}.get(verb, {})
        request = VERBS[verb].request(version=len(self.model.history) - 1, **fields)
        assert _heard(lambda: perform(self.db, ALICE, self.run, verb, request)) in ("conflict", "ok")

    @rule()
    def is_asked_once_more(self) -> None:
        if self.sent is not None:
            self.sent()

    @invariant()
    def model_and_database_agree(self) -> None:
        if not hasattr(self, "run"):
            return
        row, history = run_row(self.db, self.run), _history(self.db, self.run)
        assert [state["type"] for state in history] == self.model.history
        assert [state["version"] for state in history] == list(range(1, len(history) + 1))
        assert (row["state_type"], row["version"]) == (history[-1]["type"], len(history))
        assert (row["attempt"], row["state_type"]) == (self.model.attempt, self.model.type)
        assert (row["lease_expires_at"] is not None) == (self.model.type in LIVE)
        found = rows(self.db, "select id, state_type, version from task_run where flow_run_id = :run", run=self.run)
        assert [one["state_type"] for one in found] == ([self.model.task[0]] if self.model.task[0] else [])
        for one in found:
            query = "select version from task_run_state where task_run_id = :id order by version"
            versions = [state["version"] for state in rows(self.db, query, id=UUID(one["id"]))]
            assert versions == list(range(1, one["version"] + 1))


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    directory = Path(tempfile.mkdtemp(prefix="appliance-lives-"))
    url = f"sqlite:///{directory / 'appliance.db'}"
    migrate.upgrade(url)
    opened = Database(url)
    yield opened
    opened.dispose()
    shutil.rmtree(directory)


def test_every_life_is_one_that_the_model_knows(database: Database) -> None:
    Lives.db, Lives.flow_id = database, register(database).flow_id
    few = settings(
        max_examples=depth.examples(60),
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Lives, settings=few)


def _heard(call: Callable[[], Any]) -> str:
    try:
        call()
    except ServerError as error:
        return error.code
    return "ok"


def _history(db: Database, run: UUID) -> list[dict[str, Any]]:
    return rows(db, "select version, type from flow_run_state where flow_run_id = :run order by version", run=run)


def _name(db: Database, run: UUID) -> str:
    return str(run_row(db, run)["state_name"])
