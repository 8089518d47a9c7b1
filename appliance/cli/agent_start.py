"""`appliance agent start`: one command for each kind of agent."""

from __future__ import annotations

import click

from appliance.cli.agent_docker import docker
from appliance.cli.agent_kubernetes import kubernetes
from appliance.cli.agent_process import process

EPILOG = """\b
Examples:
  appliance agent start process --name edge-01 --label gpu --slots 16
  appliance agent start docker --name edge-02 --image etl:3
  appliance agent start kubernetes --name cluster-01 --image etl:3 --namespace flows

Create the token with `appliance token create NAME --scope agent`, and hand it over in APPLIANCE_TOKEN_FILE. `appliance agent install` prints
what has a machine start the agent again."""


@click.group(epilog=EPILOG)
def start() -> None:
    """Start an agent, which takes due runs. On SIGTERM, it stops taking runs; active runs continue, and the next start adopts them."""


start.add_command(process)
start.add_command(docker)
start.add_command(kubernetes)
