"""The appliance with nothing but the packages of its runtime lock: it starts, describes its API, signs people in, and runs flows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.e2e.appliance_process import FLOWS, PASSWORD, running
from tests.installs import refuse_others

pytestmark = pytest.mark.slow


def test_the_appliance_needs_no_package_beyond_its_lock(tmp_path: Path) -> None:
    names = refuse_others(tmp_path, "requirements.lock")
    assert {"pytest", "hypothesis", "faker", "polyfactory"} <= names
    for name in ("polyfactory", "pytest"):
        code = [sys.executable, "-c", f"import {name}"]
        refused = subprocess.run(code, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
        assert f"{name} is not in the lock" in refused.stderr
    with running(tmp_path / "data", roots=str(FLOWS), PYTHONPATH=str(tmp_path)) as appliance:
        described = appliance.get("/api/v1/openapi.json")
        assert described["openapi"].startswith("3.") and "/api/v1/flow-runs" in described["paths"]
        signed_in = httpx.post(f"{appliance.url}/api/v1/login", json={"username": "admin", "password": PASSWORD})
        assert signed_in.status_code == 200, signed_in.text
        answer = appliance.api("POST", "/graphql", {"query": "{ me { username } }"})
        assert answer.status_code == 200 and answer.json()["data"]["me"]["username"]
        appliance.register("flows.py")
        run = appliance.wait_for(appliance.create_run("sums"), "SUCCESS", "FAILED", "CRASHED")
        assert run["state_type"] == "SUCCESS", appliance.log()
