"""`appliance version`: prints what is installed here."""

from __future__ import annotations

import platform

import click

from appliance.cli.output import as_json, echo, print_json
from appliance.kit import distribution
from appliance.kit.version import VERSION


@click.command()
@as_json
def version(json_output: bool) -> None:
    """Print the versions of Appliance, Python, and, where the server is installed, SQLite; and the name of the package."""
    facts = {"appliance": VERSION, "package": distribution.DISTRIBUTION, "python": platform.python_version()}
    if distribution.has_server():
        from appliance.server.db import sqlite

        facts["sqlite"] = sqlite.VERSION
    if json_output:
        print_json(facts)
    else:
        echo("\n".join(f"{name:<10} {value}" for name, value in facts.items()))
