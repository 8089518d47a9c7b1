"""Tests of one xdist group share a worker, so that a group's appliance, browser or Docker set-up starts once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GROUPED = """
import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_a_member(number, worker_id):
    print("worker", worker_id)
"""


def test_a_group_stays_in_one_worker(tmp_path: Path) -> None:
    """Fails if pytest and pytest-xdist don't go together: then groups are ignored in silence."""
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-rP", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "."]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    workers = [line for line in output.splitlines() if line.startswith("worker ")]
    assert len(workers) == 8, output
    assert len(set(workers)) == 1


@pytest.fixture(scope="module")
def server() -> str:
    return "started once"


def test_tests_that_share_what_their_module_sets_up_are_a_group(server: str, request: pytest.FixtureRequest) -> None:
    group = request.node.get_closest_marker("xdist_group")
    assert group is not None and group.args == (__name__,)
