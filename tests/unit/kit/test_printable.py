"""What others wrote has no effect on a terminal and doesn't pass for a line of our own."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime

import click
import pytest

from appliance.cli.output import echo, print_json, print_table
from appliance.cli.watch_run import log_line
from appliance.kit.logs import JsonFormatter, PlainFormatter
from appliance.kit.printable import entry, one_line, printable, styled
from appliance.protocol.logs import LogView

ATTACKS = [
    "\x1b]52;c;cm0gLXJmIC8=\x07",  # fills the clipboard
    "\x1b]8;;http://evil.test\x1b\\click\x1b]8;;\x1b\\",  # hides a link
    "\x1b[2J\x1b[1;1H",  # wipes the screen
    "\x9b31m",  # the same in one byte
    "good\rbad",
    "bell\a back\b",
    "user\u202egnp.exe",  # changes the writing direction
    "\x00",
    "\x1b[8mhidden",  # the color of the background
    "a\u200bb\ufeff\u00ad\U000e0041",  # invisible
    "\ud800",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_left_of_it(attack: str, capsys: pytest.CaptureFixture[str]) -> None:
    for safe in (printable(attack), one_line(attack), entry(attack), styled(attack)):
        assert safe.replace("\x1b[2J", "").isprintable(), safe
    echo(attack)
    print_table(["NAME"], [[attack]], "none")
    print_table(["NAMES"], [[[attack]]], "none")
    shown = capsys.readouterr().out
    assert shown.replace("\n", "").isprintable(), shown


def test_an_entry_is_one_entry() -> None:
    assert (
        entry("first\n2026-01-01T00:00:00Z ERROR root: forged\n")
        == "first\n    2026-01-01T00:00:00Z ERROR root: forged"
    )
    assert one_line("a\nb\tc") == "a\\nb c"


def test_colors_stay() -> None:
    red = click.style("x", fg="red")
    assert styled(red) == red
    assert styled(f"{red}\x1b[2K") == f"{red}\\x1b[2K"


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"message": "\x9b1m\x7f \u202e \u00ad \U000e0041 \x1b[8m\n ä"}
    print_json(value)
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    assert json.loads(printed) == value


def test_a_log_line_of_a_run_forges_none() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    message = "x\n00:00:00.000  ERROR   it failed\r\x1b]52;c;eA==\x07"
    line = log_line(LogView(id=1, at=at, level="INFO", logger="run", message=message, task_slug=None, map_index=-1))
    assert line.splitlines()[1].startswith("    00:00:00.000")
    assert "\x1b]52" not in line and "\r" not in line


def test_our_own_log_forges_none() -> None:
    record = logging.LogRecord("appliance.x\ny", logging.INFO, "", 0, "a %s", ("\x9b1m\nb",), None)
    assert PlainFormatter().format(record).partition("INFO ")[2] == "x\\ny: a \\x9b1m\n    b"
    text = JsonFormatter().format(record)
    assert text.isprintable() and json.loads(text)["message"] == "a \x9b1m\nb"
    assert io.StringIO(text).readlines() == [text]
