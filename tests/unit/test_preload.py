"""What the supervisor loads before it forks the server, for which everybody waits: the app of a single worker, without a thread or an open
connection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import gc, os, socket, stat, sys, threading
from pathlib import Path
from appliance.cli import supervisor
from appliance.config import Settings

def files():
    return {name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}")}

before = files()
app = supervisor.preload(Settings(data_dir=Path(sys.argv[1])))
assert app is not None
assert gc.isenabled() and gc.get_freeze_count() > 100_000, gc.get_freeze_count()
late = ("graphql", "strawberry", "httpx2", "appliance.core.flow", "appliance.engine", "alembic")
assert not set(late) & set(sys.modules), "everybody waits for these at the start"
assert threading.active_count() == 1, threading.enumerate()
opened = {name: target for name, target in files().items() if name not in before and ("socket:" in target or ".db" in target)}
assert not opened, opened
several = Settings(data_dir=Path(sys.argv[1]), database_url="postgresql://nowhere/none", workers=2)
assert supervisor.preload(several) is None
assert "strawberry" in sys.modules, "several workers share it"
supervisor._load(supervisor._OTHERS)
unneeded = ("httpx2", "appliance.core.flow", "appliance.agents.execute", "appliance.engine.tracked.flow_runner")
assert not set(unneeded) & set(sys.modules), "an agent that waits for runs needs none of these"
print("clean")
"""


@pytest.mark.slow
def test_it_loads_what_the_server_needs_without_a_thread_or_connection(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "clean", done.stderr
