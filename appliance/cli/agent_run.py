"""How every command that starts an agent runs it: with a listener that says how it is, if one is asked for."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

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
