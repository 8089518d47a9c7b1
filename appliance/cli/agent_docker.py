"""`appliance agent start docker`: takes due runs and starts each in its own container."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlsplit

import click

from appliance import config
from appliance.cli.agent_run import run_detached
from appliance.cli.options import agent_options, env_name_option
from appliance.kit import logs
from appliance.kit.distribution import MissingExtra, install, is_installed
from appliance.protocol.containers import LEAST_CPUS, PULLS, memory_in, memory_problem

EPILOG = """\b
Examples:
  appliance agent start docker --image etl:3 --server-url http://host.docker.internal:4200
  appliance agent start docker --image etl:3 --name edge-01 --label gpu --slots 16 --env TZ=Europe/Zurich --listen 9100
  appliance agent start docker --image etl:3 --allow-image 'registry.example/etl/*' --allow-volume '/data/**:ro' --memory 4g --pull never

Create the token with `appliance token create NAME --scope agent`. Who may use the Docker engine is root on its machine: so is this agent."""
_LOOPBACK = ("localhost", "127.", "::1")


def _amount(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is not None and (problem := memory_problem(value)):
        raise click.BadParameter(problem)
    return None if value is None else memory_in(value)


@click.command(epilog=EPILOG)
@agent_options
@click.option("--image", required=True, help="The image of runs that name none. It has Python and the appliance's SDK.")
@click.option(
    "--allow-image",
    "images",
    multiple=True,
    metavar="PATTERN",
    help="Images that flows may name: * matches all but a slash, ** everything (repeatable) [the one of --image].",
)
@click.option(
    "--allow-volume",
    "volumes",
    multiple=True,
    metavar="PATTERN",
    help="Volumes, and folders of the engine's machine, that flows may mount; with :ro, to read only (repeatable) [none].",
)
@click.option(
    "--allow-network",
    "networks",
    multiple=True,
    metavar="PATTERN",
    help="Networks that flows may name; host only if it is spelled out (repeatable) [the one of --network].",
)
@click.option("--allow-gpus", "gpus", is_flag=True, help="Let flows ask for GPUs.")
@click.option("--network", default="", help="The network of runs that name none [the engine's default].")
@click.option("--memory", callback=_amount, help="What a container gets at most, as in 512m or 4g [no limit].")
@click.option("--cpus", type=click.FloatRange(LEAST_CPUS, 4_096), help="Cores that it gets at most [no limit].")
@click.option(
    "--pids",
    type=click.IntRange(1),
    default=4_096,
    show_default=True,
    help="Processes and threads that it has at most.",
)
@click.option(
    "--pull",
    type=click.Choice(PULLS),
    default="missing",
    show_default=True,
    help="When images are pulled; with never, flows can't ask for it.",
)
@click.option("--server-url", metavar="URL", help="Where containers reach the server [APPLIANCE_URL].")
@env_name_option
def docker(
    name: str,
    labels: tuple[str, ...],
    projects: tuple[str, ...],
    capacity: int,
    state_dir: str | None,
    listen: tuple[str, int] | None,
    server_url: str | None,
    env: dict[str, str],
    env_names: tuple[str, ...],
    **rules: Any,
) -> int:
    """Start each run in a container of the Docker engine that DOCKER_HOST names, or of this machine. On SIGTERM, the agent stops taking runs;
    active runs continue."""
    if not is_installed("docker"):
        raise MissingExtra(f"This needs the SDK of Docker; run: {install('docker')}")
    from appliance.agents.container_rules import ContainerRules
    from appliance.agents.docker import DockerAgent
    from appliance.packaging.docker_engine import Engine, EngineAway, EngineRefused

    settings = config.load(agent_env_names=",".join(env_names) or None)
    logs.configure(settings.log_level, settings.log_format)
    permitted, engine = ContainerRules(**rules), Engine()
    check_url(server_url or config.client_address()[0], permitted.network)
    try:
        engine.check()
    except (EngineAway, EngineRefused) as error:
        raise click.ClickException(str(error)) from error
    return run_detached(
        partial(DockerAgent, engine=engine, rules=permitted),
        settings,
        "containers",
        name=name,
        labels=labels,
        projects=projects,
        capacity=capacity,
        env=env,
        state_dir=state_dir,
        listen=listen,
        server_url=server_url,
    )


def check_url(url: str, network: str = "") -> None:
    """A container's own loopback is not that of this machine. Raises UsageError."""
    if is_loopback(url) and network != "host":
        raise click.UsageError(
            f"Containers don't reach the server at {url}; say where they do, as in --server-url http://host.docker.internal:4200, "
            "and have the server listen there (APPLIANCE_HOST), or give containers this machine's own network with --network host."
        )


def is_loopback(url: str) -> bool:
    """Whether a URL leads to the machine itself."""
    return (urlsplit(url).hostname or "").startswith(_LOOPBACK)
