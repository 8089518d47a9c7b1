"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.appliance_process import Appliance, running


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A running appliance that a module's tests share; its test flows are registered."""
    with running(tmp_path_factory.mktemp("appliance") / "data") as ready:
        ready.register("flows.py")
        yield ready


@pytest.fixture
def own_appliance(tmp_path: Path) -> Iterator[Appliance]:
    """A running appliance of one test's own, to kill and restart."""
    with running(tmp_path / "data") as ready:
        ready.register("flows.py")
        yield ready
