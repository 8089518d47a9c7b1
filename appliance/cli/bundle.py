"""`appliance bundle`: lists the code that the server keeps, and makes the key that seals it."""

from __future__ import annotations

from pathlib import Path

import click

from appliance.cli.connection import connect
from appliance.cli.output import as_json, echo, print_json, print_table

EPILOG = """\b
Examples:
  appliance bundle list
  appliance bundle key new site.key                 for those who register flows, and for agents"""


@click.group(epilog=EPILOG)
def bundle() -> None:
    """List the bundles of code that the server keeps, and make the key that seals them."""


@bundle.command("list")
@as_json
def list_bundles(json_output: bool) -> None:
    """List bundles, newest first. Only administrators may; nobody gets their content but runs."""
    from appliance.client import bundles

    items = list(bundles.listed(connect()))
    if json_output:
        print_json(items)
        return
    rows = [
        [item.digest[:12], item.project, f"{item.size:,}", "sealed" if item.sealed else "", str(item.versions)]
        for item in items
    ]
    print_table(["bundle", "project", "bytes", "", "versions"], rows, "The server keeps no bundles.")


@bundle.group("key", epilog="\b\nExample:\n  appliance bundle key new bundles.key")
def key_commands() -> None:
    """Make the key that seals bundles."""


@key_commands.command("new")
@click.argument("file", type=click.Path(path_type=Path))
def new_key(file: Path) -> int:
    """Write a new key to FILE, which must not exist yet and only you can read, and print its public half.

    Name the file in APPLIANCE_BUNDLE_KEY_FILE where flows are registered and where agents run. The server must not have it: it then
    keeps code that it can't read. Keep a copy in a safe place; without the key, the flows have to be registered again.
    """
    from appliance.packaging import sealing

    try:
        key = sealing.new_key(file)
    except FileExistsError as error:
        raise click.UsageError(
            f"{file.name} exists already; name a new file, since a lost key can't be recovered."
        ) from error
    except OSError as error:
        raise click.UsageError(f"The key can't be written to {file.name}: {error.strerror}.") from error
    echo(key.recipient)
    return 0
