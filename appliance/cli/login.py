"""`appliance login`: checks a token and keeps it with the server's URL in a profile, for all later commands."""

from __future__ import annotations

import os
import re
import sys
from urllib.parse import urlsplit

import click

from appliance import config
from appliance.cli.output import echo
from appliance.kit import profiles

EPILOG = """\b
Examples:
  appliance login https://appliance.example.com
  appliance login https://test.example.com --profile test
  appliance login --token-stdin < token.txt"""


@click.command(epilog=EPILOG)
@click.argument("url", required=False)
@click.option(
    "--profile", "name", default="default", show_default=True, help="Name of the profile to create or replace."
)
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input instead of asking for it.")
def login(url: str | None, name: str, token_stdin: bool) -> None:
    """Sign in to the server at URL with a token, for all later commands. The token is never an argument, so that neither the list of
    processes nor the history of the shell contains it."""
    from appliance.client import admin
    from appliance.client.transport import Transport

    known = profiles.load(os.environ)
    former = known.profiles.get(name)
    address = _address(url or (former.url if former is not None else config.client_address()[0]))
    token = sys.stdin.readline().strip() if token_stdin else click.prompt("Token", hide_input=True).strip()
    if not re.fullmatch(r"[!-~]+", token):
        raise click.UsageError("This is not a token; it is one line of letters, digits, - and _, such as apl_api_....")
    with Transport(address, token) as transport:
        me = admin.me(transport)
    path = profiles.save(os.environ, known.using(name, profiles.Profile(url=address, token=token)))
    echo(f"Signed in to {address} as {me.username} ({me.role}); profile {name!r} is saved in {path}.")
    for variable in ("APPLIANCE_URL", "APPLIANCE_TOKEN", "APPLIANCE_TOKEN_FILE"):
        if os.environ.get(variable):
            echo(f"{variable} is set and takes precedence over the profile; unset it to use the profile.", err=True)


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise click.UsageError(f"{url!r} is not a valid URL; write it like https://appliance.example.com.")
    if parts.username is not None or parts.password is not None:
        raise click.UsageError("The URL must not contain a user or password; `appliance login` asks for a token.")
    if parts.query or parts.fragment:
        raise click.UsageError("The URL must end with the address of the server, without ? and #.")
    return url.rstrip("/")
