"""How every command that starts an agent runs it: with a listener that says how it is, if one is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance import config
from appliance.cli.connection import connect
from appliance.kit import lifecycle

if TYPE_CHECKING:
    from appliance.agents.agent import Agent


def run(agent: Agent, stop: threading.Event, listen: tuple[str, int] | None) -> int:
    """Take runs until `stop` is set, and return the exit code. `listen`: the host and port that answer /health and /metrics."""
    if listen is None:
        return agent.run(stop)
    from appliance.agents.health_server import serving

    with ExitStack() as stack:
        try:
            stack.enter_context(serving(agent, *listen))
        except OSError as error:
            why = error.strerror or str(error)
            raise click.ClickException(
                f"The agent can't listen on port {listen[1]} of {listen[0]}: {why}. Choose another --listen."
            ) from error
        return agent.run(stop)


def run_detached(
    make: Callable[..., Agent],
    settings: config.Settings,
    places: str,
    *,
    name: str,
    labels: Sequence[str],
    projects: Sequence[str],
    capacity: int,
    env: Mapping[str, str],
    state_dir: str | None,
    listen: tuple[str, int] | None,
    server_url: str | None,
) -> int:
    """Run an agent whose runs work elsewhere, in `places`, such as containers. `make` gets what all of these have. Raises ClickException."""
    from appliance.agents.detached import AlreadyRunning
    from appliance.agents.introduction import names_in
    from appliance.agents.sealed_tokens import key_of

    if settings.results_url.split(":")[0] in ("file", "shared+file"):
        raise click.ClickException(
            f"APPLIANCE_RESULTS_URL names a folder, which {places} don't have; name an object store, or appliance:, or leave it out."
        )
    stop = lifecycle.stop_on_signals()
    agent = make(
        connect(),
        name=name,
        labels=list(labels),
        projects=[*projects] or names_in(settings.agent_projects),
        capacity=capacity,
        state_dir=Path(state_dir) if state_dir else settings.data_path / "agent" / name,
        server_url=server_url or "",
        env=env,
        env_names=settings.open_env_names,
        results_url=settings.results_url,
        run_environ=settings.run_environ(),
        key=key_of(config.client_address()[1]),
    )
    try:
        return run(agent, stop, listen)
    except AlreadyRunning as error:
        raise click.ClickException(str(error)) from error
