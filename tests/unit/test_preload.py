"""What the supervisor loads before it forks: the app of a single worker, without a thread or an open connection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, socket, stat, sys, threading
from pathlib import Path
from appliance.cli import supervisor
from appliance.config import Settings

def files():
    return {name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}")}

before = files()
app = supervisor._preload(Settings(data_dir=Path(sys.argv[1])))
assert app is not None
assert threading.active_count() == 1, threading.enumerate()
opened = {name: target for name, target in files().items() if name not in before and ("socket:" in target or ".db" in target)}
assert not opened, opened
several = Settings(data_dir=Path(sys.argv[1]), database_url="postgresql://nowhere/none", workers=2)
assert supervisor._preload(several) is None
print("clean")
"""


@pytest.mark.slow
def test_it_starts_no_thread_and_opens_no_connection(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "clean", done.stderr
