"""A server whose event loop stands still: its watchdog ends it in time, the supervisor starts another, and that one serves."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from appliance.kit.loop_watchdog import SILENCE
from tests.e2e.appliance_process import Appliance, running, until

pytestmark = pytest.mark.slow
MARGIN = 10.0


def server_of(appliance: Appliance) -> psutil.Process | None:
    assert appliance.process is not None
    children = psutil.Process(appliance.process.pid).children()
    return next((child for child in children if child.name() == "appl-server"), None)


def test_a_server_whose_event_loop_stands_still_is_replaced(tmp_path: Path) -> None:
    with running(tmp_path / "data") as appliance:
        server = until("there is a server", lambda: server_of(appliance))
        program = [sys.executable, str(Path(__file__).with_name("stop_thread.py")), str(server.pid)]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as stopper:
            try:
                assert stopper.stdout is not None
                said = stopper.stdout.readline().strip()
                if said == "Operation not permitted":
                    pytest.skip("this machine lets nobody stop a thread of another process")
                assert said == "stopped"
                began = time.monotonic()
                with pytest.raises(httpx.TimeoutException):
                    httpx.get(f"{appliance.url}/healthz", timeout=2)
                assert stopper.wait(SILENCE + MARGIN) == 0
                assert 2.0 < time.monotonic() - began < SILENCE + MARGIN
            finally:
                stopper.kill()
        until("it serves again", appliance.is_ready, 30)
        successor = until("there is another server", lambda: server_of(appliance))
        assert successor.pid != server.pid
        assert appliance.get("/api/v1/flow-runs")["items"] == []
        log = appliance.log_path.read_text()
        assert "Timeout (0:00:15)!" in log and "server ended with exit code 1; restarting it" in log
