"""What attempts have used: as a process measures it, and as its agent reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.agents import usage
from appliance.agents.attempts import recorded_usage
from appliance.agents.usage import Usage

_WORK = """
import subprocess, sys
from pathlib import Path
from appliance.agents import usage
room = bytearray(120 * 1024**2)
del room
subprocess.run([sys.executable, "-c", "while __import__('time').process_time() < 0.3: pass"], check=True)
usage.write(Path(sys.argv[1]), in_container=False)
"""


def test_a_process_measures_its_own_peak_and_the_time_of_those_that_it_has_started(tmp_path: Path) -> None:
    ballast = bytearray(400 * 1024**2)  # what this process has must not be counted for one that it starts
    subprocess.run([sys.executable, "-c", _WORK, str(tmp_path)], check=True)
    del ballast
    used = recorded_usage(tmp_path)
    assert used is not None and used.cpu_seconds is not None and used.peak_memory is not None
    assert 0.3 <= used.cpu_seconds < 30
    assert 120 * 1024**2 <= used.peak_memory < 300 * 1024**2


def test_a_container_is_measured_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "memory.peak").write_text("1288490188\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 2000000\n")
    assert usage.of_cgroup(tmp_path) == Usage(2.5, 1288490188)
    assert usage.of_cgroup(tmp_path / "none") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"cpu_seconds": -1}',
        b'{"peak_memory": 1e99}',
        b'{"cpu_seconds": NaN}',
        b'{"peak_memory": "1 GB"}',
        b"[" * 1_000,
    ],
)
def test_what_cannot_be_a_measurement_is_not_taken_for_one(content: bytes) -> None:
    assert usage.parse(content) is None


def test_a_process_that_cannot_write_ends_as_usual(tmp_path: Path) -> None:
    usage.write(tmp_path / "gone", in_container=False)
    assert recorded_usage(tmp_path / "gone") is None
