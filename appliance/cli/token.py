"""`appliance token`: bearer tokens for scripts and agents."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.durations import Duration
from appliance.cli.output import as_json, print_json, print_table
from appliance.kit import clock
from appliance.protocol.tokens import CreateToken


@click.group()
def token() -> None:
    """Create, list and revoke tokens."""


@token.command(epilog="\b\nExample:\n  appliance token create edge-01 --scope agent --expires-in 52w")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["user", "agent"]),
    default="user",
    show_default=True,
    help="What it may do: what its user may, or only what an agent must.",
)
@click.option("--user", "username", help="Whom it acts for; you without it.")
@click.option("--expires-in", type=Duration(), help="12h, 30d or 8w; never without it.")
@as_json
def create(
    name: str, scope: Literal["user", "agent"], username: str | None, expires_in: timedelta | None, json_output: bool
) -> None:
    """Create a token and show it this once."""
    from appliance.client import admin

    expires_at = clock.now() + expires_in if expires_in is not None else None
    made = admin.create_token(connect(), CreateToken(name=name, scope=scope, username=username, expires_at=expires_at))
    if json_output:
        print_json(made)
        return
    click.echo(made.token)
    click.echo("Keep it now: it is not shown again.", err=True)


@token.command("list")
@as_json
def list_tokens(json_output: bool) -> None:
    """List the tokens, never their secrets."""
    from appliance.client import admin

    found = admin.tokens(connect())
    if json_output:
        print_json(found)
        return
    rows = ((t.name, t.prefix, t.scope, t.username, t.created, t.expires_at, t.last_used, t.id) for t in found)
    print_table(
        ("NAME", "BEGINS", "SCOPE", "USER", "CREATED", "EXPIRES", "LAST USED", "ID"), rows, "There is no token."
    )


@token.command()
@click.argument("token_id", type=click.UUID, metavar="ID")
def revoke(token_id: UUID) -> None:
    """End a token at once."""
    from appliance.client import admin

    admin.delete_token(connect(), token_id)
    click.echo("The token is revoked.")
