"""Log lines: one a record, whatever callers say about exceptions."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from appliance.kit.logs import JsonFormatter, PlainFormatter


def record(*, fails: bool, exc_info: object) -> logging.LogRecord:
    try:
        if fails:
            raise ValueError("broken")
    except ValueError:
        exc_info = sys.exc_info()
    return logging.LogRecord("appliance.x", logging.ERROR, __file__, 1, "It %s.", ("failed",), exc_info)  # type: ignore[arg-type]


@pytest.mark.parametrize("none", [None, False])
def test_a_line_without_an_exception(none: object) -> None:
    assert PlainFormatter().format(record(fails=False, exc_info=none)).endswith(" ERROR x: It failed.")
    assert "exception" not in json.loads(JsonFormatter().format(record(fails=False, exc_info=none)))


def test_an_exception_is_told() -> None:
    assert "ValueError: broken" in PlainFormatter().format(record(fails=True, exc_info=None))
    assert "ValueError: broken" in json.loads(JsonFormatter().format(record(fails=True, exc_info=None)))["exception"]
