"""The Docker agent with a real engine: what it alone does, beside the suite for all agents (tests/conformance/test_agents.py)."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.client import agents, flow_runs
from appliance.kit import clock
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.flow_runs import CreateFlowRun
from tests import docker_images
from tests.chaos.proxy import BROKEN, DELAY, PASS, Proxy
from tests.conformance.agent_kinds import AgentProcess, Docker, docker
from tests.e2e.appliance_process import until
from tests.e2e.own_engine import OwnEngine, started
from tests.integration.live import LiveServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("docker"),
    pytest.mark.skipif(bool(docker_images.missing()), reason=docker_images.missing()),
]
FLOWS = f"""
import json, os, threading
from appliance import DockerRun, Flow, get_logger, task

BASE = {docker_images.BASE_IMAGE!r}

@task(log_stdout=True)
def look():
    print("printed")
    with open("/proc/1/environ") as file:
        first = file.read()
    get_logger().info(json.dumps({{
        "user": os.getuid(), "cwd": os.getcwd(), "token": "TOKEN" in first + str(dict(os.environ)), "mode": os.environ.get("MODE"),
        "left": sorted(os.listdir(os.environ["APPLIANCE_RUN_DIR"])),
    }}))

@task
def leave():
    print("last words")
    os._exit(3)

@task
def wait():
    get_logger().info("waiting")
    threading.Event().wait(60)

def flow(name, make, config=None):
    with Flow(name, run_config=config) as made:
        make()
    return made

