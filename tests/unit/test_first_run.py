"""`make run` for a second time in one clone: the appliance is up, and nothing is touched."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

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
