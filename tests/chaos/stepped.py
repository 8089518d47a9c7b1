"""The services under a wall clock that can be moved: `python -m tests.chaos.stepped FILE`, where FILE holds seconds to add."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance import config
from appliance.kit import clock, logs
from appliance.server.services import run


def main() -> int:
    offset = Path(sys.argv[1])

    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(offset.read_text() or 0))

    settings = config.load()
    logs.configure(settings.log_level, settings.log_format)
    with clock.stopped(wrong):
        return run.main(settings)


if __name__ == "__main__":
    sys.exit(main())
