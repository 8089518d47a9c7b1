"""`appliance start`: server, services, and embedded agent as three processes under one supervisor, for a small site."""

from __future__ import annotations

import os
from typing import Any

import click

from appliance import config
from appliance.cli.options import roots_option, server_options

EPILOG = """\b
Examples:
  appliance start
  appliance start --data-dir /var/lib/appliance --host 0.0.0.0
  APPLIANCE_ADMIN_PASSWORD_FILE=/run/secrets/admin appliance start"""


@click.command(epilog=EPILOG)
@server_options
@click.option("--agent/--no-agent", default=True, help="Run the embedded agent, or leave it out.")
@roots_option
def start(agent: bool, roots: tuple[str, ...], **options: Any) -> int:
    """Run the whole appliance on this machine. SIGTERM or Ctrl-C shuts it down cleanly."""
    settings = config.load(**options, agent_roots=os.pathsep.join(roots) or None)
    from appliance.cli import prepare, supervisor
    from appliance.kit import logs, memory
    from appliance.server.actions import setup

    memory.share_arenas()
    logs.configure(settings.log_level, settings.log_format)
    umask = prepare.keep_files_private()
    lock = prepare.data_directory(settings)
    prepare.free_port(settings)
    prepare.workers(settings)
    db = prepare.database(settings)
    link = prepare.first_user(settings, db)
    token = setup.issue_agent_token(db, settings.agent_name) if agent and link is None else ""
    db.dispose()
    prepare.announce(settings, link)
    with lock:
        code = supervisor.supervise(settings, agent=agent, agent_token=token, agent_umask=umask)
        prepare.leave_one_file(settings)
        return code
