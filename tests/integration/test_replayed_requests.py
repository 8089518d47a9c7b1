"""A network delivers requests twice, and some of them an hour later. What an earlier attempt has sent is refused then, and what the present one has sent
changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from msgspec import to_builtins
from sqlalchemy import text
from sqlalchemy.orm import Session

from appliance.agents.attempts import AttemptRecord, AttemptStore, exit_report
from appliance.agents.exit_reports import ExitReports
from appliance.client import agents
from appliance.client.errors import Unreachable
from appliance.client.transport import Transport
from appliance.kit.clock import now
from appliance.protocol.agents import AgentReport, Claim, CodeGone, Enrol, Exited, Held, InfrastructureLog
from appliance.protocol.run_protocol import AskSlots, Begin, Report
from appliance.server.actions import concurrency
from appliance.server.db.session import Database
from appliance.server.domain.concurrency import TASK_TAG
from tests.integration.builders import (
    ALICE,
    begun,
    check_histories,
    claim,
    create,
    enrol,
    flow,
    line,
    one,
    register,
    rows,
    run_row,
    task,
)
from tests.integration.conftest import StoppedClock
from tests.integration.lasting import address, database, lasting_address, site
from tests.integration.server_fixtures import Site
from tests.integration.test_lost_answers import effects

__all__ = ["address", "database", "lasting_address", "site"]

HOUR = 3600.0
BETWEEN = 10.0
"""Seconds between two requests."""


class Wire:
    """Sends the requests of an agent and a run, and records them."""

    def __init__(self, site: Site, clock: StoppedClock, times: int = 1) -> None:
        """`times`: how often the network delivers each."""
        self.site, self.clock, self.times = site, clock, times
        self.sent: list[Callable[[], Any]] = []

    def send(self, path: str, message: Any, token: str) -> Any:
        def once() -> Any:
            headers = {"Authorization": f"Bearer {token}"}
            return self.site.client.post(f"/api/v1{path}", json=to_builtins(message, str_keys=True), headers=headers)

        self.clock.move(BETWEEN)
        self.sent.append(once)
        answers = [once() for _ in range(self.times)]
        assert answers[0].is_success, answers[0].text
        return answers[0].json()

    def agent(self, path: str, message: Any) -> Any:
        return self.send(f"/agents/{path}", message, self.site.tokens["agent"])

    def enrol(self) -> str:
        agent = self.agent("", Enrol(name="far", type="process"))["agent_id"]
        self.sent.clear()  # it is about no run
        return str(agent)

    def attempt(self, agent: str, run: UUID, number: int) -> Callable[[str, Any], Any]:
        """Claim and begin it, and run one of its tasks under a limit. What sends further requests of the run."""
        [work] = self.agent(f"{agent}/claim", Claim(free_slots=1))["work"]
        self.sent.pop()  # sent again, it is a request for other work
        assert (work["flow_run_id"], work["attempt"]) == (str(run), number)
        self.agent(f"{agent}/report", AgentReport(started=[Held(flow_run_id=run, attempt=number)]))

        def of_run(path: str, message: Any) -> Any:
            return self.send(f"/flow-runs/{run}/{path}", message, work["run_token"])

        assert of_run("begin", Begin(attempt=number))["verdict"] == "go"
        slots = AskSlots(attempt=number, task_slug="extract-1", tags=["db"])
        assert of_run("slots", slots)["granted"]
        of_run("report", Report(attempt=number, seq=1, events=[task("extract-1", "RUNNING", "Running"), line("hello")]))
        done = task("extract-1", "SUCCESS", "Success", freed=True)
        of_run("report", Report(attempt=number, seq=2, events=[done, line("done")]))
        return of_run

    def crash(self, agent: str, run: UUID, number: int) -> None:
        ended = Exited(flow_run_id=run, attempt=number, code=None, signal="SIGKILL")
        self.agent(f"{agent}/report", AgentReport(exited=[ended]))

    def say(self, agent: str, run: UUID, number: int) -> None:
        said = InfrastructureLog(flow_run_id=run, attempt=number, at=self.clock.time, level="ERROR", message="odd")
        self.agent(f"{agent}/report", AgentReport(logs=[said]))


def stored(site: Site) -> dict[str, list[dict[str, Any]]]:
    """What is stored, but for what says only that an agent was heard."""
    found = effects(site.database)
    for row in found["agent"]:
        row.pop("last_seen", None)
    return found


def changes(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> list[Any]:
    """Each table with the rows that only one of them has."""
    return [
        (table, [row for row in [*before[table], *after[table]] if (row in before[table]) != (row in after[table])])
        for table in before
        if before[table] != after[table]
    ]


def begin(site: Site) -> UUID:
    concurrency.put(site.database, ALICE, TASK_TAG, "db", 1)
    return create(site.database, register(site.database).flow_id)


def test_requests_of_an_earlier_attempt_change_nothing_an_hour_later(site: Site, clock: StoppedClock) -> None:
    run, wire = begin(site), Wire(site, clock)
    agent = wire.enrol()
    wire.attempt(agent, run, 1)
    wire.say(agent, run, 1)
    wire.crash(agent, run, 1)
    assert run_row(site.database, run)["state_name"] == "Crashed"
    gone = CodeGone(flow_run_id=run, attempt=1, reason="no code")
    wire.agent(f"{agent}/code-gone", gone)
    old = list(wire.sent)
    site.post(f"/api/v1/flow-runs/{run}/restart", {})
    clock.move(HOUR)
    of_run = wire.attempt(agent, run, 2)
    before = stored(site)
    for again in [*old, *reversed(old)]:
        again()
        assert changes(before, stored(site)) == []
    of_run("report", Report(attempt=2, seq=3, events=[flow("SUCCESS", "Success")]))
    before = stored(site)
    for again in old:
        again()
    assert changes(before, stored(site)) == []
    check_histories(site.database)


def test_requests_of_the_present_attempt_change_nothing_an_hour_later(site: Site, clock: StoppedClock) -> None:
    run, wire = begin(site), Wire(site, clock)
    agent = wire.enrol()
    of_run = wire.attempt(agent, run, 1)
    clock.move(HOUR)
    of_run("report", Report(attempt=1, seq=2))
    before, *sent = stored(site), *wire.sent[:-1]
    for again in [*sent, *reversed(sent)]:
        assert again().is_success
        assert changes(before, stored(site)) == []
    assert rows(site.database, "select * from task_slot") == []


def test_requests_that_are_delivered_twice_count_once(site: Site, clock: StoppedClock) -> None:
    run = begin(site)
    wire = Wire(site, clock, times=2)
    agent = wire.enrol()
    of_run = wire.attempt(agent, run, 1)
    of_run("report", Report(attempt=1, seq=3, events=[flow("SUCCESS", "Success")]))
    wire.crash(agent, run, 1)
    view = run_row(site.database, run)
    assert (view["state_name"], view["attempt"]) == ("Success", 1)
    messages = [row["message"] for row in rows(site.database, "select message from log order by id")]
    assert messages == ["hello", "done"]
    assert len(rows(site.database, "select id from task_run")) == 1
    check_histories(site.database)


class Forgetful(Transport):
    """Sends everything, and loses the answers. `twice`: to two requests by now."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self.lost, self.twice = 0, threading.Event()

    def _exchange(self, request: Any) -> Any:
        super()._exchange(request)
        self.lost += 1
        if self.lost > 1:
            self.twice.set()
        raise Unreachable(self.url)


