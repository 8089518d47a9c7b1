"""`appliance profile`: the servers that this user has signed in to."""

from __future__ import annotations

import os

import click

from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.kit import profiles, suggestions
from appliance.kit.profiles import Profiles


@click.group(epilog="\b\nExamples:\n  appliance profile list\n  appliance profile use test")
def profile() -> None:
    """List profiles and choose the one to use. `appliance login` creates them."""


@profile.command("list")
@as_json
def list_profiles(json_output: bool) -> None:
    """List profiles, without their tokens."""
    known = profiles.load(os.environ)
    rows = [(name, one.url, name == known.current) for name, one in sorted(known.profiles.items())]
    if json_output:
        print_json([{"name": name, "url": url, "in_use": in_use} for name, url, in_use in rows])
        return
    cells = ((name, url, "yes" if in_use else "") for name, url, in_use in rows)
    print_table(("NAME", "URL", "IN USE"), cells, "There are no profiles; create one with `appliance login`.")


@profile.command()
@click.argument("name")
def use(name: str) -> None:
    """Use profile NAME for all later commands."""
    known = profiles.load(os.environ)
    name = chosen(known, name)
    profiles.save(os.environ, known.using(name, known.profiles[name]))
    echo(f"Using profile {name!r} with {known.profiles[name].url}.")


def chosen(known: Profiles, name: str) -> str:
    """The name, if there is such a profile. Raises UsageError."""
    if name not in known.profiles:
        hint = suggestions.hint(name, list(known.profiles), "the profiles are")
        raise click.UsageError(f"There is no profile {name!r}; {hint if known.profiles else 'run `appliance login`.'}")
    return name
