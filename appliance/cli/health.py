"""`appliance health`: is the appliance, or an agent, on this machine ready? For container health checks and monitoring."""

from __future__ import annotations

import http.client
import json
from typing import Any

import click

from appliance import config
from appliance.cli.output import echo
from appliance.cli.values import Address

TIMEOUT = 4.0


@click.command(
    epilog="\b\nExamples:\n  appliance health\n  appliance health --port 4300\n  appliance health --agent 9100"
)
@click.option("--host", help="Address on which the appliance listens [APPLIANCE_HOST, 127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API and UI [APPLIANCE_PORT, 4200].")
@click.option("--agent", type=Address(), help="Check the agent that listens there, as its --listen says.")
def health(host: str | None, port: int | None, agent: tuple[str, int] | None) -> int:
    """Check whether the appliance on this machine is ready, or an agent is well. Exits with 1 if it is not. Uses no proxy and needs no token."""
    if agent is not None:
        well, problem = _agent(*agent)
    else:
        settings = config.load(host=host, port=port)
        well = f"The appliance at {settings.local_url} is ready."
        problem = _problem(settings.local_host, settings.port, settings.local_url)
    echo(problem or well, err=bool(problem))
    return int(bool(problem))


def _problem(host: str, port: int, url: str) -> str:
    """What keeps the appliance from being ready, or nothing."""
    try:
        answer = _answer(host, port, "/readyz")
    except OSError as error:
        return f"The appliance at {url} can't be reached ({error.strerror or type(error).__name__}); is it running?"
    match answer:
        case {"status": "ready"}:
            return ""
        case {"reasons": [*reasons]}:
            return f"The appliance at {url} is not ready: {' '.join(map(str, reasons))}"
    return f"What answers at {url} is not an appliance; check APPLIANCE_HOST and APPLIANCE_PORT."


def _agent(host: str, port: int) -> tuple[str, str]:
    """What is to be said of an agent, if it is well; and what is wrong with it, or nothing."""
    try:
        answer = _answer(host, port, "/health")
    except OSError as error:
        why = error.strerror or type(error).__name__
        return "", f"No agent can be reached on port {port} of {host} ({why}); was it started with --listen?"
    match answer:
        case {"status": "ok", "agent": str(name)}:
            return f"Agent {name} is well.", ""
        case {"status": "waiting", "agent": str(name), "reason": str(reason)}:
            return f"Agent {name} is well, and waits: {reason}", ""
        case {"status": "failing", "agent": str(name), "reason": str(reason)}:
            return "", f"Agent {name} is not well: {reason}"
    return "", f"What answers on port {port} of {host} is not an agent."


def _answer(host: str, port: int, path: str) -> Any:
    """What is answered, None if it is not JSON. `http.client` never uses a proxy. Raises OSError."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        return json.loads(connection.getresponse().read())
    except (http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