class Holding(Transport):
    """Sends nothing, so that all requests are late."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self.held: list[Any] = []

    def _exchange(self, request: Any) -> Any:
        self.held.append(request)
        raise Unreachable(self.url)

    def deliver(self) -> list[int]:
        """Send them now; the statuses of the answers."""
        return [super(Holding, self)._exchange(request)[0].status_code for request in self.held]


class Doubling(Transport):
    """Sends everything twice."""

    def _exchange(self, request: Any) -> Any:
        first, second = super()._exchange(request), super()._exchange(request)
        assert (first[0].status_code, first[1]) == (second[0].status_code, second[1])
        return second


def logged(site: Site) -> list[str]:
    return [row["message"] for row in rows(site.database, "select message from log order by id")]


def test_the_last_lines_of_a_run_are_stored_once_when_answers_are_lost_and_the_agent_restarts(
    site: Site, address: str, tmp_path: Path
) -> None:
    run, agent = begun(site.database)
    attempts, is_known = AttemptStore(tmp_path), threading.Event()
    record = AttemptRecord(flow_run_id=run, attempt=1, pid=0, identity="", token="t")
    directory = attempts.create(run, 1)
    attempts.save(directory, record)
    (directory / "output.log").write_text("Segmentation fault")
    attempts.save_exit(directory, exit_report(record, directory, 139, None))

    def agent_with(transport: Transport) -> ExitReports:
        exits = ExitReports(transport, attempts, done=lambda _record: is_known.set(), logs_tail=True)
        [(found, known, end)] = attempts.load()
        assert end is not None
        exits.add(found, known, end)
        exits.start(agent)
        return exits

    lossy = Forgetful(address, site.tokens["agent"])
    before = agent_with(lossy)
    assert lossy.twice.wait(10)
    before.close()
    assert not is_known.is_set()
    after = agent_with(Transport(address, site.tokens["agent"]))
    assert is_known.wait(10)
    after.close()
    assert logged(site) == ["The last lines of its output:\nSegmentation fault"]
    assert run_row(site.database, run)["state_name"] == "Crashed"


def test_a_line_of_an_agent_is_stored_once_when_it_is_delivered_twice(site: Site, address: str) -> None:
    run, agent = begun(site.database)
    said = [InfrastructureLog(flow_run_id=run, attempt=1, at=now(), level="INFO", message=text) for text in "aab"]
    for log in said:
        agents.report(Doubling(address, site.tokens["agent"]), agent, AgentReport(logs=[log]))
    assert logged(site) == ["a", "a", "b"]  # the same words at another time are another line


def introduced(*labels: str, after: int | None = 0) -> Enrol:
    return Enrol(name="far", type="process", labels=list(labels), after=after)


def test_an_enrolment_that_arrives_late_changes_nothing(site: Site, address: str) -> None:
    """Neither one of the agent's very first start, nor one of a later start, nor one of an agent that has stopped since then."""
    direct = Transport(address, site.tokens["agent"])

    def late(after: int) -> Holding:
        holding = Holding(address, site.tokens["agent"])
        with pytest.raises(Unreachable):
            agents.enrol(holding, introduced("old", after=after))
        return holding

    first = late(0)
    agent = agents.enrol(direct, introduced("new"))
    assert agent.revision == 1
    later = late(agent.revision)
    assert (
        agents.enrol(direct, introduced("newer")).revision == 2
    )  # as a process that has just started, and knows no revision
    last = late(2)
    agents.sign_off(direct, agent.agent_id)
    before = stored(site)
    assert [held.deliver() for held in (first, later, last)] == [[409], [409], [409]]
    assert changes(before, stored(site)) == []
    assert before["agent"][0]["labels"] in (["newer"], '["newer"]')
    assert agents.enrol(direct, introduced("newest")).agent_id == agent.agent_id  # nothing of this stands in its way


def test_an_agent_of_the_previous_release_enrols_without_a_revision(site: Site, address: str) -> None:
    direct = Transport(address, site.tokens["agent"])
    assert [agents.enrol(direct, introduced(label, after=None)).revision for label in "ab"] == [1, 2]
    with site.database.write("test") as session:
        session.execute(text("update agent set revision = null"))  # from before the upgrade
    assert [agents.enrol(direct, introduced("c", after=after)).revision for after in (None, 0, 7)] == [1, 2, 3]


class Between:
    """A database in which something happens after the next read."""

    def __init__(self, database: Database, happens: Callable[[], object]) -> None:
        self._database, self._happens = database, [happens]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._database.read() as session:
            yield session
        while self._happens:
            self._happens.pop()()


def test_a_claim_does_not_bring_back_the_labels_of_an_agent_that_enrols_meanwhile(
    database: Database, clock: StoppedClock
) -> None:
    agent = enrol(database, labels=["old"])
    clock.move(HOUR)  # so that the claim is also its heartbeat
    between = cast(Database, Between(database, lambda: enrol(database, labels=["new"])))
    assert claim(between, agent) == []
    assert one(database, "select labels from agent")["labels"] in (["new"], '["new"]')
