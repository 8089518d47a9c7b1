"""Agents and SDKs of the previous release work with today's server, and today's with a server of the previous release."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compatibility import release
from tests.compatibility.release import CommitMissing, Release
from tests.integration.live import LiveServer

FLOW = """
from datetime import timedelta

import appliance
from appliance import CronSchedule, Flow, Parameter, get_logger, task

@task(max_retries=1, retry_delay=timedelta(0))
def numbers(n):
    get_logger().info("run by %s", appliance.__file__)
    return list(range(n))

@task(log_stdout=True)
def add(x, y):
    print("adding", x)
    return x + y

@task
def check(values):
    assert values == [10, 11, 12], values

with Flow("sums", schedule=CronSchedule("0 3 * * *", "Europe/Berlin")) as flow:
    check(add.map(numbers(Parameter("n", default=1, type=int)), y=appliance.unmapped(10)))
"""


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return release.previous(tmp_path_factory.mktemp("previous"))


@pytest.fixture(params=["previous client, current server", "current client, previous server"])
def pair(request: pytest.FixtureRequest, previous: Release) -> tuple[Release, Release]:
    """The release of SDK, agent and command line, and the release of the server."""
    current = release.current()
    return (previous, current) if request.param.startswith("previous") else (current, previous)


@pytest.fixture
def server(pair: tuple[Release, Release], tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path / "data", **pair[1].settings)
    try:
        yield live.start()
    finally:
        live.stop()


def test_the_code_of_the_previous_release_runs(previous: Release) -> None:
    for one in (previous, release.current()):
        code = "import appliance, appliance.server.app as app; print(appliance.__file__, app.__file__)"
        printed = subprocess.run(
            [sys.executable, "-c", code], env=one.environment(""), capture_output=True, text=True, check=True
        )
        package = one.directory / "appliance"
        assert printed.stdout.split() == [str(package / "__init__.py"), str(package / "server" / "app.py")]


def test_a_flow_is_registered_run_by_an_agent_and_listed(
    pair: tuple[Release, Release], server: LiveServer, tmp_path: Path
) -> None:
    client, url = pair[0], server.url
    file = tmp_path / "flows.py"
    file.write_text(f"import beside_sums\n{FLOW}")  # the previous release's versions have a single file
    (tmp_path / "beside_sums.py").touch()
    (first,) = json.loads(client.command(url, "register", str(file), "--project", "demo", "--json"))
    (again,) = json.loads(client.command(url, "register", str(file), "--project", "demo", "--json"))
    assert (first["flow"], first["created"], again["created"]) == ("sums", True, False)

    with client.agent(url, tmp_path):
        output = client.command(url, "run", "sums", "--project", "demo", "-p", "n=3", "--watch")
    assert "Success" in output
    runs = json.loads(client.command(url, "get", "flow-runs", "--json"))
    (run,) = [run for run in runs if run["state_type"] == "SUCCESS"]
    assert (run["flow"], run["state"]) == ("sums", "Success")
    logs = client.command(url, "logs", run["id"])
    assert f"run by {client.directory / 'appliance' / '__init__.py'}" in logs
    assert all(f"adding {number}" in logs for number in range(3))


def test_a_server_of_the_previous_release_says_nothing_ahead(previous: Release, tmp_path: Path) -> None:
    live = LiveServer(tmp_path / "data", **previous.settings)
    (tmp_path / "flows.py").write_text(FLOW)
    try:
        live.start()
        command = [sys.executable, "-m", "appliance", "register", "flows.py", "--project", "demo", "--dry-run"]
        environment = release.current().environment(live.url)
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    finally:
        live.stop()
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The server is of an earlier release") and "Traceback" not in done.stderr


def test_a_clone_without_the_previous_release_says_how_to_fetch_it(tmp_path: Path) -> None:
    commit = "0123456789" * 4
    with pytest.raises(CommitMissing, match=f"run `git fetch origin {commit}`"):
        release.unpack(commit, tmp_path)
