"""`appliance agent install docker`: a service for Docker Compose that keeps a Docker agent running in a container."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from appliance.cli.agent_docker import check_url
from appliance.cli.agent_install_options import give, install_options, one_line, slug, start_command

EPILOG = """\b
Examples:
  appliance agent install docker --name edge-02 --image etl:3 --server-url http://orchestrator:4200
  appliance agent install docker --name edge-02 --image etl:3 --label gpu --slots 16 --output compose.yml

Who may use the Docker engine is root on its machine: so is this agent."""

SOCKET = "/var/run/docker.sock"
PORT = "9100"

_COMPOSE = """\
# Keeps Docker agent {name} running in a container. It has the engine's socket, and so it is root on this machine.
#   1. appliance token create {slug} --scope agent | sudo install -m 0600 /dev/stdin {slug}.token
#   2. Save this as compose.yml beside it, and run: docker compose up -d --wait
# Or without Compose:
#   {run}
name: {project}
services:
  agent:
    image: {agent_image}
    pull_policy: missing
    command: {command}
    hostname: {hostname}{network}
    environment:
      APPLIANCE_URL: {url}
      APPLIANCE_TOKEN_FILE: /run/secrets/token
      APPLIANCE_DATA_DIR: /agent
    secrets: [token]
    volumes:
      - {socket}:{socket}
      - state:/agent
    extra_hosts: ["host.docker.internal:host-gateway"]
    healthcheck:
      test: [CMD, appliance, health, --agent, "{port}"]
      interval: 10s
      timeout: 5s
      start_period: 30s
    restart: unless-stopped
    stop_grace_period: 30s
    init: true
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]

secrets:
  token:
    file: ./{slug}.token

volumes:
  state:
"""


@click.command(epilog=EPILOG)
@install_options
@click.option("--image", required=True, callback=one_line, help="The image of runs that name none.")
@click.option(
    "--agent-image",
    default="appliance:local",
    show_default=True,
    callback=one_line,
    help="The image of the agent, such as the appliance's own.",
)
@click.option(
    "--network",
    default="",
    help="The network of the agent, and of runs that name none [the engine's default].",
)
def docker(
    name: str,
    labels: tuple[str, ...],
    capacity: int,
    env: dict[str, str],
    server_url: str,
    output: Path | None,
    image: str,
    agent_image: str,
    network: str,
) -> None:
    """Print a service for Docker Compose with a Docker agent, and the same as a command. The agent is root on its engine's machine."""
    check_url(server_url, network)
    more = ["--image", image, "--listen", PORT, *(["--network", network] if network else [])]
    words = start_command("docker", name, labels, capacity, env, *more)
    own = slug(name)
    give(
        _COMPOSE.format(
            name=name,
            slug=own,
            run=_run(own, server_url, agent_image, network, words),
            project=_yaml(f"appliance-agent-{own.lower().replace('.', '-')}"),
            agent_image=_yaml(agent_image),
            command=f"[{', '.join(map(_yaml, words))}]",
            hostname=_yaml(own[:63]),
            network=f"\n    network_mode: {_yaml(network)}" if network else "",
            url=_yaml(server_url),
            socket=SOCKET,
            port=PORT,
        ),
        output,
    )


def _run(own: str, url: str, image: str, network: str, words: list[str]) -> str:
    options = [
        *("--detach", "--name", f"appliance-agent-{own}", "--restart", "unless-stopped", "--init", "--read-only"),
        *("--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"),  # noqa: S108  # nosec B108 # in a container
        *(["--network", network] if network else []),
        *("--add-host", "host.docker.internal:host-gateway", "--volume", f"{SOCKET}:{SOCKET}"),
        *("--health-cmd", f"appliance health --agent {PORT}"),
        *("--volume", f"appliance-agent-{own}:/agent", "--env", "APPLIANCE_DATA_DIR=/agent"),
        *("--env", f"APPLIANCE_URL={url}", "--env", "APPLIANCE_TOKEN_FILE=/run/secrets/token"),
    ]
    return f'docker run {shlex.join(options)} --volume "$PWD/{own}.token:/run/secrets/token:ro" {shlex.join([image, *words])}'


def _yaml(text: str) -> str:
    """As a text in YAML, in which Compose replaces nothing."""
    return json.dumps(text).replace("$", "$$")
