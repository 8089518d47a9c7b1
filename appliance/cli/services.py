"""`appliance services`: the loops that never end, in a process of their own. Any number may run; a lease decides who works."""

from __future__ import annotations

from typing import Any

import click

from appliance import config
from appliance.cli.options import server_options


@click.command()
@server_options
def services(**options: Any) -> int:
    """Run the scheduler and the repair services without API and agent."""
    settings = config.load(**options)
    from appliance.cli import prepare
    from appliance.kit import logs, memory
    from appliance.server.services import process as run

    memory.share_arenas()
    prepare.database(settings).dispose()
    logs.configure(settings.log_level, settings.log_format)
    return run.main(settings)
