"""A run is killed at every write of its packs: the next attempt reuses exactly the results that were acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import LocalResult
from appliance.kit import crash
from tests import depth
from tests.chaos import packs
from tests.chaos.writes import ROOT, can_trace

RECORDS = len(packs.EVERY)
PLACES = [
    "runner.pack.created:1",
    *(f"runner.pack.{what}:{n}" for what in ("appended", "written", "synced") for n in range(1, RECORDS + 1)),
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def child(directory: Path, *before: str, **environment: str) -> int:
    """The exit code of an attempt in a process of its own."""
    command = [*before, sys.executable, "-m", "tests.chaos.packs", str(directory)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    return subprocess.run(command, cwd=ROOT, env=kept | environment, timeout=100, check=False).returncode


def check(directory: Path) -> int:
    """Continue in this process, and see that nothing acknowledged was run again and everything else was. How much was acknowledged."""
    known = packs.acknowledged(directory)
    place = LocalResult(directory / "results")
    kept = {key: one for key, one in known.items() if key in packs.EVERY}
    for key, one in kept.items():
        assert one.result_location is not None
        assert place.read(one.result_location, one.data["result_sha256"]) == packs.EVERY[key]
    before = len(packs.calls(directory))
    final = packs.attempt(directory)
    assert final.is_successful(), final
    again = packs.calls(directory)[before:]
    assert len(set(again)) == len(again)
    assert set(again) == packs.EVERY.keys() - kept.keys()
    return len(kept)


@pytest.fixture(params=[False, True], ids=["chosen", "default"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param:
        (tmp_path / "optional").touch()
    return tmp_path


@pytest.mark.parametrize(
    "where", depth.pick(quick=[PLACES[5], PLACES[-3]], normal=[PLACES[0], *PLACES[2::7]], full=PLACES)
)
def test_a_run_killed_there_goes_on_from_what_was_acknowledged(where: str, directory: Path) -> None:
    assert child(directory, **{crash.VARIABLE: f"{where}:kill"}) == -signal.SIGKILL
    number = int(where.rpartition(":")[2])
    assert number - 2 <= check(directory) <= number


@pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace")
@pytest.mark.parametrize("n", depth.pick(quick=[7], normal=[1, 8], full=list(range(1, RECORDS + 2))))
def test_a_run_that_the_kernel_kills_at_that_write_goes_on_too(n: int, tmp_path: Path) -> None:
    """At a place that an author chose, where one thread makes all writes: strace counts those of each thread."""
    options = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=KILL:when={n}"]
    assert child(tmp_path, "strace", *options) in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert check(tmp_path) < n


def test_all_records_are_there_after_a_run_that_nobody_killed(directory: Path) -> None:
    assert child(directory) == 0
    assert check(directory) == RECORDS
