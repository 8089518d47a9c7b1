"""`appliance agent start process`: takes due runs and starts each in its own process."""

from __future__ import annotations

import click

from appliance import config
from appliance.cli.agent_run import run
from appliance.cli.connection import connect
from appliance.cli.options import agent_options, env_name_option, roots_option
from appliance.kit import lifecycle, logs

EPILOG = """\b
Examples:
  APPLIANCE_URL=http://orchestrator:4200 APPLIANCE_TOKEN_FILE=token appliance agent start process --name edge-01 --label gpu
  appliance agent start process --name edge-01 --slots 16 --env TZ=Europe/Zurich --listen 9100

Create the token with `appliance token create edge-01 --scope agent`."""


@click.command(epilog=EPILOG)
@agent_options
@roots_option
@env_name_option
def process(
    name: str,
    labels: tuple[str, ...],
    projects: tuple[str, ...],
    capacity: int,
    env: dict[str, str],
    state_dir: str | None,
    listen: tuple[str, int] | None,
    roots: tuple[str, ...],
    env_names: tuple[str, ...],
) -> int:
    """Start each run as a process on this machine. On SIGTERM, the agent stops taking runs; active runs continue."""
    from pathlib import Path

    from appliance.agents.environments import EnvironmentRules
    from appliance.agents.introduction import names_in
    from appliance.agents.process import ProcessAgent
    from appliance.agents.roots import Roots
    from appliance.agents.sealed_tokens import key_of

    settings = config.load(agent_env_names=",".join(env_names) or None)
    logs.configure(settings.log_level, settings.log_format)
    directory = Path(state_dir) if state_dir else settings.data_path / "agent" / name
    stop = lifecycle.stop_on_signals()
    url, token = config.client_address()
    worker = ProcessAgent(
        connect(),
        name=name,
        labels=list(labels),
        projects=[*projects] or names_in(settings.agent_projects),
        capacity=capacity,
        state_dir=directory,
        roots=Roots.of(settings, roots, directory),
        env_names=settings.open_env_names,
        results_url=settings.results_url,  # none by default: a restart on another machine could not read a local folder
        run_environ={**settings.run_environ(), **env},
        hidden=True,
        key=key_of(token),
        users=names_in(settings.agent_users),
        environments=EnvironmentRules.of(settings, url, token, default=False),
    )
    return run(worker, stop, listen)
