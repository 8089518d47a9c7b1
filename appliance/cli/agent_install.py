"""`appliance agent install`: prints what has a machine start an agent, and start it again, one command for each way."""

from __future__ import annotations

import click

from appliance.cli.agent_install_docker import docker
from appliance.cli.agent_install_kubernetes import kubernetes
from appliance.cli.agent_install_systemd import systemd

EPILOG = """\b
Examples:
  appliance agent install systemd --name edge-01 --server-url http://orchestrator:4200
  appliance agent install docker --name edge-02 --image etl:3 --server-url http://orchestrator:4200 --output compose.yml
  appliance agent install kubernetes --name cluster-01 --namespace flows --image etl:3 --output agent.yaml"""


@click.group(epilog=EPILOG)
def install() -> None:
    """Print ready units and manifests that keep an agent running, with the steps to install them."""


install.add_command(systemd)
install.add_command(docker)
install.add_command(kubernetes)
