"""The Docker agent with a real engine: runs in containers end as they should, whatever dies in between."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.kit import clock
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from tests import docker_images
from tests.integration.live import TOKEN, LiveServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("docker"),
    pytest.mark.skipif(bool(docker_images.missing()), reason=docker_images.missing()),
]
IMAGE = "appliance-test-sdk:latest"
FLOWS = f"""
import json, os, signal, threading
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
def eat():
    hold = []
    while True:
        hold.append(bytearray(10_000_000))

@task
def wait():
    get_logger().info("waiting")
    threading.Event().wait(60)

@task
def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    get_logger().info("waiting")
    while True:
        try:
            threading.Event().wait(60)
        except KeyboardInterrupt:
            continue

@task
def talk():
    gate = threading.Event()
    get_logger().info("waiting")
    while not gate.wait(0.05):
        get_logger().info("still here")

def flow(name, make, config=None):
    with Flow(name, run_config=config) as made:
        make()
    return made

looks = flow("looks", look, DockerRun(env={{"MODE": "full"}}))
leaves = flow("leaves", leave)
eats = flow("eats", eat, DockerRun(memory="96m"))
waits = flow("waits", wait)
deafs = flow("deafs", deaf)
talks = flow("talks", talk)
lacks = flow("lacks", look, DockerRun(image=BASE))
gone = flow("gone", look, DockerRun(image="none:1", pull="never"))
unreachable = flow("unreachable", look, DockerRun(image="127.0.0.1:1/none:1"))
closed = flow("closed", look, DockerRun(volumes=["/etc:/host:ro"]))
"""
MODULE = """
from appliance import Flow, get_logger, task

@task
def say():
    get_logger().info("from the image")

with Flow("installed") as flow:
    say()
