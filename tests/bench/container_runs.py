"""`python -m tests.bench.container_runs [--runs N] [--json FILE]`: from the creation of a run to the first line that its flow writes, in a container.

The image is there, and the server, the agent and the engine are on this machine. The floor is the engine's own `docker run` of a Python that writes a
line, from the command to that line, in turn with the runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from appliance.client import flow_runs
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from tests import docker_images
from tests.bench.measure import Series, machine, ratio_line
from tests.e2e.appliance_process import clean_environment
from tests.integration.live import TOKEN, LiveServer

IMAGE = "appliance-bench-sdk:latest"
LINE = "the first line"
FLOW = f"""
from appliance import Flow, get_logger, task

@task
def say():
    get_logger().info({LINE!r})

with Flow("says") as flow:
    say()
"""


def docker_run_ms() -> float:
    """From the command to the line."""
    began = time.perf_counter()
    command = ["docker", "run", "--rm", "--entrypoint", "python3", IMAGE, "-c", "print('here', flush=True)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"here\n"
        return (time.perf_counter() - began) * 1000


def first_line_ms(server: LiveServer) -> float:
    """From the run's creation to the line, by the clock of this machine."""
    run = server.create("says")
    view = server.ended(run)
    [at] = [line.at for line in flow_runs.logs(server.client, run) if line.message == LINE]
    return (at - view.created).total_seconds() * 1000


def measure(folder: Path, runs: int) -> tuple[Series, Series]:
    """The runs, and the floor."""
    (folder / "image").mkdir()
    docker_images.build(folder / "image", IMAGE, {})
    server = LiveServer(folder / "data").start()
    (folder / "flow.py").write_text(FLOW)
    (folder / "pyproject.toml").write_text("[project]\nname = 'bench'\n")
    for flow, found in flows_in(folder / "flow.py"):
        register(flow, "p", transport=server.client, storage=SiteStore(server.client, "p", print).default(found))
    own = {"APPLIANCE_URL": server.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_DATA_DIR": str(folder / "agent")}
    command = ["agent", "start", "docker", "--name", "bench", "--image", IMAGE, "--network", "host"]
    ours = Series("created run to the first line of its flow, in a container", "ms")
    floor = Series("floor: `docker run` to the first line of Python", "ms")
    with subprocess.Popen([sys.executable, "-m", "appliance", *command], env=clean_environment(**own)) as agent:
        try:
            first_line_ms(server)
            for _ in range(runs):
                floor.values.append(docker_run_ms())
                ours.values.append(first_line_ms(server))
        finally:
            agent.terminate()
            agent.wait(30)
            server.stop()
    return ours, floor


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.bench.container_runs", description=__doc__)
    options.add_argument("--runs", type=int, default=10)
    options.add_argument("--json", type=Path, help="also write the figures to this file")
    given = options.parse_args()
    if docker_images.missing():
        options.error(docker_images.missing())
    with tempfile.TemporaryDirectory() as name:
        ours, floor = measure(Path(name), given.runs)
    for one in (floor, ours):
        print(one.line())
    print(ratio_line("of the engine's own start", ours.median / floor.median))
    if given.json is not None:
        document = {"machine": machine(), "series": [one.document() for one in (floor, ours)]}
        given.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
