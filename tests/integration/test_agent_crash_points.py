"""An agent and a run's process die at each of their crash points: the run still ends, truthfully, and no task's code runs twice in an attempt."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest

from appliance.agents.attempts import AttemptStore
from appliance.agents.result_sweep import ResultSweep
from appliance.client import agents, flow_runs
from appliance.kit import crash, ids
from appliance.protocol.flow_runs import CreateFlowRun, FlowRunView
from tests import depth
from tests.conformance.agent_kinds import KINDS
from tests.integration.live import TOKEN, LiveServer

ROOT = Path(__file__).parents[2] / "appliance"
WAIT = 60

FLOWS = """
import os
from appliance import Flow, Parameter, task

def note(ledger, what):
    with open(ledger, "a") as file:
        file.write(what + "\\n")

@task
def first(ledger):
    note(ledger, "first")
    return 1

@task
def second(ledger):
    note(ledger, "second")

with Flow("two") as two:
    ledger = Parameter("ledger")
    second(ledger, upstream_tasks=[first(ledger)])

@task
def leave(ledger):
    note(ledger, "leave")
    os._exit(3)

with Flow("leaves") as leaves:
    leave(Parameter("ledger"))

@task
def held(ledger):
    note(ledger, "held")
    open(ledger + ".held").read()  # a pipe: until the test has opened and closed it

with Flow("holds") as holds:
    held(Parameter("ledger"))
