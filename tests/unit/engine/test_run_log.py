"""The log of a tracked run is bounded, and its settings say what they accept."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import config
from appliance.core.logs import ROOT
from appliance.engine.log_intake import Levels
from appliance.engine.tracked import records
from appliance.engine.tracked.last_lines import LastLines
from appliance.engine.tracked.log_limit import WINDOW, LogLimit
from appliance.kit import clock


def written(limit: LogLimit, count: int, characters: int = 10) -> int:
    """How many of so many lines are logged."""
    logged = 0
    for _ in range(count):
        if limit.reached():
            limit.drop(1, characters)
        else:
            limit.add(characters)
            logged += 1
    return logged


def test_more_lines_than_the_rate_are_dropped_until_the_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    limit = LogLimit(rate=5, size=0)
    assert written(limit, 200) == 5 * WINDOW
    assert limit.gap() == (
        "150 lines (1,500 characters) were dropped here, because the run wrote more than 5 lines a second "
        "(APPLIANCE_RUN_LOG_RATE)."
    )
    assert limit.gap() is None
    now += WINDOW
    assert written(limit, 10) == 10


def test_more_bytes_than_the_size_are_dropped_for_good() -> None:
    limit = LogLimit(rate=0, size=1000)
    assert written(limit, 100, characters=100) == 5
    assert limit.gap() == (
        "95 lines (9,500 characters) were dropped here, because the run's log has reached 1,000 bytes (APPLIANCE_RUN_LOG_BYTES)."
    )


def test_without_limits_nothing_is_dropped() -> None:
    assert written(LogLimit(rate=0, size=0), 10_000) == 10_000


def test_the_copy_of_the_last_lines_stays_small(tmp_path: Path) -> None:
    script = (
        "from appliance.engine.tracked.last_lines import LastLines\n"
        "last = LastLines()\nfor number in range(100_000): last.add(f'line {number}')\nlast.close()"
    )
    with (tmp_path / "output.log").open("ab") as file:
        subprocess.run([sys.executable, "-c", script], stderr=file, check=True)
    content = (tmp_path / "output.log").read_text()
    assert len(content) < 300_000
    assert content.endswith("line 99998\nline 99999\n")


def test_last_lines_never_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    last = LastLines()
    last.close()
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    last.add("lost")


@pytest.mark.parametrize(
    ("own", "named", "logger", "explicit", "wanted_from"),
    [
        (logging.INFO, {}, ROOT, 0, logging.INFO),
        (logging.INFO, {}, f"{ROOT}.part", 0, logging.INFO),
        (logging.INFO, {}, f"{ROOT}.part", logging.CRITICAL, logging.INFO),
        (logging.INFO, {}, f"{ROOT}.part", logging.DEBUG, logging.DEBUG),
        (logging.INFO, {}, "lib.part", 0, logging.WARNING),
        (logging.INFO, {}, "lib.part", logging.DEBUG, logging.WARNING),
        (logging.INFO, {}, "lib.part", logging.ERROR, logging.ERROR),
        (logging.INFO, {"lib": logging.DEBUG}, "lib.part", logging.ERROR, logging.DEBUG),
        (logging.INFO, {"lib": logging.DEBUG, "lib.part": logging.ERROR}, "lib.part", 0, logging.ERROR),
        (logging.INFO, {"library": logging.DEBUG}, "lib.part", 0, logging.WARNING),
        (logging.INFO, {"root": logging.ERROR}, "lib.part", 0, logging.ERROR),
    ],
)
def test_the_level_from_which_records_are_wanted(
    own: int, named: dict[str, int], logger: str, explicit: int, wanted_from: int
) -> None:
    levels, one = Levels(own, logging.WARNING, named), logging.getLogger(logger)
    before = one.level
    one.setLevel(explicit)
    try:
        assert next(level for level in range(10, 60, 10) if levels.want(one, level)) == wanted_from
    finally:
        one.setLevel(before)


def test_settings_of_the_log_reach_the_run() -> None:
    settings = config.load({"APPLIANCE_RUN_LOGGERS": "a.b=debug, c=OFF", "APPLIANCE_RUN_LOG_STDOUT": "0"})
    environ = settings.run_environ()
    assert environ == {"APPLIANCE_RUN_LOGGERS": "a.b=debug, c=OFF", "APPLIANCE_RUN_LOG_STDOUT": "false"}
    received = config.run_log(environ)
    assert received.run_log_stdout is False
    assert received.logger_levels == {"a.b": 10, "c": 1000}
    assert config.run_log({}) == config.RunLogSettings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RUN_LOGGERS", "mylib", "can't contain 'mylib'; write it as mylib=DEBUG,other=ERROR"),
        ("RUN_LOGGERS", "=DEBUG", "can't contain '=DEBUG'"),
        ("RUN_LOGGERS", "a=LOUD", "can't contain 'a=LOUD'"),
        ("RUN_LOG_LEVEL", "LOUD", "APPLIANCE_RUN_LOG_LEVEL is not valid"),
        ("RUN_LOG_RATE", "-1", "APPLIANCE_RUN_LOG_RATE is not valid"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(name: str, value: str, message: str) -> None:
    for read in (config.load, config.run_log):
        with pytest.raises(config.SettingsError, match=message):
            read({f"APPLIANCE_{name}": value})


@pytest.mark.parametrize("created", [1e15, "then", None, float("nan")])
def test_a_record_without_a_time_was_made_now(created: object, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    assert records.time_of(logging.makeLogRecord({"created": created})) == now
