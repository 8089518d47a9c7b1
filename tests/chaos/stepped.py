"""A command under a wall clock that can be moved: `python -m tests.chaos.stepped FILE server`, where FILE holds seconds to add. The
metronome of the services reads the time by itself, and gets the same wrong one.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import apscheduler.executors.base  # type: ignore[import-untyped]
import apscheduler.schedulers.base  # type: ignore[import-untyped]

from appliance.cli.root import invoke
from appliance.kit import clock


def move(file: Path, seconds: float) -> None:
    """Set the clock of whoever looks into `file`; a reader sees the old time or the new one."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(str(seconds))
    new.replace(file)


def main() -> int:
    offset = Path(sys.argv[1])
    sys.argv[1:] = sys.argv[2:] or ["services"]

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one
            return datetime.now(tz) + timedelta(seconds=float(offset.read_text()))

    apscheduler.schedulers.base.datetime = apscheduler.executors.base.datetime = Wrong
    with clock.stopped(lambda: Wrong.now(UTC)):
        return invoke()


if __name__ == "__main__":
    sys.exit(main())
