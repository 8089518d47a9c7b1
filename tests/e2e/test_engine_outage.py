"""The Docker engine is gone, answers with errors, or is silent, while runs go on and end in their containers. It fails none, the agent is heard from all
the time, and what has happened meanwhile is known once the engine is back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import agents, flow_runs
from appliance.kit import clock
from appliance.packaging.discover import flows_in
from appliance.packaging.docker_engine import TIMEOUT
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.flow_runs import CreateFlowRun
from tests import depth, docker_images
from tests.chaos.proxy import BROKEN, CUT, HOLE, PASS, Proxy
from tests.conformance.agent_kinds import AgentProcess, Docker, docker
from tests.e2e.appliance_process import clean_environment, until
from tests.e2e.own_engine import OwnEngine, started
from tests.integration.live import LiveServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("docker"),
    pytest.mark.skipif(bool(docker_images.missing()), reason=docker_images.missing()),
    pytest.mark.timeout(1200),
]
FLOWS = """
import os
from appliance import Flow, get_logger, task

@task
def wait():
    os.mkfifo("/tmp/gate")
    get_logger().info("waiting")
    with open("/tmp/gate") as gate:
        code = int(gate.read())
    print("last words", flush=True)
    if code:
        os._exit(code)

with Flow("waits") as waits:
    wait()
"""
SETTINGS = depth.pick(
    quick={},
    normal={"APPLIANCE_RUN_LEASE": "9", "APPLIANCE_HEARTBEAT_INTERVAL": "1", "APPLIANCE_REPAIR_INTERVAL": "0.5"},
    full={},
)
"""Those of production, or a tenth of their times."""
HEARD = 30.0
"""Seconds. A claim of the agent takes 3, and more on a busy machine."""


class Site:
    """A server, its services, and an agent of an engine."""

    def __init__(self, folder: Path, host: str, stack: ExitStack, reached: str = "") -> None:
        """`host`: where the agent reaches the engine; `reached`: where the test does, also while the agent does not."""
        (folder / "image").mkdir()
        Docker().prepare(folder / "image")
        settings = {**SETTINGS, "APPLIANCE_CANCEL_GRACE": "2"}
        self.host, self.has_ended = host, False
        self.server = LiveServer(folder / "data", **settings).start()
        stack.callback(self.server.kill)
        services = subprocess.Popen(
            [sys.executable, "-m", "appliance", "services"],
            env=clean_environment(APPLIANCE_DATA_DIR=str(folder / "data"), **settings),
        )
        stack.callback(services.wait)
        stack.callback(services.kill)
        self._register(folder / "project")
        self._created = folder / "created"
        events = ["events", "--filter", "event=create", "--filter", f"label=appliance.site={self.server.url}"]
        with self._created.open("wb") as file:  # the engine itself remembers 256 events
            listening = subprocess.Popen(
                ["docker", "--host", reached or host, *events, "--format", "{{json .Actor.Attributes}}"], stdout=file
            )
        stack.callback(listening.wait)
        stack.callback(listening.kill)
        self.agent = AgentProcess(Docker(host), self.server, folder / "agent", "dock", capacity=16)
        stack.callback(lambda: Docker(reached or host).remove(Docker(reached or host).left(self.server, "dock")))
        stack.callback(self.agent.stop)
        self.agent.start()

    def _register(self, project: Path) -> None:
        project.mkdir()
        (project / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
        (project / "flows.py").write_text(FLOWS)
        ((flow, found),) = flows_in(project / "flows.py")
        store = SiteStore(self.server.client, "p", print)
        register(flow, "p", transport=self.server.client, storage=store.default(found))

    def create(self) -> UUID:
        return flow_runs.create(
            self.server.client, CreateFlowRun(project="p", flow="waits", labels=[self.agent.name])
        ).id

    def lines(self, run: UUID) -> list[str]:
        return [line.message for line in flow_runs.logs(self.server.client, run)]

    def until_working(self, *runs: UUID) -> None:
        for run in runs:
            self.server.until(run, lambda _view, run=run: "waiting" in self.lines(run))  # type: ignore[misc]

    def leave(self, run: UUID, code: int, host: str) -> None:
        """Let the run's process end with this exit code."""
        docker("exec", f"appliance-{run}-1", "sh", "-c", f"echo {code} > /tmp/gate", host=host)

    def end(self, well: UUID, badly: UUID, killed: UUID, host: str) -> None:
        """Let each run end in its way."""
        self.has_ended = True
        self.leave(well, 0, host)
        self.leave(badly, 3, host)
        docker("kill", f"appliance-{killed}-1", host=host)

    def facts(self) -> dict[str, object]:
        (found,) = [one for one in agents.listed(self.server.client) if one["name"] == self.agent.name]
        return found

    def last_seen(self) -> datetime:
        """When the server has last heard of the agent."""
        return datetime.fromisoformat(str(self.facts()["last_seen"]))

    def containers(self, run: UUID) -> int:
        """How many containers of the run's first attempt have been created."""
        created = map(json.loads, self._created.read_text().splitlines())
        return sum(one["appliance.run"] == str(run) and one["appliance.attempt"] == "1" for one in created)


