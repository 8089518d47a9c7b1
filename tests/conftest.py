"""What every test run has: the option --depth, and a watchdog that ends what the run has started."""

from __future__ import annotations

import gc

import pytest

from tests import depth, process_guard


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--depth",
        choices=[choice.value for choice in depth.Depth],
        default=depth.Depth.NORMAL.value,
        help="how many samples properties, sweeps and storms draw; quick leaves out tests marked slow, "
        "and only full runs those marked full",
    )


def pytest_configure(config: pytest.Config) -> None:
    depth.choose(config.getoption("--depth"))
    if not hasattr(config, "workerinput"):  # workers of xdist inherit the marker of their controller
        process_guard.watch()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    differing = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if differing:
        raise pytest.UsageError(f"Every worker gives these tests another name; use ids=stable_id: {differing[:3]}")
    deselected = {item for item in items if depth.excluding_marker({marker.name for marker in item.iter_markers()})}
    if deselected:
        items[:] = [item for item in items if item not in deselected]
        config.hook.pytest_deselected(items=list(deselected))


def pytest_collection_finish() -> None:
    """Some ten thousand tests stay until the end: the garbage collector need not look through them each time."""
    gc.collect()
    gc.freeze()
