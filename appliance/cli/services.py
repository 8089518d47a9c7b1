"""`appliance services`: the background loops, in their own process. Any number may run; leases decide which one works."""

from __future__ import annotations

from typing import Any

import click

from appliance import config
from appliance.cli.options import server_options


@click.command(epilog="\b\nExample:\n  appliance services --database-url postgresql://appliance@db.example/appliance")
@server_options
def services(**options: Any) -> int:
    """Run only the scheduler, repair, and the other services."""
    settings = config.load(**options)
    from appliance.cli import database, prepare
    from appliance.kit import logs, memory
    from appliance.server.services import process as run

    memory.share_arenas()
    prepare.keep_files_private()
    database.opened(settings).dispose()
    logs.configure(settings.log_level, settings.log_format)
    return run.main(settings)
