"""`docker compose up` on a real engine: healthy, the example runs inside, data survives down and up, nothing runs as root. With the profile
docker-agent, the README's first flow runs in a container of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import docker_images
from tests.docker_images import BASE_IMAGE
from tests.e2e.appliance_process import PASSWORD, TOKEN, free_port

ROOT = Path(__file__).resolve().parents[2]


def missing() -> str:
    """Why there is nothing to test with; empty if there is."""
    command = ["docker", "compose", "version"]
    if docker_images.missing() or subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0:
        return docker_images.missing()
    return "docker compose is not installed"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("docker"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


class Compose:
    """One compose project of our own, with names that nothing else uses."""

    def __init__(self) -> None:
        self.port = free_port()
        self.name = f"appliance-test-{uuid.uuid4().hex[:8]}"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("APPLIANCE_")},
            "APPLIANCE_ADMIN_PASSWORD": PASSWORD,
            "APPLIANCE_ADMIN_TOKEN": TOKEN,
            "APPLIANCE_PORT": str(self.port),
            "APPLIANCE_IMAGE": f"{self.name}:latest",
            "BASE_IMAGE": BASE_IMAGE,
        }

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.name, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=850,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    def appliance(self, *arguments: str) -> str:
        return self("exec", "-T", "-e", f"APPLIANCE_TOKEN={TOKEN}", "appliance", "appliance", *arguments)


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    project = Compose()
    try:
        project("up", "--detach", "--wait", "--build")
        yield project
    finally:
        project("--profile", "docker-agent", "down", "--volumes", "--rmi", "all")


def test_the_example_runs_inside_and_survives_down_and_up(compose: Compose) -> None:
    compose.appliance("register", "/opt/example/packages.py", "--project", "examples")
    watched = compose.appliance("run", "package-report", "--project", "examples", "--watch")
    assert "Success" in watched
    before = json.loads(compose.appliance("get", "flow-runs", "--json"))
    compose("down")
    compose("up", "--detach", "--wait")
    assert json.loads(compose.appliance("get", "flow-runs", "--json")) == before
    assert (
        compose("exec", "-T", "-u", "appliance-agent", "appliance", "test", "-s", "/data/agent/example/packages.sqlite")
        == ""
    )


def test_only_the_supervisor_is_root(compose: Compose) -> None:
    """Names and users of the processes; pid 1 is Docker's own init."""
    show = "for one in /proc/[0-9]*; do sed -n 's/^Name:\\t//p; s/^Uid:\\t\\([0-9]*\\).*/\\1/p' $one/status | paste - -; done"
    found = {tuple(line.split("\t")) for line in compose("exec", "-T", "appliance", "sh", "-c", show).splitlines()}
    assert {("appl-server", "10001"), ("appl-services", "10001"), ("appl-agent", "10002")} <= found
    assert (
        compose("exec", "-T", "appliance", "sh", "-c", "touch /probe 2>/dev/null || echo refused").strip() == "refused"
    )


def test_the_first_flow_of_the_readme_runs_in_a_container_of_its_own(compose: Compose, tmp_path: Path) -> None:
    first, contained = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[:2]
    assert "DockerRun()" in contained
    (tmp_path / "first.py").write_text(first)
    (tmp_path / "contained.py").write_text(contained)
    compose("--profile", "docker-agent", "up", "--detach", "--wait")
    ours = {"APPLIANCE_URL": f"http://127.0.0.1:{compose.port}", "APPLIANCE_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}

    def appliance(*words: str) -> str:
        command = [sys.executable, "-m", "appliance", *words]
        environment = {**compose.environment, **ours}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    appliance("register", "contained.py", "--project", "demo")
    assert "Success" in appliance("run", "contained", "--project", "demo", "-p", "n=100", "--watch")
    ended = json.loads(appliance("agent", "runs", "docker", "--json"))["ended"]
    assert [run["flow"] for run in ended] == ["contained"]
    agents = json.loads(appliance("get", "agents", "--json"))
    assert {agent["name"]: agent["problems"] for agent in agents} == {"embedded": [], "docker": []}

    token = ("exec", "-T", "docker-agent", "cat", "/agent/token")
    before = compose(*token)
    compose("--profile", "docker-agent", "up", "--detach", "--wait")  # the token is made once
    assert compose(*token) == before
