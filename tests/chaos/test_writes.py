"""The kernel kills a process at a write in the middle of a transaction: nothing acknowledged is lost. The long form:
`python -m tests.chaos.writes`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import depth
from tests.chaos.writes import can_trace, killed_at
from tests.integration.conftest import sqlite_template  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace"),
]


@pytest.mark.parametrize("n", depth.pick(quick=[1501], normal=[1501], full=list(range(301, 4302, 400))))
def test_nothing_is_lost_by_a_kill_at_write(n: int, sqlite_template: Path, tmp_path: Path) -> None:  # noqa: F811
    verdict = killed_at(sqlite_template, tmp_path, n)
    assert verdict.violations == [], str(verdict)
    assert verdict.counts["acknowledged before the kill"] > 0
