"""A real agent that is started as its documentation says, and what it answers to those who watch it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from appliance.client import agents
from tests.e2e.appliance_process import free_port, until
from tests.integration.live import TOKEN, LiveServer

FLOW = """
import os
from appliance import Flow, get_logger, task

@task
def say():
    get_logger().info(os.environ["GREETING"])

with Flow("says") as flow:
    say()
"""
pytestmark = pytest.mark.slow


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")} | more


def appliance(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance", *words]
    return subprocess.run(command, env=environment(**more), capture_output=True, text=True, check=False, timeout=60)


def test_an_agent_is_started_watched_and_stopped(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "server").start()
    (tmp_path / "says.py").write_text(FLOW)
    server.register(tmp_path / "says.py")
    port = str(free_port())
    words = [
        "agent",
        "start",
        "process",
        "--name",
        "edge",
        "--slots",
        "3",
        "--env",
        "GREETING=good day",
        "--listen",
        port,
    ]
    own = {"APPLIANCE_URL": server.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_DATA_DIR": str(tmp_path / "agent")}
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance", *words, "--root", str(tmp_path)], env=environment(**own)
    )
    try:
        until("a healthy agent", lambda: appliance("health", "--agent", port).returncode == 0 or None)
        run = server.create("says")
        assert server.ended(run).state == "Success"
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            health = until(
                "a claim", lambda: found if (found := http.get("/health").json())["status"] == "ok" else None
            )
            assert (health["agent"], health["kind"], health["slots"]) == ("edge", "process", 3)
            metrics = http.get("/metrics").text
            for line in (
                "appliance_agent_starts_total 1.0",
                "appliance_agent_server_reachable 1.0",
                "appliance_agent_slots 3.0",
            ):
                assert line in metrics.splitlines()
            skew = re.search(r"^appliance_agent_clock_skew_seconds (\S+)", metrics, re.M)
            assert skew is not None and abs(float(skew[1])) < 5
            assert agents.listed(server.client)[0]["problems"] == []

            server.kill()
            waiting = until(
                "a server that is away", lambda: answer if (answer := http.get("/health")).json()["reason"] else None
            )
            assert (waiting.status_code, waiting.json()["status"]) == (200, "waiting")
            assert "appliance_agent_server_reachable 0.0" in http.get("/metrics").text
        told = appliance("health", "--agent", port)
        assert told.returncode == 0 and told.stdout.startswith("Agent edge is well, and waits: The server at ")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        server.kill()
    gone = appliance("health", "--agent", port)
    assert gone.returncode == 1 and "was it started with --listen?" in gone.stderr
