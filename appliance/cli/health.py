"""`appliance health`: is the appliance on this machine ready? For container health checks and monitoring."""

from __future__ import annotations

import http.client
import json
from typing import Any

import click

from appliance import config
from appliance.cli.output import echo

TIMEOUT = 4.0


@click.command(epilog="\b\nExamples:\n  appliance health\n  appliance health --port 4300")
@click.option("--host", help="Address on which the appliance listens [APPLIANCE_HOST, 127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API and UI [APPLIANCE_PORT, 4200].")
def health(host: str | None, port: int | None) -> int:
    """Check whether the appliance on this machine is ready. Exits with 1 if it is not. Uses no proxy and needs no token."""
    settings = config.load(host=host, port=port)
    problem = _problem(settings.local_host, settings.port, settings.local_url)
    echo(problem or f"The appliance at {settings.local_url} is ready.", err=bool(problem))
    return int(bool(problem))


def _problem(host: str, port: int, url: str) -> str:
    """What keeps the appliance from being ready, or nothing. `http.client` never uses a proxy."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz", headers={"Accept": "application/json"})
        answer: Any = json.loads(connection.getresponse().read())
    except OSError as error:
        return f"The appliance at {url} can't be reached ({error.strerror or type(error).__name__}); is it running?"
    except (http.client.HTTPException, ValueError):
        answer = None
    finally:
        connection.close()
    match answer:
        case {"status": "ready"}:
            return ""
        case {"reasons": [*reasons]}:
            return f"The appliance at {url} is not ready: {' '.join(map(str, reasons))}"
    return f"What answers at {url} is not an appliance; check APPLIANCE_HOST and APPLIANCE_PORT."
