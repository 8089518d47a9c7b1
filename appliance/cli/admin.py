"""`appliance admin`: the way in for an administrator of the machine, when nobody can sign in yet or any more."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance import config
from appliance.cli.backup import place_options, sentences
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.config import Settings
from appliance.kit.plurals import counted

if TYPE_CHECKING:
    from appliance.server.db.session import Database

_EXAMPLES = """\b
Examples:
  appliance admin reset
  appliance admin setup-link
  appliance admin reset maria --password-file new.txt --data-dir /var/lib/appliance"""

_KEY_EXAMPLES = """\b
Examples:
  appliance admin secrets-key list
  appliance admin secrets-key rotate --data-dir /var/lib/appliance"""


@click.group(epilog=_EXAMPLES)
def admin() -> None:
    """Get back in when nobody can sign in, and see to the keys of secrets. Works on this machine, without the server."""


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


@admin.command("agent-token", epilog="\b\nExample:\n  appliance admin agent-token docker --file /agent/token")
@click.argument("name")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where the token is kept; its owner and group can read it.",
)
@click.option("--wait-for-admin", "wait", is_flag=True, help="Wait until somebody has set up the appliance.")
@place_options
def agent_token(name: str, file: Path, wait: bool, **options: Any) -> None:
    """Create a token for agent NAME in a file, unless the one there is still good. The former token of that name ends. The appliance may be
    running, and must have been set up."""
    with _database(options) as (_, database):
        from appliance.cli.database import wait_until_claimed
        from appliance.server.actions import setup

        if wait and setup.setup_required(database):
            echo(
                f"The token of agent {name} waits for an administrator: open the link in the appliance's log.", err=True
            )
            wait_until_claimed(database)
        try:
            if file.exists() and setup.is_agent_token(database, name, file.read_text(encoding="ascii").strip()):
                echo(f"The token of agent {name} in {file} is still good.")
                return
            draft = file.with_suffix(".new")
            draft.unlink(missing_ok=True)
            try:
                with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w") as content:
                    content.write(f"{setup.issue_agent_token(database, name)}\n")
                draft.replace(file)
            finally:
                draft.unlink(missing_ok=True)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no token"
            raise click.ClickException(f"{file} can't be used: {why}.") from error
    echo(f"The token of agent {name} is in {file}.")


@admin.group("secrets-key", epilog=_KEY_EXAMPLES)
def secrets_key() -> None:
    """List, add, and rotate the keys that seal secrets. They are in a file on the machines of the server, not in the database."""


@secrets_key.command("list", epilog="\b\nExample:\n  appliance admin secrets-key list")
@place_options
@as_json
def list_keys(json_output: bool, **options: Any) -> None:
    """List the ids of the keys, and how many secrets each of them seals."""
    with _database(options) as (settings, database):
        from appliance.server.actions import secret_keys
        from appliance.server.auth.secret_keys import SecretKeys

        keys = SecretKeys(settings.secrets_key_path)
        uses = secret_keys.keys_in_use(database, keys)
    if json_output:
        print_json({"file": str(keys.path), "items": [dataclasses.asdict(use) for use in uses]})
        return
    marks = ((("current" if use.current else ""), ("" if use.present else "lost")) for use in uses)
    rows = ((use.id, use.secrets, " ".join(filter(None, mark))) for use, mark in zip(uses, marks, strict=True))
    print_table(("KEY", "SECRETS", ""), rows, "There are no keys yet; the first secret that is set creates one.")


@secrets_key.command("add", epilog="\b\nExample:\n  appliance admin secrets-key add")
@place_options
@as_json
def add_key(json_output: bool, **options: Any) -> None:
    """Add a key to the file, for the next rotation. Where the server runs on several machines, copy the file to all of them before that."""
    settings = config.load(**options)
    from appliance.server.auth.secret_keys import SecretKeys

    keys = SecretKeys(settings.secrets_key_path)
    with sentences():
        key_id = keys.add()
    if json_output:
        print_json({"file": str(keys.path), "id": key_id})
    else:
        echo(f"Key {key_id} is in {keys.path}; `appliance admin secrets-key rotate` makes it the current one.")


@secrets_key.command(epilog=_KEY_EXAMPLES)
@click.option("--keep-old", is_flag=True, help="Keep the old keys, so that secrets in older backups stay readable.")
@click.option(
    "--delete-lost", is_flag=True, help="Delete the secrets that can't be unsealed because their key is lost."
)
@place_options
@as_json
def rotate(keep_old: bool, delete_lost: bool, json_output: bool, **options: Any) -> None:
    """Seal all secrets with a new key, and remove the old one. The appliance may be running. If it is cut off, run it again."""
    with _database(options) as (settings, database):
        from appliance.server.actions import secret_keys
        from appliance.server.auth.secret_keys import SecretKeys

        keys = SecretKeys(settings.secrets_key_path)
        done = secret_keys.rotate(database, keys, delete_lost=delete_lost, keep_old=keep_old)
    if json_output:
        print_json(dataclasses.asdict(done))
        return
    echo(f"{counted(done.resealed, 'secret')} sealed with key {done.key_id}.")
    if done.deleted:
        echo(f"{counted(done.deleted, 'secret')} that couldn't be unsealed deleted; set what is still needed again.")
    if done.left:
        echo(f"{counted(done.left, 'secret')} can't be unsealed; set them again, or delete them with --delete-lost.")
    if done.removed:
        echo(f"Removed from {keys.path}: {', '.join(done.removed)}.")


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
