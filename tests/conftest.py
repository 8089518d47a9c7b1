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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    differing = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if differing:
        raise pytest.UsageError(f"Every worker gives these tests another name; use ids=stable_id: {differing[:3]}")
    deselected = {item for item in items if depth.excluding_marker({marker.name for marker in item.iter_markers()})}
    deselected |= set(depth.off_diagonal(items))
    if deselected:
        items[:] = [item for item in items if item not in deselected]
        config.hook.pytest_deselected(items=list(deselected))
    for item in items:
        if isinstance(item, pytest.Function) and _shares_a_fixture(item) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))


def _shares_a_fixture(item: pytest.Function) -> bool:
    """Whether the test has a fixture that its module sets up once. In one worker, that is once; in four, it would be four servers."""
    used = item._fixtureinfo.name2fixturedefs.values()
    return any(definition.scope == "module" for definitions in used for definition in definitions)


def pytest_collection_finish() -> None:
    """Some ten thousand tests stay until the end: the garbage collector need not look through them each time."""
    gc.collect()
    gc.freeze()
