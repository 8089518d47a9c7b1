"""One suite for all agents: a run starts once, ends as it should, and is told truthfully, whatever dies in between."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from appliance.agents.introduction import introduction
from appliance.client import agents, flow_runs
from appliance.client.errors import Invalid
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.agents import Claim
from appliance.protocol.flow_runs import CreateFlowRun, FlowRunView
from appliance.protocol.states import TERMINAL
from tests.conformance.agent_kinds import KINDS, AgentKind, AgentProcess
from tests.e2e.appliance_process import clean_environment, until
from tests.integration.live import LiveServer

pytestmark = pytest.mark.slow

FLOWS = """
import os, signal, threading
from appliance import DockerRun, Flow, KubernetesRun, Parameter, ProcessRun, get_logger, task

SPOOL = os.path.join(os.environ.get("APPLIANCE_RUN_DIR", ""), "spool.jsonl")

@task(log_stdout=True)
def greet(whom):
    print("hello", whom if len(whom) < 100 else len(whom))

@task
def leave(code):
    print("last words")
    os._exit(code)

@task
def wait():
    get_logger().info("waiting")
    threading.Event().wait(120)

@task
def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    get_logger().info("waiting")
    while True:
        try:
            threading.Event().wait(120)
        except KeyboardInterrupt:
            continue

@task
def eat():
    print("last words", flush=True)
    hold = []
    while True:
        hold.append(bytearray(10_000_000))

@task
def talk():
    get_logger().info("waiting")
    gate, number = threading.Event(), 0
    while not (os.path.exists(SPOOL) and b"line 20 " in open(SPOOL, "rb").read()):
        gate.wait(0.02)
        number += 1
        get_logger().info(f"line {number} .")
    print("the last line")
    os._exit(4)

def flow(name, make, config=None, **parameters):
    with Flow(name, run_config=config) as made:
        make(**{key: Parameter(key, default=value) for key, value in parameters.items()})
    return made

