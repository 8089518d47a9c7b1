"""`appliance agent process`: takes runs that are due and starts each as a process of its own."""

from __future__ import annotations

import socket

import click

from appliance import config
from appliance.cli.connection import connect
from appliance.kit import lifecycle, logs

EPILOG = """\b
Example:
  APPLIANCE_URL=http://orchestrator:4200 APPLIANCE_TOKEN_FILE=token appliance agent process --name edge-01 --label gpu

Create the token with `appliance token create edge-01 --scope agent`."""


@click.group()
def agent() -> None:
    """Run an agent, which takes runs that are due and starts them."""


@agent.command(epilog=EPILOG)
@click.option(
    "--name", default=socket.gethostname, show_default="this host's name", help="A name that no other agent has."
)
@click.option("--label", "labels", multiple=True, help="A label that runs may ask for; repeat it for more.")
@click.option("--capacity", type=click.IntRange(1, 10_000), default=8, show_default=True, help="Runs at the same time.")
@click.option(
    "--state-dir", type=click.Path(file_okay=False), help="Where it remembers what it runs [DATA_DIR/agent/NAME]."
)
def process(name: str, labels: tuple[str, ...], capacity: int, state_dir: str | None) -> int:
    """Start each run as a process on this machine. SIGTERM stops taking work and leaves running runs alone."""
    from pathlib import Path

    from appliance.agents.process import ProcessAgent

    settings = config.load()
    logs.configure(settings.log_level, settings.log_format)
    directory = Path(state_dir) if state_dir else settings.data_path / "agent" / name
    stop = lifecycle.stop_on_signals()
    worker = ProcessAgent(
        connect(),
        name=name,
        labels=list(labels),
        capacity=capacity,
        state_dir=directory,
        results_url=settings.results_url,  # without one: a folder of this machine is of no use to a restart on another
    )
    return worker.run(stop)