def watched(site: Site, seconds: float) -> list[float]:
    """For so many seconds: how long the server waited for each sign of life of the agent."""
    deadline, times = time.monotonic() + seconds, {site.last_seen()}
    while time.monotonic() < deadline:
        times.add(site.last_seen())
        time.sleep(0.5)
    times.add(clock.now())
    return [(after - before).total_seconds() for before, after in pairwise(sorted(times))]


def outage(site: Site, host: str, seconds: float, fault: Callable[[], None], over: Callable[[], None]) -> None:
    """Runs go on, end well, end badly and are killed while the engine is away; one is cancelled, and one is due. `host`: where the test still reaches
    the engine, whose containers go on; empty: nowhere, so that they end when it is back."""
    going, well, badly, killed, cancelled = runs = [site.create() for _ in range(5)]
    site.until_working(*runs)
    fault()
    due = site.create()
    flow_runs.cancel(site.server.client, cancelled, reason="enough")
    if host:
        site.end(well, badly, killed, host)
    waits = watched(site, seconds)
    print(f"The server heard of the agent {len(waits)} times, and waited for that at most {max(waits):.1f} s.")
    assert len(waits) > 1 and max(waits) < HEARD
    assert flow_runs.get(site.server.client, going).state == "Running"
    over()
    back, host = time.monotonic(), host or site.host
    if not site.has_ended:
        until("the engine answers", lambda: docker("ps", "--quiet", host=host), 60)
        site.end(well, badly, killed, host)
    ends = {well: "Success", badly: "Crashed", killed: "Crashed", cancelled: "Cancelled"}
    for run, end in ends.items():
        view = site.server.ended(run)
        assert (view.state, view.attempt) == (end, 1), view
    for run, reason in (
        (badly, "exit code 3."),
        (killed, "SIGKILL."),
    ):  # one that was silent for long has been given up
        until(f"the log says {reason}", lambda run=run, reason=reason: reason in str(site.lines(run)), 90)  # type: ignore[misc]
    print(f"The ends were known {time.monotonic() - back:.1f} s after its return.")
    assert "last words" in str(site.lines(badly))
    until("the run that was due works", lambda: "waiting" in site.lines(due), 240)
    attempt = flow_runs.get(site.server.client, due).attempt
    print(f"The run that was due worked {time.monotonic() - back:.1f} s after its return, in attempt {attempt}.")
    settled(site, host, going, due, list(ends))


def settled(site: Site, host: str, going: UUID, due: UUID, ended: list[UUID]) -> None:
    """What went on has never been interrupted, nothing was started twice, and nothing is left."""
    assert flow_runs.get(site.server.client, going).state == "Running"
    site.leave(going, 0, host)
    last = site.server.ended(going)
    assert (last.state, last.attempt) == ("Success", 1)
    flow_runs.cancel(site.server.client, due)
    assert site.server.ended(due).state == "Cancelled"
    until("the containers are gone", lambda: not Docker(host).left(site.server, site.agent.name), 90)
    for run in (going, *ended):
        assert site.containers(run) == 1
    assert site.facts()["problems"] == [] and "Traceback" not in site.agent.log.read_text()


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        pytest.param(CUT, depth.pick(quick=0.0, normal=12.0, full=600.0), id="gone"),
        pytest.param(BROKEN, 120.0, id="errors", marks=pytest.mark.full),
        pytest.param(HOLE, 60.0, id="silent", marks=pytest.mark.full),
    ],
)
def test_an_engine_that_is_away_fails_no_run(fault: str, seconds: float, tmp_path: Path) -> None:
    with ExitStack() as stack:
        between = Proxy("/var/run/docker.sock")
        stack.callback(between.close)
        direct = "unix:///var/run/docker.sock"
        site = Site(tmp_path, f"tcp://127.0.0.1:{between.port}", stack, direct)
        outage(site, direct, seconds, lambda: between.set(fault), lambda: between.set(PASS))


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    with started(keeps_containers=True) as engine:
        with subprocess.Popen(["docker", "save", Docker.image], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "--host", engine.host, "load"], stdin=saved.stdout, check=True, capture_output=True
            )
        yield engine


@pytest.mark.full
def test_an_engine_that_stands_still_for_longer_than_the_agent_waits_fails_no_run(tmp_path: Path) -> None:
    """A real one, which takes connections and says nothing: what it was asked meanwhile, it does afterwards."""
    with ExitStack() as stack:
        Docker().prepare(tmp_path / "first")
        engine = stack.enter_context(own_engine())
        site = Site(tmp_path, engine.host, stack)
        pid = engine.pid
        outage(
            site,
            "",
            TIMEOUT + 30,
            lambda: os.kill(pid, signal.SIGSTOP),
            lambda: os.kill(pid, signal.SIGCONT),
        )