greets = flow("greets", greet, whom="you")
leaves = flow("leaves", leave, code=3)
waits = flow("waits", wait)
deafs = flow("deafs", deaf)
talks = flow("talks", talk)
lacks = flow("lacks", wait, LACKING)
eats = flow("eats", eat, SCARCE)
"""
POISON = ("no storage", "strange storage", "no run config", "strange run config", "no files")
"""Flows whose registrations are spoiled in the database."""


class Site:
    """A server, its services, and agents of one kind."""

    def __init__(self, kind: AgentKind, folder: Path) -> None:
        self.kind, self.folder, self._number = kind, folder, count(1)
        settings = {"APPLIANCE_CANCEL_GRACE": "2", "APPLIANCE_RUN_LEASE": "15", "APPLIANCE_HEARTBEAT_INTERVAL": "1"}
        settings |= {"APPLIANCE_REPAIR_INTERVAL": "0.5", **kind.settings()}
        self.server = LiveServer(folder / "data", **settings).start()
        self.client = self.server.client
        self._services = subprocess.Popen(
            [sys.executable, "-m", "appliance", "services"],
            env=clean_environment(APPLIANCE_DATA_DIR=str(folder / "data"), **settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._agents: list[AgentProcess] = []
        self._register(FLOWS.replace("LACKING", kind.lacking[0]).replace("SCARCE", (kind.scarce or ["None"])[0]))
        self.steady = self.agent().start()

    def _register(self, text: str) -> None:
        project = self.folder / "project"
        project.mkdir()
        (project / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
        (project / "flows.py").write_text(
            text
            + "".join(f'{name.replace(" ", "_")} = flow("{name}", greet, whom="you")\n' for name in ("fresh", *POISON))
        )
        store = SiteStore(self.client, "p", print)
        for flow, found in flows_in(project / "flows.py"):
            register(flow, "p", transport=self.client, storage=store.default(found))

    def close(self) -> None:
        for agent in self._agents:
            agent.stop()
        self._services.kill()
        self._services.wait()
        self.server.kill()
        for agent in self._agents:
            self.kind.remove(self.kind.left(self.server, agent.name))

    def agent(self, name: str = "", folder: str = "", capacity: int = 8) -> AgentProcess:
        """One that is not started yet."""
        name = name or f"host-{next(self._number)}"
        self._agents.append(AgentProcess(self.kind, self.server, self.folder / (folder or name), name, capacity))
        return self._agents[-1]

    def stop(self, agent: AgentProcess) -> None:
        """SIGTERM, once it has cleaned up."""
        self.until_clean(agent.name)
        agent.stop()

    def until_clean(self, name: str, active: int = 0) -> None:
        """Wait until nothing is left of what agents of this name have started, except for active runs."""
        until(f"agent {name} has cleaned up", lambda: len(self.kind.left(self.server, name)) <= active, 60)

    def create(self, agent: AgentProcess, flow: str, **parameters: object) -> UUID:
        """A run for this agent."""
        asked = CreateFlowRun(project="p", flow=flow, parameters=parameters, labels=[agent.name])
        return flow_runs.create(self.client, asked).id

    def at_work(self, agent: AgentProcess, flow: str) -> UUID:
        """A run whose task is known to run there."""
        run = self.create(agent, flow)
        self.until_working(run)
        return run

    def until_working(self, run: UUID) -> None:
        self.server.until(run, lambda _view: "waiting" in self.lines(run))

    def lines(self, run: UUID) -> list[str]:
        return [line.message for line in flow_runs.logs(self.client, run)]

    def ended(self, run: UUID, state: str = "Success", attempt: int = 1) -> FlowRunView:
        """The run, which must end in this state, with a history without gaps."""
        view = self.server.ended(run)
        assert (view.state, view.attempt) == (state, attempt), (view, self.lines(run))
        history = [one.version for one in flow_runs.states(self.client, run)]
        assert history == list(range(1, len(history) + 1))
        return view

    def cancelled(self, *runs: UUID) -> None:
        for run in runs:
            flow_runs.cancel(self.client, run)
        for run in runs:
            self.ended(run, "Cancelled")

    def id_of(self, agent: AgentProcess) -> UUID:
        (found,) = [one["id"] for one in agents.listed(self.client) if one["name"] == agent.name]
        return UUID(found)

    def spoil(self, flow: str, column: str, document: object) -> None:
        """Write something into the registration of a flow that no server would have accepted."""
        with closing(sqlite3.connect(self.folder / "data" / "appliance.db", timeout=30)) as database, database:
            changed = database.execute(
                f"update flow_version set {column} = ? where flow_id = (select id from flow where name = ?)",
                (json.dumps(document), flow),
            )
            assert changed.rowcount == 1


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(kind, id=kind.name, marks=pytest.mark.xdist_group("docker" if kind.name == "docker" else "agents"))
        for kind in KINDS
    ],
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kind: AgentKind = request.param
    if why := kind.missing():
        pytest.skip(why)
    kind.prepare(tmp_path_factory.mktemp("prepared"))
    site = Site(kind, tmp_path_factory.mktemp(kind.name))
    yield site
    try:
        site.until_clean(site.steady.name)
    finally:
        site.close()
    assert "Traceback" not in site.steady.log.read_text()


@pytest.fixture
def steady(site: Site) -> AgentProcess:
    """The agent that all tests share that do nothing to it."""
    return site.steady


def test_a_run_succeeds_with_its_parameters(site: Site, steady: AgentProcess) -> None:
    run = site.create(steady, "greets", whom="them")
    site.ended(run)
    assert "hello them" in site.lines(run)


def test_each_bad_end_has_its_sentence(site: Site, steady: AgentProcess) -> None:
    left, lacking = site.create(steady, "leaves", code=3), site.create(steady, "lacks")
    killed = site.at_work(steady, "waits")
    site.kind.kill(steady, killed)
    assert "SIGKILL" in (site.ended(killed, "Crashed").state_message or "")
    assert {task.state for task in flow_runs.task_runs(site.client, killed)} == {"Crashed"}
    assert "exit code 3" in (site.ended(left, "Crashed").state_message or "")
    _config, state, sentence = site.kind.lacking
    waiting = site.server.until(lacking, lambda view: view.state_type in (*TERMINAL, "PAUSED"))
    assert (waiting.state, sentence in (waiting.state_message or "")) == (state, True), waiting.state_message


def test_too_much_memory_is_told_apart_from_an_exit(site: Site, steady: AgentProcess) -> None:
    if site.kind.scarce is None:
        pytest.skip(f"{site.kind.name} agents can't tell")
    run = site.create(steady, "eats")
    end = site.ended(run, "Crashed")
    assert site.kind.scarce[1] in (end.state_message or "")
    assert any("The last lines" in line and "last words" in line for line in site.lines(run))
    used = site.server.until(run, lambda view: view.peak_memory is not None)
    assert used.peak_memory == site.kind.peak_of_scarce


def test_a_cancelled_run_ends_even_if_it_does_not_listen(site: Site, steady: AgentProcess) -> None:
    polite, deaf = site.at_work(steady, "waits"), site.at_work(steady, "deafs")
    flow_runs.cancel(site.client, polite, "wrong day")
    flow_runs.cancel(site.client, deaf)
    assert "wrong day" in (site.ended(polite, "Cancelled").state_message or "")
    site.ended(deaf, "Cancelled")
    for run in (polite, deaf):
        site.kind.wait(steady, run)
        assert {task.state for task in flow_runs.task_runs(site.client, run)} == {"Cancelled"}


def test_what_attempts_have_used_is_recorded_however_they_end(site: Site, steady: AgentProcess) -> None:
    polite, deaf = site.at_work(steady, "waits"), site.at_work(steady, "deafs")
    ended = site.create(steady, "greets")
    flow_runs.cancel(site.client, polite)
    flow_runs.cancel(site.client, deaf)
    for run in (ended, polite, deaf):
        view = site.server.until(run, lambda view: view.state_type in TERMINAL and view.peak_memory is not None)
        assert view.cpu_seconds and view.peak_memory, (view.state, view.cpu_seconds, view.peak_memory)
        assert 0.01 < view.cpu_seconds < 60 and 2**22 < view.peak_memory < 2**30
        assert [(each.attempt, each.peak_memory) for each in view.attempts] == [(1, view.peak_memory)]


def test_an_attempt_is_not_started_twice(site: Site) -> None:
    """Neither by the agent that has it, nor by another under its name, if that can see what the first one has started."""
    name = f"twice-{site.kind.name}"
    request = introduction(site.kind.name, name, [name], 1, None, None)  # type: ignore[arg-type]
    enrolled = agents.enrol(site.client, request)
    run = flow_runs.create(site.client, CreateFlowRun(project="p", flow="waits", labels=[name])).id
    (work,) = agents.claim(site.client, enrolled.agent_id, Claim(free_slots=1)).work
    first, second = (site.kind.inside(site.client, name, site.folder / f"{name}-{number}") for number in (1, 2))
    for agent in (first, second):
        agent.open()
        agent.on_enrol(enrolled)
    try:
        first.start(work)
        first.start(work)
        site.until_working(run)
        if site.kind.finds_unrecorded:
            second.changed.clear()
            second.start(work)
            assert second.changed.wait(30) and second.holding() == []
        assert len(first.holding()) == 1
        flow_runs.cancel(site.client, run)
        first.stop_run(run, 1, "enough")
        site.ended(run, "Cancelled")
        assert site.lines(run).count("waiting") == 1
        site.until_clean(name)
    finally:
        first.close()
        second.close()


def test_what_another_agent_of_its_name_is_about_to_start_is_left_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that starts meanwhile, and sees it."""
    if not site.kind.finds_unrecorded:
        pytest.skip("such agents see nothing of each other")
    name = f"beside-{site.kind.name}"
    enrolled = agents.enrol(site.client, introduction(site.kind.name, name, [name], 1, None, None))  # type: ignore[arg-type]
    run = flow_runs.create(site.client, CreateFlowRun(project="p", flow="greets", labels=[name])).id
    (work,) = agents.claim(site.client, enrolled.agent_id, Claim(free_slots=1)).work
    first, second = (site.kind.inside(site.client, name, site.folder / f"{name}-{number}") for number in (1, 2))
    is_due, gate, release = threading.Event(), threading.Event(), first._release  # type: ignore[attr-defined]

    def release_late(live: object) -> None:
        is_due.set()
        assert gate.wait(60)
        release(live)

    monkeypatch.setattr(first, "_release", release_late)
    try:
        first.open()
        first.on_enrol(enrolled)
        first.start(work)
        assert is_due.wait(60)
        second.open()
        second.on_enrol(enrolled)
        assert second.holding() == []
        gate.set()
        site.ended(run)
        site.until_clean(name)
    finally:
        gate.set()
        first.close()
        second.close()


