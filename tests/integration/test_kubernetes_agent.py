"""The Kubernetes agent with a cluster of this machine: runs in pods end as they should, whatever dies in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from tests.integration.live import TOKEN, LiveServer
from tests.kubernetes.cluster import FakeCluster
from tests.kubernetes.node import ordinary

pytestmark = pytest.mark.slow
FLOWS = """
import json, os, threading
from appliance import Flow, KubernetesRun, get_logger, task
import beside

@task
def look():
    get_logger().info(json.dumps({
        "cwd": os.getcwd(), "token": "TOKEN" in str(dict(os.environ)), "mode": os.environ.get("MODE"), "beside": beside.NAME,
    }))

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

looks = flow("looks", look, KubernetesRun(env={"MODE": "full"}, memory_limit="96Mi"))
leaves = flow("leaves", leave)
waits = flow("waits", wait, KubernetesRun(memory_limit="96Mi"))
none = flow("none", look, KubernetesRun(image="none:1"))
odd = flow("odd", look, KubernetesRun(image="odd:1"))
wide = flow("wide", look, KubernetesRun(image="wide:1"))
closed = flow("closed", look, KubernetesRun(service_account_name="admin"))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    settings = {"APPLIANCE_CANCEL_GRACE": "5", "APPLIANCE_RUN_LEASE": "15", "APPLIANCE_REPAIR_INTERVAL": "0.5"}
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
    (folder / "beside.py").write_text("NAME = 'a module'")
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    for flow, found in flows_in(folder / "flows.py"):
        register(flow, "p", transport=live.client, storage=SiteStore(live.client, "p", print).default(found))
    yield live
    services.kill()
    services.wait()
    live.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeCluster]:
    fake = FakeCluster(tmp_path_factory.mktemp("cluster"))
    yield fake
    fake.close()


class AgentProcess:
    """`appliance agent kubernetes`, which can be killed."""

    def __init__(self, server: LiveServer, cluster: FakeCluster, folder: Path) -> None:
        self._server, self._cluster, self.folder = server, cluster, folder
        self.log = folder / "agent.log"

    def start(self, crash: str = "") -> AgentProcess:
        own = {"APPLIANCE_URL": self._server.url, "APPLIANCE_TOKEN": TOKEN, "KUBECONFIG": str(self._cluster.kubeconfig)}
        own |= {"APPLIANCE_DATA_DIR": str(self.folder / "data")}
        armed = {"APPLIANCE_CRASH": f"{crash}:1:kill"} if crash else {}
        images = [option for image in ("none:*", "odd:*", "wide:*") for option in ("--allow-image", image)]
        command = ["agent", "kubernetes", "--name", "ship", "--image", "etl:3", "--namespace", "flows", *images]
        command += ["--server-url", self._server.url.replace("127.0.0.1", "0.0.0.0")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "appliance", *command], env=ordinary() | own | armed, stdout=log, stderr=log
            )
        return self

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(30)


@pytest.fixture
def agent(server: LiveServer, cluster: FakeCluster, tmp_path: Path) -> Iterator[AgentProcess]:
    agent = AgentProcess(server, cluster, tmp_path).start()
    yield agent
    agent.end(signal.SIGTERM)
    assert "Traceback" not in agent.log.read_text()


def lines(server: LiveServer, run: UUID) -> list[str]:
    return [line.message for line in flow_runs.logs(server.client, run)]


def at_work(server: LiveServer, run: UUID) -> None:
    server.until(run, lambda _view: "waiting" in lines(server, run))


def test_runs_end_as_they_should(server: LiveServer, cluster: FakeCluster, agent: AgentProcess) -> None:
    looked, waiting = map(server.create, ("looks", "waits"))
    assert server.ended(looked).state == "Success", lines(server, looked)
    [found] = [json.loads(line) for line in lines(server, looked) if line.startswith("{")]
    assert (found["token"], found["mode"], found["beside"]) == (False, "full", "a module")
    assert found["cwd"].endswith("/appliance-run/code")
    at_work(server, waiting)
    [job] = cluster.of(waiting)
    assert job["metadata"]["name"] == f"appliance-{waiting}-1"
    flow_runs.cancel(server.client, waiting, reason="enough")
    assert server.ended(waiting).state == "Cancelled"
    cluster.gone(looked)
    cluster.gone(waiting)
