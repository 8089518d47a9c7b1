"""What a run may use of its machine: limits that its flow names hold from the first line of user code, and a run that exceeds one says which."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.client import flow_runs
from tests.integration.live import LiveServer
from tests.integration.test_process_agent import Host

pytestmark = pytest.mark.slow

FLOWS = """
import resource, subprocess, sys
from appliance import Flow, ProcessRun, get_logger, task

AT_IMPORT = resource.getrlimit(resource.RLIMIT_NOFILE)
LIMITS = {"memory": "2Gi", "cpu_seconds": 60, "open_files": 200, "file_size": "1.5Gi"}
ASK = "import resource as r; print(r.getrlimit(r.RLIMIT_AS), r.getrlimit(r.RLIMIT_CPU), r.getrlimit(r.RLIMIT_FSIZE))"

@task
def show():
    child = subprocess.run([sys.executable, "-S", "-c", ASK], capture_output=True, text=True, check=True).stdout
    get_logger().info("%s %s", AT_IMPORT, child.strip())

@task
def take():
    return len(b"x" * 1024**3)

@task
def fill():
    with open("/proc/self/exe", "rb") as own, open(__file__ + ".filled", "wb") as file:
        file.write(own.read(1) * 3 * 1024**2)
        file.flush()

@task
def spin():
    while True:
        pass

with Flow("shows", run_config=ProcessRun(limits=LIMITS)) as shows:
    show()
with Flow("takes", run_config=ProcessRun(limits={"memory": "512Mi"})) as takes:
    take()
with Flow("fills", run_config=ProcessRun(limits={"file_size": 2 * 1024**2})) as fills:
    fill()
with Flow("spins", run_config=ProcessRun(limits={"cpu_seconds": 1})) as spins:
    spin()
with Flow("asks", run_config=ProcessRun(limits={"open_files": 4_000_000_000})) as asks:
    show()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    flows = tmp_path_factory.mktemp("flows") / "flows.py"
    flows.write_text(FLOWS)
    live = LiveServer(tmp_path_factory.mktemp("server") / "data").start()
    live.register(flows)
    yield live
    live.kill()


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_limits_hold_for_the_run_and_what_it_starts(server: LiveServer, tmp_path: Path, warm: bool) -> None:
    ours = [resource.getrlimit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_CPU)]
    host = Host(server, tmp_path, warm)
    host.start()
    try:
        run = server.create("shows")
        assert server.ended(run).state == "Success"
    finally:
        host.stop()
    two, half = 2 * 1024**3, 3 * 512 * 1024**2
    said = [line.message for line in flow_runs.logs(server.client, run)]
    assert f"(200, 200) ({two}, {two}) (60, 65) ({half}, {half})" in said
    kinds = (resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_CPU)
    assert [resource.getrlimit(kind) for kind in kinds] == ours


def test_a_run_that_exceeds_a_limit_says_which(server: LiveServer, tmp_path: Path) -> None:
    host = Host(server, tmp_path)
    host.start()
    try:
        taken, filled, spun, asked = (server.create(flow) for flow in ("takes", "fills", "spins", "asks"))
        ended = server.ended(spun)
        assert ended.state == "Crashed"
        assert ended.state_message.endswith("killed by SIGXCPU: it has used its limit, cpu_seconds=1."), ended
        for run, name in ((taken, "memory=536870912"), (filled, "file_size=2097152")):
            assert server.ended(run).state == "Failed"
            [task] = flow_runs.task_runs(server.client, run)
            assert f"The run has the limit {name}." in (task.state_message or ""), task
        refused = server.until(asked, lambda view: view.state == "Paused")
        assert "asks for the limit open_files=4000000000, and processes of this agent may have at most" in (
            refused.state_message or ""
        )
    finally:
        host.stop()
