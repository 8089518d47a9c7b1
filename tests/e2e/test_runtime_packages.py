"""The appliance with nothing but the packages of its runtime lock: it starts, describes its API, signs people in, and runs flows."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import httpx2 as httpx
import pytest
from packaging.utils import canonicalize_name

from tests.e2e.appliance_process import FLOWS, PASSWORD, running
from tests.house.test_locks import locked

pytestmark = pytest.mark.slow
REFUSING = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is not in the runtime lock", name=name)

sys.meta_path.insert(0, Refusing())
"""


def _others() -> set[str]:
    """The modules that none of the packages in the runtime lock brings along, installed here or not."""
    runtime = {*locked("requirements.lock"), "appliance"}
    found = {"faker", "polyfactory"}
    for module, packages in packages_distributions().items():
        if not runtime & {canonicalize_name(package) for package in packages}:
            found.add(module)
    return found


def test_the_appliance_needs_no_package_beyond_its_lock(tmp_path: Path) -> None:
    names = _others()
    assert {"pytest", "hypothesis", "faker", "polyfactory"} <= names
    (tmp_path / "sitecustomize.py").write_text(REFUSING.format(names=names))
    for name in ("polyfactory", "pytest"):
        code = [sys.executable, "-c", f"import {name}"]
        refused = subprocess.run(code, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
        assert f"{name} is not in the runtime lock" in refused.stderr
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