"""
STARTING = {point for kind in KINDS for point in kind.points}  # in tests/conformance/test_agents.py
AGENT_AT_THE_END = ("agent.ended", "agent.reported")
SWEEP = ("agent.results.unlinked", "agent.results.emptied")
FETCHING = ("agent.fetched",)  # in test_bundle_agent.py
STARTING_RUNS = ("runner.child.created",)  # in test_child_runs_live.py
RUNNER = (
    "runner.start",
    "runner.begun",
    "runner.task.before",
    "runner.task.after",
    "runner.pack.created",
    "runner.pack.appended",
    "runner.pack.written",
    "runner.pack.synced",
    "runner.state.numbered",
    "runner.state.sent",
    "runner.done",
)
OF_EACH_KIND = ("runner.start", "runner.task.after", "runner.pack.written", "runner.state.sent", "runner.done")
AWAY = ("runner.state.spooled",)


def environment(**settings: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")} | settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("crashes")
    settings = {"APPLIANCE_RUN_LEASE": "4", "APPLIANCE_HEARTBEAT_INTERVAL": "1"}
    live = LiveServer(folder / "data", **settings).start()
    (folder / "flows.py").write_text(FLOWS)
    live.register(folder / "flows.py")
    services = subprocess.Popen(
        [sys.executable, "-m", "appliance", "services"],
        env=environment(APPLIANCE_DATA_DIR=str(folder / "data"), **settings),
        stdout=(folder / "services.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    yield live
    services.kill()
    services.wait()
    live.kill()


class Host:
    """A machine with an agent, which is asked for runs that bear its name as their label, and a ledger of what tasks did on it."""

    def __init__(self, server: LiveServer, folder: Path, name: str) -> None:
        self.server, self.name = server, name.replace(".", "-")
        self.ledger, self.state_dir = folder / "ledger", folder / "state"
        self._log = (folder / "agent.log").open("wb")
        self._agents: list[subprocess.Popen[bytes]] = []

    def start(self, crash_at: str = "") -> subprocess.Popen[bytes]:
        """An agent, which dies there, or whose runs do."""
        settings = {"APPLIANCE_URL": self.server.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_AGENT_ROOTS": "/"}
        settings |= {"APPLIANCE_RESULTS_URL": (self.state_dir.parent / "results").as_uri()}
        settings |= {crash.VARIABLE: crash_at} if crash_at else {}
        command = [
            "-m",
            "appliance",
            "agent",
            "start",
            "process",
            "--name",
            self.name,
            "--state-dir",
            str(self.state_dir),
        ]
        agent = subprocess.Popen(
            [sys.executable, *command, "--label", self.name],
            env=environment(**settings),
            stdout=self._log,
            stderr=self._log,
        )
        self._agents.append(agent)
        return agent

    def is_running(self, run: UUID, task_slug: str) -> bool:
        tasks = flow_runs.task_runs(self.server.client, run)
        return any(task.task_slug == task_slug and task.state_type == "RUNNING" for task in tasks)

    def create(self, flow: str) -> UUID:
        asked = CreateFlowRun(project="p", flow=flow, parameters={"ledger": str(self.ledger)}, labels=[self.name])
        return flow_runs.create(self.server.client, asked).id

    def done(self) -> list[str]:
        return self.ledger.read_text().split() if self.ledger.exists() else []

    def stop(self) -> None:
        for agent in self._agents:
            agent.terminate()
        self._log.close()

    def wait(self) -> None:
        for agent in self._agents:
            agent.wait(WAIT)


@pytest.fixture(scope="module")
def at_the_end() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def host(server: LiveServer, at_the_end: ExitStack, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    made = Host(server, tmp_path, request.node.callspec.params["point"])
    at_the_end.callback(made.wait)  # an agent that stops takes the seconds that its question to the server may last
    yield made
    made.stop()


def check(host: Host, ended: FlowRunView, *tasks_of_flow: str) -> None:
    """What the server shows fits what happened: nothing ran twice in an attempt, and a success has all tasks behind it."""
    client = host.server.client
    assert all(times <= ended.attempt for times in Counter(host.done()).values())
    history = flow_runs.states(client, ended.id)
    assert [state.version for state in history] == list(range(1, len(history) + 1))
    tasks = {task.task_slug: task.state_type for task in flow_runs.task_runs(client, ended.id)}
    if ended.state_type == "SUCCESS":
        assert set(host.done()) == set(tasks_of_flow)
        assert set(tasks.values()) == {"SUCCESS"}
    assert "RUNNING" not in tasks.values()


def test_every_point_has_a_case() -> None:
    files = [*(ROOT / "agents").glob("*.py"), *(ROOT / "engine").rglob("*.py")]
    points = {name for file in files for name in re.findall(r'crash\.point\("([a-z.]+)"\)', file.read_text())}
    assert points == {*STARTING, *AGENT_AT_THE_END, *SWEEP, *RUNNER, *AWAY, *FETCHING, *STARTING_RUNS}


@pytest.mark.parametrize("point", AGENT_AT_THE_END)
def test_an_agent_that_dies_when_a_run_has_ended(host: Host, point: str) -> None:
    """The next one tells how it ended."""
    run = host.create("leaves")
    assert host.start(point).wait(WAIT) == crash.EXIT_CODE
    host.start()
    ended = host.server.ended(run)
    assert (ended.state, ended.attempt) == ("Crashed", 1)
    assert "exit code 3" in ended.state_message
    check(host, ended)


@pytest.mark.parametrize("point", SWEEP)
def test_an_agent_that_dies_while_it_removes_results(host: Host, point: str) -> None:
    """The next one removes the rest, and what other runs have kept is there."""
    agent, runs = host.start(), [host.create("two"), host.create("two")]
    for run in runs:
        assert host.server.ended(run).state_type == "SUCCESS"
    agent.terminate()
    assert agent.wait(WAIT) == 0
    gone, other = runs
    folder = host.state_dir.parent / "results"
    (kept,) = [path.parent for path in folder.rglob("*.pack") if path.parent.name == str(gone)]
    shutil.copy(next(kept.iterdir()), kept / f"large-1-{ids.uuid7()}.pickle")
    flow_runs.delete(host.server.client, gone)
    assert host.start(point).wait(WAIT) == crash.EXIT_CODE
    assert kept.exists()
    (listed,) = [one["id"] for one in agents.listed(host.server.client) if one["name"] == host.name]
    ResultSweep(host.server.client, folder, set).run_once(UUID(listed))
    assert {path.parent.name for path in folder.rglob("*.pack")} == {str(other)} and not kept.exists()


@pytest.mark.parametrize("point", [point for point in RUNNER if point in OF_EACH_KIND or depth.is_full()])
def test_a_run_whose_process_dies(host: Host, point: str) -> None:
    """It is Crashed, unless it had told its end before: a batch that was sent may have held that."""
    run = host.create("two")
    host.start(point)
    ended = host.server.ended(run)
    assert ended.state in {"runner.done": ("Success",), "runner.state.sent": ("Success", "Crashed")}.get(
        point, ("Crashed",)
    )
    if ended.state == "Crashed":
        assert f"exit code {crash.EXIT_CODE}" in ended.state_message
    assert ended.attempt == 1
    check(host, ended, "first", "second")


@pytest.mark.parametrize("point", AWAY)
def test_a_run_that_dies_while_the_server_is_away(host: Host, point: str) -> None:
    """What it had put on the disk is delivered for it."""
    os.mkfifo(f"{host.ledger}.held")
    run = host.create("holds")
    host.start(point)
    host.server.until(run, lambda _view: host.is_running(run, "held-1"))  # so that only its end is left to spool
    host.server.kill()
    (job,) = [job for _, job, end in AttemptStore(host.state_dir).load() if end is None]
    process = os.pidfd_open(job.pid)
    Path(f"{host.ledger}.held").write_text("")
    assert select.select([process], [], [], WAIT)[0], "the process did not die"
    os.close(process)
    host.server.start()
    ended = host.server.ended(run)
    assert ended.state in ("Success", "Crashed")  # as the last batch on the disk says
    tasks = flow_runs.task_runs(host.server.client, run)
    assert {task.task_slug: task.state_type for task in tasks}["held-1"] == "SUCCESS"
    check(host, ended, "held")