"""
METADATA = "Metadata-Version: 2.1\nName: shopflows\nVersion: 1.0\n"


class Installed:
    """Code that only the image has."""

    def describe(self) -> dict[str, Any]:
        place = {"module": "shopflows", "flow": "installed", "distribution": "shopflows", "version": "1.0"}
        return {"type": "module", "sha256": hashlib.sha256(MODULE.encode()).hexdigest(), **place}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    files = {"shopflows.py": MODULE, "shopflows-1.0.dist-info/METADATA": METADATA}
    docker_images.build(tmp_path_factory.mktemp("image"), IMAGE, files)
    settings = {"APPLIANCE_CANCEL_GRACE": "2", "APPLIANCE_RUN_LEASE": "15", "APPLIANCE_REPAIR_INTERVAL": "0.5"}
    data = tmp_path_factory.mktemp("server") / "data"
    live = LiveServer(data, **settings).start()
    services = subprocess.Popen(
        [sys.executable, "-m", "appliance", "services"],
        env=ordinary() | settings | {"APPLIANCE_DATA_DIR": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = tmp_path_factory.mktemp("flows")
    (folder / "flows.py").write_text(FLOWS)
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    for flow, found in flows_in(folder / "flows.py"):
        register(flow, "p", transport=live.client, storage=SiteStore(live.client, "p", print).default(found))
    (folder / "shopflows.py").write_text(MODULE)
    ((flow, _),) = flows_in(folder / "shopflows.py")
    register(flow, "p", transport=live.client, storage=Installed())
    yield live
    services.kill()
    services.wait()
    live.kill()
    left = containers(live)
    if left:
        docker("rm", "--force", *left)
    assert left == []


def ordinary() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}


class AgentProcess:
    """`appliance agent start docker`, which can be killed."""

    def __init__(self, server: LiveServer, folder: Path) -> None:
        self._server, self._folder = server, folder
        self.log = folder / "agent.log"

    def start(self, crash: str = "") -> AgentProcess:
        own = {"APPLIANCE_URL": self._server.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_DATA_DIR": str(self._folder)}
        armed = {"APPLIANCE_CRASH": f"{crash}:1:kill"} if crash else {}
        allowed = [docker_images.BASE_IMAGE, "none:*", "127.0.0.1:1/*"]
        images = [option for image in allowed for option in ("--allow-image", image)]
        command = ["agent", "start", "docker", "--name", "dock", "--image", IMAGE, "--network", "host", *images]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "appliance", *command], env=ordinary() | own | armed, stdout=log, stderr=log
            )
        return self

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(30)


@pytest.fixture
def agent(server: LiveServer, tmp_path: Path) -> Iterator[AgentProcess]:
    agent = AgentProcess(server, tmp_path).start()
    yield agent
    agent.end(signal.SIGTERM)
    assert "Traceback" not in agent.log.read_text()


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def containers(server: LiveServer, *more: str) -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label=appliance.site={server.url}", *more).split()


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
    cancelled = server.ended(waiting)
    assert cancelled.state == "Cancelled" and "enough" in (cancelled.state_message or "")
    removed(server, waiting)
    assert "dock" in agent.log.read_text()


def test_each_bad_end_has_its_sentence(server: LiveServer, agent: AgentProcess) -> None:
    ends = {
        "leaves": ("Crashed", "The run's container ended with exit code 3."),
        "eats": ("Crashed", "more memory than its limit of 96 MiB (OOM)."),
        "lacks": ("Crashed", f"Image {docker_images.BASE_IMAGE} lacks the appliance's SDK; install appliance-flows"),
        "gone": ("Paused", "Image none:1 is not on the machine of agent dock, which pulls none"),
        "unreachable": ("Paused", "Image 127.0.0.1:1/none:1 could not be pulled: "),
        "closed": ("Paused", "does not allow volume /etc:/host:ro (allowed: none)"),
    }
    made = {flow: server.create(flow) for flow in ends}
    for flow, (state, sentence) in ends.items():
        view = server.until(made[flow], lambda view: view.state in ("Crashed", "Paused", "Success"))
        assert view.state == state and sentence in (view.state_message or ""), (flow, view)
    eaten = server.until(made["eats"], lambda view: view.peak_memory is not None)
    assert eaten.peak_memory == 96 * 1024**2
    assert any("The last lines" in line and "last words" in line for line in lines(server, made["leaves"]))


def test_a_killed_agent_adopts_what_runs_and_reports_what_ended(
    server: LiveServer, agent: AgentProcess, tmp_path: Path
) -> None:
    going, deaf, ended = map(server.create, ("waits", "deafs", "waits"))
    for run in (going, deaf, ended):
        at_work(server, run)
    agent.end(signal.SIGKILL)
    docker("kill", of(ended))
    assert of(going)
    agent.start()
    end = server.ended(ended)
    assert (end.state, end.state_message) == ("Crashed", "The run's container was killed by SIGKILL.")
    for run in (going, deaf):
        assert flow_runs.get(server.client, run).state == "Running"
        flow_runs.cancel(server.client, run)
    assert [server.ended(run).state for run in (going, deaf)] == ["Cancelled", "Cancelled"]
    killed = server.until(deaf, lambda view: view.cpu_seconds is not None)  # the engine was asked before it was stopped
    assert killed.cpu_seconds and killed.peak_memory and killed.peak_memory > 2**24
    for run in (going, deaf, ended):
        removed(server, run)


def test_an_agent_that_dies_before_a_start_leaves_nothing_and_the_run_is_started_once(
    server: LiveServer, tmp_path: Path
) -> None:
    agent = AgentProcess(server, tmp_path).start(crash="agent.container")
    run = server.create("looks")
    assert agent.process.wait(30) == -signal.SIGKILL
    assert len(containers(server, "--filter", "status=created")) == 1
    agent.start()
    try:
        view = server.ended(run)
        assert (view.state, view.attempt) == ("Success", 2), lines(server, run)
        assert len([line for line in lines(server, run) if line == "printed"]) == 1
        removed(server, run)
    finally:
        agent.end(signal.SIGTERM)


def test_lines_that_a_run_could_not_send_are_found_in_its_container(server: LiveServer, agent: AgentProcess) -> None:
    run = server.create("talks")
    at_work(server, run)
    server.kill()
    container = of(run)
    path = "/var/lib/appliance-run/spool.jsonl"
    grown = f"until [ -s {path} ] && [ $(wc -l < {path}) -gt 3 ]; do sleep 0.1; done"
    docker("exec", container, "sh", "-c", grown)
    known = docker("exec", container, "sh", "-c", f"grep -c 'still here' {path}")
    docker("kill", container)
    server.start()
    removed(server, run)
    assert server.ended(run).state == "Crashed"
    assert len([line for line in lines(server, run) if line == "still here"]) >= int(known)
