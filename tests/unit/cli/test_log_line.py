"""A log entry as the command line shows it."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from appliance.cli.watch_run import log_line
from appliance.protocol.logs import LogView


@pytest.mark.parametrize(
    ("logger", "slug", "index", "shown"),
    [
        ("appliance.run", None, -1, "INFO    message"),
        ("appliance.run.load", "load-1", -1, "INFO    load-1: message"),
        ("appliance.run.load.stdout", "load-1", 3, "INFO    load-1[3]: message"),
        ("appliance.run.load.stderr", "load-1", -1, "INFO    load-1 (stderr): message"),
        ("appliance.run.stderr", None, -1, "INFO    (stderr): message"),
    ],
)
def test_a_line_names_its_task_and_standard_error(logger: str, slug: str | None, index: int, shown: str) -> None:
    log = LogView(
        id=1,
        at=datetime(2026, 1, 31, tzinfo=UTC),
        level="INFO",
        logger=logger,
        message="message",
        task_slug=slug,
        map_index=index,
    )
    assert click.unstyle(log_line(log)).partition("  ")[2] == shown
