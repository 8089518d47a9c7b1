"""200 agents lose the server at the same moment, and none of them is kept waiting when it is back. The long form: `python -m tests.chaos.herd`."""

from __future__ import annotations

import shutil

import pytest

from tests import depth
from tests.chaos.herd import broken, herd
from tests.process_guard import marked_directory

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(600)]
SECONDS = depth.pick(quick=6.0, normal=6.0, full=60.0)


@pytest.mark.parametrize("postgres", [False, pytest.param(True, marks=pytest.mark.full)], ids=["sqlite", "postgres"])
def test_200_agents_come_back_at_once(postgres: bool) -> None:
    """What broke stays below /tmp."""
    directory = marked_directory("appliance-chaos-")
    figures = herd(directory, size=200, seconds=SECONDS, postgres=postgres)
    print(figures)
    assert broken(figures) == [], figures
    shutil.rmtree(directory)
