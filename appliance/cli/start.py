"""`appliance start`: server, services, and embedded agent as three processes under one supervisor, for a small site."""

from __future__ import annotations

import gc
import logging
import os
from typing import TYPE_CHECKING, Any

import click

from appliance import config
from appliance.cli.options import env_name_option, roots_option, server_options
from appliance.config import Settings

if TYPE_CHECKING:
    from appliance.cli.separation import Separation

log = logging.getLogger(__name__)

EPILOG = """\b
Examples:
  appliance start
  appliance start --data-dir /var/lib/appliance --host 0.0.0.0
  APPLIANCE_ADMIN_PASSWORD_FILE=/run/secrets/admin appliance start"""


@click.command(epilog=EPILOG)
@server_options
@click.option("--agent/--no-agent", default=True, help="Run the embedded agent, or leave it out.")
@roots_option
@env_name_option
def start(agent: bool, roots: tuple[str, ...], env_names: tuple[str, ...], **options: Any) -> int:
    """Run the whole appliance on this machine. SIGTERM or Ctrl-C shuts it down cleanly."""
    settings = config.load(
        **options, agent_roots=os.pathsep.join(roots) or None, agent_env_names=",".join(env_names) or None
    )
    gc.disable()  # until everything is loaded
    from appliance.cli import prepare, separation
    from appliance.kit import logs, memory, privileges

    memory.share_arenas()
    logs.configure(settings.log_level, settings.log_format)
    umask = prepare.keep_files_private()
    users = separation.decide(settings)
    with privileges.acting_as(users.server):
        lock = prepare.data_directory(settings)
        key = prepare.agent_key(settings) if agent else ""
    trial = separation.prepare(settings, users) if agent else None
    with privileges.acting_as(users.server):
        prepare.free_port(settings)
        prepare.workers(settings)
    from appliance.cli import database, supervisor
    from appliance.cli.apart import apart

    if trial is not None:
        users = trial.outcome()
    claimed = apart("prepares the database", lambda: _prepare(settings, users, agent), users.enter_server)
    app = supervisor.preload(settings)
    link, token = claimed()
    database.announce(settings, link)
    if agent and users.problem:
        log.warning("The embedded agent and its runs are not separated from the server: %s.", users.problem)
    elif agent and users.agent is not None:
        log.info("The embedded agent and its runs are user %d, apart from the server.", users.agent.uid)
    with lock:
        code = supervisor.supervise(
            settings, app, agent=agent, agent_token=token, agent_umask=umask, agent_key=key, separation=users
        )
        with privileges.acting_as(users.server):
            database.leave_one_file(settings)
        return code


def _prepare(settings: Settings, users: Separation, agent: bool) -> tuple[str | None, str]:
    """Make the database ready, in the process that does so: the setup link if nobody has set the appliance up, else the agent's token."""
    from appliance.agents import introduction
    from appliance.cli import database
    from appliance.server.actions import agents, setup
    from appliance.server.auth.identity import SYSTEM

    db = database.opened(settings)
    link = database.first_user(settings, db)
    setup.note_agents_user(db, users.problem if agent else "")
    token = setup.issue_agent_token(db, settings.agent_name) if agent and link is None else ""
    if token:  # so that what is registered at once is compared with its roots
        agents.enrol(db, SYSTEM, introduction.embedded(settings, users.home if users.agent else None))
    db.dispose()
    return link, token