def test_poison_leaves_the_next_run_alone(site: Site, steady: AgentProcess) -> None:
    """What can't be understood fails or waits, with a sentence."""
    site.spoil("no storage", "storage", {})
    site.spoil("strange storage", "storage", {"type": "moon", "crater": "Tycho"})
    site.spoil("no run config", "run_config", {"type": []})
    site.spoil("strange run config", "run_config", {"type": "submarine", "env": {"DEPTH": "300"}})
    site.spoil("no files", "storage", {"type": "bundle", "path": "flows.py", "flow": "no files", "sha256": "0" * 64})
    poisoned = [site.create(steady, flow) for flow in POISON]
    large = site.create(steady, "greets", whom="x" * 900_000)
    with pytest.raises(Invalid, match="too large"):
        site.create(steady, "greets", whom="x" * 10_000_000)
    site.ended(site.create(steady, "fresh"))
    site.ended(large)
    assert "hello 900000" in site.lines(large)
    for flow, run in zip(POISON, poisoned, strict=True):
        view = site.server.until(run, lambda view: bool(view.state_type in TERMINAL or view.wait_reason))
        told = (view.state_message or "") + (view.wait_reason or "")
        assert view.state_type != "SUCCESS" and len(told) > 20 and "Traceback" not in told, (flow, view)
        if view.state_type not in TERMINAL:
            flow_runs.cancel(site.client, run)


