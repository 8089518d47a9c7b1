"""`appliance logout`: forgets a profile and its token."""

from __future__ import annotations

import os

import click

from appliance.cli.output import echo
from appliance.cli.profile import chosen
from appliance.kit import profiles


@click.command(epilog="\b\nExamples:\n  appliance logout\n  appliance logout --profile test")
@click.option("--profile", "name", help="Name of the profile [the one in use].")
def logout(name: str | None) -> None:
    """Delete a profile with its token. The token itself stays valid until it expires or is revoked."""
    known = profiles.load(os.environ)
    if name is None and known.current is None:
        raise click.UsageError("No profile is in use; name one with --profile.")
    name = chosen(known, name or known.current or "")
    profiles.save(os.environ, known.without(name))
    echo(f"Profile {name!r} deleted. To make its token useless, run `appliance token revoke`.")
