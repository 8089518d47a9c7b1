"""`appliance admin`: the way in for an administrator of the machine, when nobody can sign in yet or any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance import config
from appliance.cli.backup import place_options
from appliance.cli.output import as_json, echo, print_json
from appliance.config import Settings

if TYPE_CHECKING:
    from appliance.server.db.session import Database

_EXAMPLES = """\b
Examples:
  appliance admin reset
  appliance admin setup-link
  appliance admin reset maria --password-file new.txt --data-dir /var/lib/appliance"""


@click.group(epilog=_EXAMPLES)
def admin() -> None:
    """Get back in when nobody can sign in. Works on the database of this machine, without the server."""


@admin.command(epilog=_EXAMPLES)
@click.argument("name", default="admin")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the new password from a file instead of prompting for it.",
)
@place_options
@as_json
def reset(name: str, password_file: Path | None, json_output: bool, **options: Any) -> None:
    """Make NAME [admin] an administrator with a new password. Signs NAME out everywhere. The history of events records it. The appliance
    may be running."""
    with _database(options) as (_, database):
        from appliance.server.actions import setup

        password = (
            password_file.read_text(encoding="utf-8").rstrip("\r\n")
            if password_file
            else click.prompt("New password", hide_input=True, confirmation_prompt=True)
        )
        username = setup.reset_admin(database, name, password)
    if json_output:
        print_json({"username": username})
    else:
        echo(f"{username} is an administrator and signs in with the new password.")


@admin.command("setup-link", epilog="\b\nExample:\n  appliance admin setup-link --data-dir /var/lib/appliance")
@place_options
@as_json
def setup_link(json_output: bool, **options: Any) -> None:
    """Print a new link to create the first administrator of an appliance that nobody has set up. The former link ends. The appliance may
    be running."""
    with _database(options) as (settings, database):
        from appliance.server.actions import setup

        link = setup.setup_link(settings, setup.create_setup_token(database))
    if json_output:
        print_json({"url": link})
    else:
        echo(f"{link}\nIt is valid once, for {setup.LINK_HOURS} hours.")


@contextmanager
def _database(options: dict[str, Any]) -> Iterator[tuple[Settings, Database]]:
    """The database of this machine with its settings; what the server's code refuses becomes the command's error."""
    settings = config.load(**options)
    from appliance.server.db import migrate, sqlite
    from appliance.server.db.session import open_database
    from appliance.server.errors import ServerError

    file = sqlite.file_of(settings.database)
    try:
        if file is not None and not file.exists():
            raise click.ClickException(f"There is no database at {file}; name its folder with --data-dir.")
        if file is not None and not os.access(file, os.R_OK | os.W_OK):
            raise PermissionError
        if not migrate.is_current(settings.database):
            raise click.ClickException("The database belongs to another release; start this one once, then try again.")
        database = open_database(settings)
        try:
            yield settings, database
        finally:
            database.dispose()
    except PermissionError as error:
        raise click.ClickException(
            f"This user can't use the database at {file}; run the command as the user who owns it."
        ) from error
    except ServerError as error:
        raise click.ClickException(error.message) from error
