"""The Kubernetes agent with a cluster of this machine: runs in pods end as they should, whatever dies in between."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from appliance.cli.root import invoke
from appliance.client import flow_runs
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from tests.integration.live import TOKEN, LiveServer
from tests.kubernetes.agents import Host, killable
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
    print("last words", flush=True)
    get_logger().info("waiting")
    threading.Event().wait(60)

def flow(name, make, config=None):
    with Flow(name, run_config=config) as made:
        make()
    return made

looks = flow("looks", look, KubernetesRun(env={"MODE": "full"}, memory_limit="512Mi"))
leaves = flow("leaves", leave)
waits = flow("waits", wait, KubernetesRun(memory_limit="512Mi"))
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
    """It permits what the role permits that an administrator is given, and no more."""
    fake = FakeCluster(tmp_path_factory.mktemp("cluster"))
    with redirect_stdout(io.StringIO()) as printed:
        url = ("--server-url", "http://appliance.test:4200")
        assert invoke(["agent", "install", "kubernetes", "--namespace", "flows", "--image", "etl:3", *url]) == 0
    documents = yaml.safe_load_all(printed.getvalue())
    fake.api.rules = next(each["rules"] for each in documents if each["kind"] == "Role")
    yield fake
    fake.close()


@pytest.fixture
def agent(server: LiveServer, cluster: FakeCluster, tmp_path: Path) -> Iterator[Host]:
    host = Host(server.url, TOKEN, cluster.kubeconfig, tmp_path)
    host.start()
    yield host
    host.stop()


def lines(server: LiveServer, run: UUID) -> list[str]:
    return [line.message for line in flow_runs.logs(server.client, run)]


def at_work(server: LiveServer, run: UUID) -> None:
    server.until(run, lambda _view: "waiting" in lines(server, run))


def test_runs_end_as_they_should(server: LiveServer, cluster: FakeCluster, agent: Host) -> None:
    looked, waiting = map(server.create, ("looks", "waits"))
    assert server.ended(looked).state == "Success", lines(server, looked)
    [found] = [json.loads(line) for line in lines(server, looked) if line.startswith("{")]
    assert (found["token"], found["mode"], found["beside"]) == (False, "full", "a module")
    assert found["cwd"].endswith("/appliance-run/code")
    at_work(server, waiting)
    [job] = cluster.of(waiting)
    assert job["metadata"]["name"] == f"appliance-{waiting}-1"
    flow_runs.cancel(server.client, waiting, reason="enough")
    cancelled = server.ended(waiting)
    assert cancelled.state == "Cancelled" and "enough" in (cancelled.state_message or "")
    cluster.gone(looked)
    cluster.gone(waiting)


def test_each_bad_end_has_its_sentence(server: LiveServer, cluster: FakeCluster, agent: Host) -> None:
    ends = {
        "leaves": ("Crashed", "The run's container ended with exit code 3."),
        "none": ("Paused", "Image none:1 can't be pulled (ImagePullBackOff): Back-off pulling image"),
        "odd": ("Paused", "'odd:1' is not the name of an image (InvalidImageName)"),
        "closed": ("Paused", "does not allow service-account admin (allowed: none)"),
    }
    made = {flow: server.create(flow) for flow in ends}
    eaten, evicted, deleted = (server.create("waits") for _ in range(3))
    for run in (eaten, evicted, deleted):
        at_work(server, run)
    cluster.node.kill(eaten, "oom_killed")
    cluster.node.kill(evicted, "evicted")
    cluster.store.delete("jobs", "flows", f"appliance-{deleted}-1")
    later = {
        eaten: "more memory than its limit of 512 MiB (OOM).",
        evicted: "The run's pod was evicted (Evicted): The node was low on resource: ephemeral-storage.",
        deleted: "The run's job was deleted by somebody else.",
    }
    for run, sentence in later.items():
        view = server.ended(run)
        assert view.state == "Crashed" and sentence in (view.state_message or ""), view
    used = server.until(eaten, lambda view: view.peak_memory is not None)
    assert used.peak_memory == 512 * 1024**2
    for flow, (state, sentence) in ends.items():
        view = server.until(made[flow], lambda view: view.state in ("Crashed", "Paused", "Success"))
        assert view.state == state and sentence in (view.state_message or ""), (flow, view)
    for run in (made["leaves"], eaten, evicted):
        [told] = [line for line in lines(server, run) if "The last lines of its output:" in line]
        assert "last words" in told.splitlines()
    for flow in ("none", "odd", "closed"):  # no container has started, so there is nothing to show
        assert not any("The last lines" in line for line in lines(server, made[flow]))
    for run in (*made.values(), *later):
        cluster.gone(run)


def test_a_run_waits_for_room_and_says_so(server: LiveServer, cluster: FakeCluster, agent: Host) -> None:
    run = server.create("wide")
    assert "3 Insufficient memory" in agent.told.get(timeout=30)
    cluster.node.free()
    assert server.ended(run).state == "Success"
    assert len([line for line in lines(server, run) if "No node takes the run's pod (Unschedulable)" in line]) == 1


def test_a_run_waits_for_quota_and_is_given_back_if_that_takes_too_long(
    server: LiveServer, cluster: FakeCluster, tmp_path: Path
) -> None:
    host = Host(server.url, TOKEN, cluster.kubeconfig, tmp_path, start_timeout=2.0)
    for kind in ("pods", "jobs"):  # no more jobs, and jobs that get no pod
        cluster.store.quotas = {kind: 0}
        host.start()
        try:
            run = server.create("looks")
            view = server.until(run, lambda view: view.state == "Paused")
            assert "exceeded quota" in (view.state_message or ""), view
            cluster.gone(run)
        finally:
            cluster.store.quotas = {}
            host.stop()


def test_a_cluster_that_is_unwell_for_a_while_fails_no_run(
    server: LiveServer, cluster: FakeCluster, agent: Host
) -> None:
    cluster.api.failing = [("create", "jobs"), ("create", "secrets"), ("patch", "jobs")]
    cluster.api.losing = [("create", "jobs"), ("create", "secrets")]
    run = server.create("looks")
    view = server.ended(run)
    assert (view.state, view.attempt) == ("Success", 1), lines(server, run)
    assert cluster.api.failing == cluster.api.losing == []
    told = [line for line in lines(server, run) if "The cluster does not create the run's job: Etcdserver" in line]
    assert len(told) == 2, "once for the job, and once for its secret"
    cluster.gone(run)


def test_a_killed_agent_adopts_what_runs_and_reports_what_ended(
    server: LiveServer, cluster: FakeCluster, tmp_path: Path
) -> None:
    killed = killable(server.url, TOKEN, cluster.kubeconfig, tmp_path)
    going, ended = map(server.create, ("waits", "waits"))
    for run in (going, ended):
        at_work(server, run)
    killed.kill()
    killed.join()
    cluster.node.kill(ended)
    shutil.rmtree(tmp_path / "agent")  # what it needs is in the labels
    host = Host(server.url, TOKEN, cluster.kubeconfig, tmp_path)
    host.start()
    end = server.ended(ended)
    assert (end.state, end.state_message) == ("Crashed", "The run's container was killed by SIGKILL.")
    assert flow_runs.get(server.client, going).state == "Running"
    cluster.api.cut()
    cluster.store.forget()  # the watches can't go on: what is there is listed again
    flow_runs.cancel(server.client, going)
    assert server.ended(going).state == "Cancelled"
    for run in (going, ended):
        cluster.gone(run)
    host.stop()


@pytest.mark.parametrize("point", ["agent.job", "agent.remembered", "agent.started"])
def test_an_agent_that_dies_at_a_start_leaves_nothing_and_the_run_begins_once(
    server: LiveServer, cluster: FakeCluster, tmp_path: Path, point: str
) -> None:
    killed = killable(server.url, TOKEN, cluster.kubeconfig, tmp_path, crash=point)
    run = server.create("looks")
    killed.join(30)
    assert killed.exitcode == -signal.SIGKILL
    [left] = cluster.of(run)
    assert left["spec"]["suspend"] is (point != "agent.started")
    host = Host(server.url, TOKEN, cluster.kubeconfig, tmp_path)
    host.start()
    view = server.ended(run)
    assert (view.state, view.attempt) == ("Success", 1 if point == "agent.started" else 2), lines(server, run)
    assert len([line for line in lines(server, run) if line.startswith("{")]) == 1
    cluster.gone(run)
    host.stop()
