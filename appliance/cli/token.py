"""`appliance token`: creates, lists, replaces, and revokes bearer tokens for scripts and agents."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal
from uuid import UUID

import click

from appliance.cli import zone
from appliance.cli.connection import connect
from appliance.cli.durations import Duration
from appliance.cli.identifiers import TokenId
from appliance.cli.options import key_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.protocol.tokens import CreateToken, RotateToken, TokenCreated

EPILOG = """\b
Examples:
  appliance token create nightly-report --expires-in 30d
  appliance token create edge-01 --scope agent --expires-in 52w
  appliance token rotate edge-01 --overlap 2d"""


@click.group(epilog=EPILOG)
def token() -> None:
    """Create, list, replace, and revoke tokens."""


@token.command(epilog=EPILOG)
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["user", "agent"]),
    default="user",
    show_default=True,
    help="What the token permits: everything its user may do, or only the work of an agent.",
)
@click.option("--user", "username", help="User that the token acts for [you].")
@click.option("--expires-in", type=Duration(), help="Lifetime of the token, such as 12h, 30d, or 8w [90d].")
@key_option
@as_json
def create(
    name: str, scope: Literal["user", "agent"], username: str | None, expires_in: timedelta | None, json_output: bool
) -> None:
    """Create a token and show it once."""
    from appliance.client import admin

    seconds = None if expires_in is None else expires_in.total_seconds()
    request = CreateToken(name=name, scope=scope, username=username, expires_in=seconds)
    _show(admin.create_token(connect(), request), json_output)


@token.command(epilog="\b\nExample:\n  appliance token rotate edge-01 --overlap 2d")
@click.argument("token_id", type=TokenId(), metavar="TOKEN")
@click.option(
    "--overlap",
    type=Duration(),
    default="24h",
    show_default=True,
    help="How long TOKEN stays valid, so that you can replace it where it is used: at most 30d.",
)
@key_option
@as_json
def rotate(token_id: UUID, overlap: timedelta, json_output: bool) -> None:
    """Create a token that replaces TOKEN, an id or a name, and show it once."""
    from appliance.client import admin

    _show(admin.rotate_token(connect(), token_id, RotateToken(overlap=overlap.total_seconds())), json_output)


@token.command("list")
@as_json
def list_tokens(json_output: bool) -> None:
    """List tokens, without their secrets."""
    from appliance.client import admin

    tokens = admin.tokens(connect())
    if json_output:
        print_json(tokens)
        return
    rows = ((t.name, t.prefix, t.scope, t.username, t.created, t.expires_at, t.last_used, t.id) for t in tokens)
    print_table(("NAME", "BEGINS", "SCOPE", "USER", "CREATED", "EXPIRES", "LAST USED", "ID"), rows, "No tokens exist.")


@token.command()
@click.argument("token_id", type=TokenId(), metavar="TOKEN")
@key_option
def revoke(token_id: UUID) -> None:
    """Revoke TOKEN, an id or a name, immediately."""
    from appliance.client import admin

    admin.delete_token(connect(), token_id)
    echo("Token revoked.")


def _show(created: TokenCreated, json_output: bool) -> None:
    if json_output:
        print_json(created)
        return
    echo(created.token)
    ends = created.view.expires_at
    note = "Save this token now: it won't be shown again."
    echo(note if ends is None else f"{note} It ends at {zone.named(ends)}.", err=True)
