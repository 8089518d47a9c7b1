"""Every executor, made for one test; the Dask cluster is started once, by the first test that needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.engine.executors import Executor
from tests.conformance import executor_cases
from tests.conformance.executor_cases import Trace


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on Dask run in one of pytest's workers: a cluster takes a tenth of a core even while nothing happens."""
    for item in items:
        values = getattr(getattr(item, "callspec", None), "params", {}).values()
        if any(isinstance(value, str) and value == "dask" for value in values):
            item.add_marker(pytest.mark.xdist_group("dask"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    with executor_cases.dask_cluster() as made:
        yield made


@pytest.fixture(params=executor_cases.ALL)
def executor(request: pytest.FixtureRequest) -> Executor:
    return executor_cases.make(request.param, request)


@pytest.fixture(params=executor_cases.ELSEWHERE)
def remote(request: pytest.FixtureRequest) -> Executor:
    """An executor that runs the code of tasks in other processes."""
    return executor_cases.make(request.param, request)


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return Trace(tmp_path / "trace")
