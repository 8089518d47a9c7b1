"""What every test run has: the option --depth."""

from __future__ import annotations

import pytest

from tests import depth


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    leaving = [item for item in items if depth.left_out({marker.name for marker in item.iter_markers()})]
    if leaving:
        items[:] = [item for item in items if item not in set(leaving)]
        config.hook.pytest_deselected(items=leaving)