looks = flow("looks", look, DockerRun(env={{"MODE": "full"}}))
leaves = flow("leaves", leave)
waits = flow("waits", wait)
LATER = "cp -r /opt/sdk /tmp && sed -i 's/^VERSION = .*/VERSION = \\"999.0.0\\"/' /tmp/sdk/appliance/kit/version.py && PYTHONPATH=/tmp/sdk exec python3 $@"
later = flow("later", look, DockerRun(command=["sh", "-c", LATER, "sh"]))
lacks = flow("lacks", look, DockerRun(image=BASE))
unreachable = flow("unreachable", look, DockerRun(image="127.0.0.1:1/none:1"))
closed = flow("closed", look, DockerRun(volumes=["/etc:/host:ro"]))
"""


class Installed:
    """Code that only the image has."""

    def describe(self) -> dict[str, Any]:
        place = {"module": "shopflows", "flow": "installed", "distribution": "shopflows", "version": "1.0"}
        return {"type": "module", "sha256": hashlib.sha256(Docker.files["shopflows.py"].encode()).hexdigest(), **place}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    Docker().prepare(tmp_path_factory.mktemp("image"))
    live = LiveServer(tmp_path_factory.mktemp("server") / "data", APPLIANCE_CANCEL_GRACE="2").start()
    folder = tmp_path_factory.mktemp("flows")
    (folder / "flows.py").write_text(FLOWS)
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    for flow, found in flows_in(folder / "flows.py"):
        register(flow, "p", transport=live.client, storage=SiteStore(live.client, "p", print).default(found))
    (folder / "shopflows.py").write_text(Docker.files["shopflows.py"])
    ((flow, _),) = flows_in(folder / "shopflows.py")
    register(flow, "p", transport=live.client, storage=Installed())
    yield live
    live.kill()


class Permissive(Docker):
    """Flows may name some images."""

    def arguments(self, url: str) -> list[str]:
        return [*super().arguments(url), "--allow-image", docker_images.BASE_IMAGE, "--allow-image", "127.0.0.1:1/*"]


@pytest.fixture(scope="module")
def agent(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = AgentProcess(Permissive(), server, tmp_path_factory.mktemp("agent"), "dock").start()
    yield agent
    agent.stop()
    assert "Traceback" not in agent.log.read_text()


def of(run: UUID) -> str:
    return docker("ps", "--all", "--quiet", "--filter", f"label=appliance.run={run}")


def lines(server: LiveServer, run: UUID) -> list[str]:
    return [line.message for line in flow_runs.logs(server.client, run)]


def at_work(server: LiveServer, run: UUID) -> None:
    server.until(run, lambda _view: "waiting" in lines(server, run))


def removed(server: LiveServer, run: UUID) -> None:
    """Wait until the container is gone, which the engine tells."""
    now = int(clock.now().timestamp())
    between = ["--since", str(now - 120), "--until", str(now + 30)]
    command = ["docker", "events", *between, "--filter", f"label=appliance.run={run}", "--filter", "event=destroy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as events:
        assert events.stdout is not None and events.stdout.readline()
        events.kill()


def test_runs_end_as_they_should(server: LiveServer, agent: AgentProcess) -> None:
    looked, installed, waiting = map(server.create, ("looks", "installed", "waits"))
    assert server.ended(looked).state == "Success", lines(server, looked)
    [found] = [json.loads(line) for line in lines(server, looked) if line.startswith("{")]
    assert (found["user"], found["token"], found["mode"]) == (10007, False, "full")
    assert found["cwd"] == "/var/lib/appliance-run/code"
    assert "environment.json" not in found["left"]
    assert "printed" in lines(server, looked)
    used = server.until(looked, lambda view: view.cpu_seconds is not None)
    assert used.cpu_seconds and 0.05 < used.cpu_seconds < 60
    assert used.peak_memory and 2**24 < used.peak_memory < 2**30
    assert server.ended(installed).state == "Success", lines(server, installed)
    assert "from the image" in lines(server, installed)

    at_work(server, waiting)
    [told] = json.loads(docker("inspect", of(waiting)))
    assert told["Name"] == f"/appliance-{waiting}-1"
    assert not [word for word in (*told["Config"]["Env"], *told["Args"]) if "TOKEN" in word or "apl_" in word]
    assert told["HostConfig"]["PidsLimit"] == 4096
    flow_runs.cancel(server.client, waiting, reason="enough")
    assert server.ended(waiting).state == "Cancelled"
    removed(server, waiting)
    assert "dock" in agent.log.read_text()


def test_each_bad_end_has_its_sentence(server: LiveServer, agent: AgentProcess) -> None:
    ends = {
        "leaves": ("Crashed", "The run's container ended with exit code 3."),
        "lacks": ("Crashed", f"Image {docker_images.BASE_IMAGE} lacks the appliance's SDK; install appliance-flows"),
        "later": ("Crashed", f"Image {Docker.image} has a later release of the appliance's SDK than the server"),
        "unreachable": ("Paused", "Image 127.0.0.1:1/none:1 could not be pulled: "),
        "closed": ("Paused", "does not allow volume /etc:/host:ro (allowed: none)"),
    }
    made = {flow: server.create(flow) for flow in ends}
    for flow, (state, sentence) in ends.items():
        view = server.until(made[flow], lambda view: view.state in ("Crashed", "Paused", "Success"))
        assert view.state == state and sentence in (view.state_message or ""), (flow, view)
    assert any("The last lines" in line and "last words" in line for line in lines(server, made["leaves"]))


def test_an_engine_that_answers_with_errors_or_late_fails_no_run(server: LiveServer, tmp_path: Path) -> None:
    between = Proxy("/var/run/docker.sock")
    agent = AgentProcess(Docker(f"tcp://127.0.0.1:{between.port}"), server, tmp_path / "agent", "far-engine").start()
    try:
        going = create(server, agent, "waits")
        at_work(server, going)
        between.set(BROKEN)
        until("the agent has noticed", lambda: "answers with an error: Out of order" in problems(server, agent.name))
        held = create(server, agent, "looks")
        between.set(DELAY)
        assert server.ended(held).state == "Success", lines(server, held)
        assert flow_runs.get(server.client, going).state == "Running"
        flow_runs.cancel(server.client, going)
        assert server.ended(going).state == "Cancelled"
        between.set(PASS)
        until("the containers are gone", lambda: not Docker().left(server, agent.name))
    finally:
        agent.stop()
        between.close()
        Docker().remove(Docker().left(server, agent.name))


def create(server: LiveServer, agent: AgentProcess, flow: str) -> UUID:
    return flow_runs.create(server.client, CreateFlowRun(project="p", flow=flow, labels=[agent.name])).id


def problems(server: LiveServer, name: str) -> str:
    """What an agent says that is wrong with it."""
    return str([one["problems"] for one in agents.listed(server.client) if one["name"] == name])


@pytest.fixture(params=[True, False], ids=["containers survive", "containers are stopped"])
def own_engine(request: pytest.FixtureRequest) -> Iterator[OwnEngine]:
    with started(keeps_containers=request.param) as engine:
        yield engine


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_engine_is_restarted_under_a_running_container(
    request: pytest.FixtureRequest, server: LiveServer, own_engine: OwnEngine, tmp_path: Path
) -> None:
    """Where the engine lets containers live, nothing happens to the run. Where it stops them, the run says so in a sentence."""
    with subprocess.Popen(["docker", "save", Docker.image], stdout=subprocess.PIPE) as saved:
        subprocess.run(
            ["docker", "--host", own_engine.host, "load"], stdin=saved.stdout, check=True, capture_output=True
        )
    agent = AgentProcess(Docker(own_engine.host), server, tmp_path / "agent", "own-engine").start()
    try:
        run = create(server, agent, "waits")
        at_work(server, run)
        own_engine.stop()
        own_engine.start()
        survives = "survive" in request.node.name
        if survives:
            after = create(server, agent, "looks")
            assert server.ended(after).state == "Success", lines(server, after)
            assert flow_runs.get(server.client, run).state == "Running"
            flow_runs.cancel(server.client, run)
        ended = server.ended(run)
        print(ended.state, ended.state_message)
        assert ended.attempt == 1 and ended.state == "Cancelled"
        assert survives or ended.state_message == "Cancelled: the process was asked to stop."
        until("the containers are gone", lambda: not agent.kind.left(server, agent.name), 60)
    finally:
        agent.stop()
