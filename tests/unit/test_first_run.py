"""`make run` for a second time in one clone: the appliance is up, and nothing is touched."""

from __future__ import annotations

import fcntl
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "example" / "first_run.py"


def test_a_second_run_says_that_the_appliance_is_up_and_touches_nothing(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environ = {**os.environ, "APPLIANCE_DATA_DIR": str(tmp_path), "APPLIANCE_PORT": "4711"}
        done = subprocess.run(
            [sys.executable, str(SCRIPT)], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The appliance is already up at http://127.0.0.1:4711; nothing was changed.")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_secrets_that_are_set_already_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_run = runpy.run_path(str(SCRIPT), run_name="first_run")
    file = tmp_path / "own"
    file.write_text("from a file\n")
    monkeypatch.setenv("APPLIANCE_ADMIN_PASSWORD", "of the environment")
    monkeypatch.setenv("APPLIANCE_ADMIN_TOKEN_FILE", str(file))
    secret_of = first_run["secret_of"]
    assert secret_of("APPLIANCE_ADMIN_PASSWORD", tmp_path / "password", 12) == ("of the environment", {})
    assert secret_of("APPLIANCE_ADMIN_TOKEN", tmp_path / "token", 12) == ("from a file", {})
    monkeypatch.delenv("APPLIANCE_ADMIN_PASSWORD")
    made, where = secret_of("APPLIANCE_ADMIN_PASSWORD", tmp_path / "password", 12)
    assert where == {"APPLIANCE_ADMIN_PASSWORD_FILE": str(tmp_path / "password")} and len(made) == 16
