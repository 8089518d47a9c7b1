"""Options that several commands share, so that the same thing reads the same everywhere."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from appliance.cli.connection import KEY
from appliance.cli.values import Address, Assignment, distinct, variables
from appliance.kit.distribution import require_server

F = TypeVar("F", bound=Callable[..., Any])

yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
wait_option = click.option("--wait/--no-wait", default=True, help="Follow the job until it ends.")


def _remember_key(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta[KEY] = value


key_option = click.option(
    "--idempotency-key",
    expose_value=False,
    callback=_remember_key,
    help="Repeating the command with the same key has no further effect [a random key].",
)


def reason_option(place: str) -> Callable[[F], F]:
    """--reason, recorded in this place."""
    return click.option("--reason", default="", help=f"Reason to record {place}.")


def parameter_option(subject: str) -> Callable[[F], F]:
    """-p/--param, repeatable: `subject` says what one of them is."""
    help_text = f"{subject} (repeatable); appliance run --help explains values."
    return click.option(
        "-p", "--param", "parameters", multiple=True, type=Assignment(), callback=distinct, help=help_text
    )


def limit_option(default: int = 20, maximum: int | None = 10_000) -> Callable[[F], F]:
    """--limit for lists."""
    kind = click.IntRange(1, maximum)
    return click.option("--limit", type=kind, default=default, show_default=True, help="Maximum number to list.")


class _Slots(click.Option):
    """Also takes the name that it had in earlier releases, which no help shows."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        parser.add_option(obj=self, opts=["--capacity"], dest=self.name)


name_option = click.option(
    "--name",
    default=socket.gethostname,
    show_default="this host's name",
    help="The agent's name; it must be unique.",
)
label_option = click.option("--label", "labels", multiple=True, help="A label that runs may require (repeatable).")
slots_option = click.option(
    "--slots",
    "capacity",
    cls=_Slots,
    type=click.IntRange(1, 10_000),
    default=8,
    show_default=True,
    help="Maximum number of runs at once.",
)
env_option = click.option(
    "--env",
    "env",
    multiple=True,
    callback=variables,
    metavar="NAME=VALUE",
    help="A variable for all runs (repeatable).",
)


def agent_options(command: F) -> F:
    """What every agent needs to know: its name, labels, projects, slots, variables, folder, and where it says how it is."""
    for option in (
        click.option(
            "--listen",
            type=Address(),
            help="Answer /health and /metrics there; without HOST, only on this machine [nowhere].",
        ),
        click.option(
            "--state-dir",
            type=click.Path(file_okay=False),
            help="Where the agent keeps track of its runs [DATA_DIR/agent/NAME].",
        ),
        env_option,
        slots_option,
        click.option(
            "--project",
            "projects",
            multiple=True,
            help="A project whose runs the agent takes (repeatable) [APPLIANCE_AGENT_PROJECTS, all].",
        ),
        label_option,
        name_option,
    ):
        command = option(command)
    return command


roots_option = click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="DIR",
    help="A folder from which the agent takes code (repeatable) [APPLIANCE_AGENT_ROOTS, this folder and your home].",
)


env_name_option = click.option(
    "--env-name",
    "env_names",
    multiple=True,
    metavar="NAMES",
    help="Environment variables that registrations may set, as in GREETING,APP_* (repeatable) [APPLIANCE_AGENT_ENV_NAMES, all ordinary ones].",
)


def on_the_server(command: F) -> F:
    """The command, which says what to install where only the SDK is. Its help is there all the same."""

    @wraps(command)
    def checked(*arguments: Any, **options: Any) -> Any:
        require_server()
        return command(*arguments, **options)

    return cast(F, checked)


def server_options(command: F) -> F:
    """--data-dir, --host, --port, --database-url: each takes precedence over its environment variable."""
    command = on_the_server(command)
    for option in (
        click.option("--database-url", metavar="URL", help="Use Postgres instead of SQLite [APPLIANCE_DATABASE_URL]."),
        click.option("--port", type=click.IntRange(1, 65535), help="Port of the API and UI [APPLIANCE_PORT, 4200]."),
        click.option("--host", help="Address to listen on [APPLIANCE_HOST, 127.0.0.1]."),
        click.option("--data-dir", metavar="DIR", help="Where all data is stored [APPLIANCE_DATA_DIR, ./data]."),
    ):
        command = option(command)
    return command
