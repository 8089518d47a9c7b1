"""`appliance agent`: runs agents, and looks after those that have enrolled."""

from __future__ import annotations

from copy import copy

import click

from appliance.cli.agent_environments import environments as environments_commands
from appliance.cli.agent_install import install
from appliance.cli.agent_match import match
from appliance.cli.agent_roots import roots as roots_commands
from appliance.cli.agent_start import start
from appliance.cli.agent_states import drain, forget, resume, runs

EPILOG = """\b
Examples:
  appliance agent start process --name edge-01 --label gpu
  appliance agent install systemd --name edge-01 --server-url http://orchestrator:4200
  appliance agent match --label gpu
  appliance agent drain edge-01"""


@click.group(epilog=EPILOG)
def agent() -> None:
    """Run an agent, which takes due runs and starts them, and look after agents."""


for command in (start, install, match, runs, drain, resume, forget, roots_commands, environments_commands):
    agent.add_command(command)
for name in ("process", "docker"):  # as units of earlier releases call them
    synonym = copy(start.commands[name])
    synonym.hidden = True
    agent.add_command(synonym)
