"""`appliance user`: creates and lists the people who may sign in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from appliance.cli.connection import connect
from appliance.cli.options import key_option
from appliance.cli.output import as_json, print_json, print_table
from appliance.protocol.users import CreateUser


@click.group(
    epilog="\b\nExamples:\n  appliance user create maria --role operator"
    "\n  appliance user create ci --role viewer --password-file /run/secrets/ci"
)
def user() -> None:
    """Create and list users."""


@user.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="viewer",
    show_default=True,
    help="What the user may do.",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the password from a file instead of prompting for it.",
)
@key_option
@as_json
def create(
    name: str, role: Literal["viewer", "operator", "admin"], password_file: Path | None, json_output: bool
) -> None:
    """Create a user."""
    from appliance.client import admin

    password = (
        password_file.read_text(encoding="utf-8").rstrip("\r\n")
        if password_file is not None
        else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    created = admin.create_user(connect(), CreateUser(username=name, password=password, role=role))
    if json_output:
        print_json(created)
    else:
        click.echo(f"User {created.username} created with role {created.role}.")


@user.command("list")
@as_json
def list_users(json_output: bool) -> None:
    """List users."""
    from appliance.client import admin

    users = admin.users(connect())
    if json_output:
        print_json(users)
        return
    rows = ((u.username, u.role, u.created, "disabled" if u.disabled else "") for u in users)
    print_table(("NAME", "ROLE", "CREATED", ""), rows, "No users exist.")
