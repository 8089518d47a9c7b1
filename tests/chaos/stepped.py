"""A command under a wall clock that can be moved: `python -m tests.chaos.stepped FILE server`, where FILE holds seconds to add."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

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

    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(offset.read_text()))

    with clock.stopped(wrong):
        return invoke()


if __name__ == "__main__":
    sys.exit(main())
