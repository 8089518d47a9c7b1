"""Options that several commands of the server side share, and the settings made from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def server_options(command: F) -> F:
    """--data-dir, --host, --port, --database-url: each wins over its environment variable."""
    for option in (
        click.option("--database-url", metavar="URL", help="Postgres instead of SQLite [APPLIANCE_DATABASE_URL]."),
        click.option("--port", type=click.IntRange(1, 65535), help="Port of API and UI [APPLIANCE_PORT, 4200]."),
        click.option("--host", help="Address to listen on [APPLIANCE_HOST, 127.0.0.1]."),
        click.option("--data-dir", metavar="DIR", help="Where everything is kept [APPLIANCE_DATA_DIR, ./data]."),
    ):
        command = option(command)
    return command