def test_lines_that_a_run_had_no_time_to_send_arrive(site: Site) -> None:
    agent = site.agent().start()
    run = site.at_work(agent, "talks")
    site.server.kill()
    site.kind.wait(agent, run)
    site.server.start()
    assert "exit code 4" in (site.ended(run, "Crashed").state_message or "")
    lines = site.lines(run)
    expected = [f"line {number} ." for number in range(1, 21)] if site.kind.keeps_lines else []
    assert [line for line in lines if line in expected] == expected
    site.stop(agent)


def test_an_agent_that_dies_on_the_way_to_a_start(site: Site) -> None:
    """What it had started goes on. What it had not is started once, by the next."""
    cut = {point: site.agent(f"{site.kind.name}-{point.replace('.', '-')}") for point in site.kind.points}
    runs = {point: site.create(agent, "greets") for point, agent in cut.items()}
    for point, agent in cut.items():
        agent.start(point)
    for agent in cut.values():
        agent.died()
        agent.start()
    for point, run in runs.items():
        site.ended(run, attempt=site.kind.points[point])
        assert site.lines(run).count("hello you") == 1, point
    for agent in cut.values():
        site.stop(agent)


def test_an_agent_that_is_killed_adopts_what_runs_and_tells_what_has_ended(site: Site) -> None:
    agent = site.agent().start()
    going, deaf, ended = (site.at_work(agent, flow) for flow in ("waits", "deafs", "waits"))
    agent.kill()
    site.kind.kill(agent, ended)
    site.kind.wait(agent, ended)
    agent.start()
    end = site.ended(ended, "Crashed")
    assert "SIGKILL" in (end.state_message or "") or "unknown" in (end.state_message or ""), end
    if site.kind.finds_unrecorded:
        agent.kill()
        shutil.rmtree(agent.state_dir)
        agent.start()
    for run in (going, deaf):
        assert len(site.kind.running(agent, run)) == 1
        assert flow_runs.get(site.client, run).state == "Running"
    site.cancelled(going, deaf)
    site.stop(agent)


def test_capacity_and_drain(site: Site, steady: AgentProcess) -> None:
    agent = site.agent(capacity=2).start()
    runs = [site.create(agent, "waits") for _ in range(5)]
    for run in runs[:2]:
        site.until_working(run)
    site.cancelled(runs[0])
    site.until_working(runs[2])
    agents.drain(site.client, site.id_of(agent))
    site.cancelled(runs[1])
    site.ended(site.create(steady, "greets"))  # meanwhile, the other agent has asked again
    assert flow_runs.get(site.client, runs[2]).state == "Running"
    assert [flow_runs.get(site.client, run).state_type for run in runs[3:]] == ["SCHEDULED", "SCHEDULED"]
    agents.resume(site.client, site.id_of(agent))
    site.until_working(runs[3])
    flow_runs.cancel(site.client, runs[4])
    site.cancelled(runs[2], runs[3])
    site.stop(agent)
    assert most_at_once(site, runs) == 2


def most_at_once(site: Site, runs: list[UUID]) -> int:
    """How many of the runs were under way at the same time, by their histories."""
    changes: list[tuple[datetime, int]] = []
    for run in runs:
        history = flow_runs.states(site.client, run)
        started = [state.at for state in history if state.type == "PENDING"]
        changes += [(at, 1) for at in started] + [(history[-1].at, -1)] * bool(started)
    at_once, most = 0, 0
    for _, change in sorted(changes):
        at_once += change
        most = max(most, at_once)
    return most


def test_two_agents_of_one_name_share_the_work(site: Site) -> None:
    """Each goes on with its own, though the server takes them for one."""
    first, second = site.agent("both", "both-1").start(), site.agent("both", "both-2")
    held = site.at_work(first, "waits")
    second.start()
    runs = [site.create(first, "greets") for _ in range(8)]
    for run in runs:
        site.ended(run)
        assert site.lines(run).count("hello you") == 1
    site.until_clean(first.name, active=1)
    second.kill()
    site.ended(site.create(first, "greets"))
    assert flow_runs.get(site.client, held).state == "Running"
    site.cancelled(held)
    site.stop(first)
