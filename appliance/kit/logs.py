"""Log lines of our own processes: plain text for people or JSON for collectors, always on standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from appliance.kit.printable import entry, json_text, one_line, printable


class PlainFormatter(logging.Formatter):
    """`2026-01-31T06:30:00.123Z INFO scheduler: message`."""

    def format(self, record: logging.LogRecord) -> str:
        name = one_line(record.name.removeprefix("appliance."))
        line = f"{_time(record)} {record.levelname} {name}: {entry(record.getMessage())}"
        return f"{line}\n{printable(self.formatException(record.exc_info))}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message and, if there is one, the exception."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:  # False if the caller says that there is none to show
            fields["exception"] = self.formatException(record.exc_info)
        return json_text(json.dumps(fields))


def configure(level: str = "INFO", style: str = "plain") -> None:
    """Send the lines of every logger to standard error. Replaces any earlier configuration."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else PlainFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("apscheduler", "httpx", "httpx2", "httpcore", "httpcore2", "alembic", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
