"""Starting and stopping: settings that can't work say so in one sentence, a stop is in order, the first start can be claimed."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.e2e.appliance_process import PASSWORD, Appliance, clean_environment, free_port, running, until


def start_and_end(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "appliance", "start", *arguments],
        env=clean_environment(APPLIANCE_ADMIN_PASSWORD=PASSWORD, **environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = start_and_end("--data-dir", str(tmp_path / "data"), "--port", str(other.getsockname()[1]))
    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = start_and_end("--data-dir", str(tmp_path / "file" / "data"), "--port", str(free_port()))
    assert done.returncode == 1
    assert "data directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as appliance:
        appliance.stop()
    database = sqlite3.connect(data / "appliance.db")
    database.execute("update alembic_version set version_num = '9999_from_the_future'")
    database.commit()
    done = start_and_end("--data-dir", str(data), "--port", str(free_port()))
    assert done.returncode == 1
    assert "newer" in done.stderr
    assert "Traceback" not in done.stderr
    assert database.execute("select version_num from alembic_version").fetchone() == ("9999_from_the_future",)
    database.close()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"APPLIANCE_PORT": "many"}, "APPLIANCE_PORT is not valid: it must be a whole number"),
        ({"APPLIANCE_PORT": "70000"}, "APPLIANCE_PORT is not valid: it must be a whole number <= 65535"),
    ],
)
def test_a_wrong_setting(tmp_path: Path, environment: dict[str, str], sentence: str) -> None:
    done = start_and_end("--data-dir", str(tmp_path / "data"), **environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not (tmp_path / "data").exists()


def test_two_appliances_never_share_a_data_directory(own_appliance: Appliance) -> None:
    done = start_and_end("--data-dir", str(own_appliance.data_dir), "--port", str(free_port()))
    assert done.returncode == 1
    assert "Another appliance" in done.stderr


def test_sigterm_ends_in_order_and_data_survives(own_appliance: Appliance) -> None:
    run_id = own_appliance.create_run("sums")
    own_appliance.wait_for(run_id, "SUCCESS")
    assert own_appliance.stop() == 0
    own_appliance.start()
    assert own_appliance.run(run_id)["state_type"] == "SUCCESS"


def test_a_dead_server_process_is_started_again(own_appliance: Appliance) -> None:
    assert own_appliance.process is not None
    children = Path(f"/proc/{own_appliance.process.pid}/task/{own_appliance.process.pid}/children").read_text().split()
    server = next(int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "appl-server")
    os.kill(server, signal.SIGKILL)
    until("the server is back", own_appliance.is_ready)
    own_appliance.wait_for(own_appliance.create_run("sums"), "SUCCESS")


def test_the_first_start_is_claimed_by_a_one_time_link(tmp_path: Path) -> None:
    appliance = Appliance(tmp_path / "data", claimed=False)
    try:
        appliance.start()
        found = re.search(r"/setup#token=(\S+)", appliance.log_path.read_text())
        assert found is not None, appliance.log()
        refused = httpx.post(f"{appliance.url}/graphql", json={"query": "{ me { username } }"})
        assert (refused.status_code, refused.json()["code"]) == (503, "setup_required")
        claim = {"token": found[1], "username": "admin", "password": PASSWORD}
        wrong = httpx.post(f"{appliance.url}/api/v1/setup", json={**claim, "token": "wrong"})
        assert wrong.status_code in (401, 403)
        assert httpx.post(f"{appliance.url}/api/v1/setup", json=claim).status_code in (200, 201)
        assert httpx.post(f"{appliance.url}/api/v1/setup", json=claim).status_code in (401, 403, 404, 409)
        signed_in = httpx.post(f"{appliance.url}/api/v1/login", json={"username": "admin", "password": PASSWORD})
        assert signed_in.status_code in (200, 201)
        cookie = {"Cookie": f"appliance_session={signed_in.cookies['appliance_session']}"}
        until(
            "the embedded agent has enrolled",
            lambda: httpx.get(f"{appliance.url}/api/v1/agents", headers=cookie).json(),
        )
    finally:
        appliance.end()


def test_a_killed_appliance_can_be_started_again_at_once(own_appliance: Appliance) -> None:
    assert own_appliance.process is not None
    own_appliance.process.kill()
    own_appliance.process.wait()
    own_appliance.start()
    own_appliance.wait_for(own_appliance.create_run("sums"), "SUCCESS")


@pytest.mark.parametrize("process", [1, 2, 3])
def test_a_supervisor_killed_right_after_a_fork_leaves_nothing_behind(own_appliance: Appliance, process: int) -> None:
    assert own_appliance.stop() == 0
    environment = dict(own_appliance.environment)
    own_appliance.environment["APPLIANCE_CRASH"] = f"fork.parent:{process}:kill"
    own_appliance.start(wait=False)
    assert own_appliance.process is not None
    assert own_appliance.process.wait(60) == -signal.SIGKILL
    own_appliance.environment = environment
    own_appliance.start()


def test_services_that_are_stopped_in_a_write_hold_others_up_for_five_seconds(own_appliance: Appliance) -> None:
    assert own_appliance.stop() == 0
    own_appliance.environment["APPLIANCE_CRASH"] = "lease.record.applied:10:stop"
    own_appliance.start()
    ended = "services ended with SIGKILL"
    slowest = 0.0
    while ended not in own_appliance.log_path.read_text():
        began = time.monotonic()
        later = {"project": "tests", "flow": "sums", "scheduled_time": "2099-01-01T00:00:00Z"}
        assert own_appliance.api("POST", "/api/v1/flow-runs", later).status_code == 201
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 5


def test_a_server_alone_ends_in_order(tmp_path: Path) -> None:
    port = free_port()
    environment = clean_environment(APPLIANCE_ADMIN_PASSWORD=PASSWORD, APPLIANCE_DATA_DIR=str(tmp_path / "data"))
    command = [sys.executable, "-m", "appliance", "server", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        until("the server answers", lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        server.terminate()
        assert server.wait(20) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_an_appliance_that_nobody_has_set_up_stops_as_quickly(tmp_path: Path) -> None:
    """Its agent still waits for a token then."""
    appliance = Appliance(tmp_path / "data", claimed=False).start()
    try:
        assert appliance.stop() == 0
    finally:
        appliance.end()
