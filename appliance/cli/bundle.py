"""`appliance bundle`: lists the code that the server keeps, and makes and changes the keys that seal it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from appliance.cli.confirmation import confirm
from appliance.cli.connection import connect
from appliance.cli.options import yes_option
from appliance.cli.output import as_json, echo, print_json, print_table

EPILOG = """\b
Examples:
  appliance bundle list
  appliance bundle key new site.key                 for those who register flows, and for agents"""


T = TypeVar("T")
_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group(epilog=EPILOG)
def bundle() -> None:
    """List the bundles of code that the server keeps, and look after the keys that seal them."""


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
        [
            item.digest[:12],
            item.project,
            f"{item.size:,}",
            f"sealed with {item.key_id or 'a key'}" if item.sealed else "",
            str(item.versions),
        ]
        for item in items
    ]
    print_table(["bundle", "project", "bytes", "", "versions"], rows, "The server keeps no bundles.")


KEY_EPILOG = """\b
Examples:
  appliance bundle key new site.key
  appliance bundle key add site.key                 then give the file to all agents and authors
  appliance bundle key switch site.key              then give it to them again
  appliance bundle key remove site.key 3f0c5e6b7c8d9a01"""


@bundle.group("key", epilog=KEY_EPILOG)
def key_commands() -> None:
    """Make the keys that seal bundles and results, and change them."""


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


@key_commands.command("list")
@_FILE
@as_json
def list_keys(file: Path, json_output: bool) -> None:
    """List the keys in FILE by their ids. The first one seals; all of them open."""
    from appliance.packaging import sealing

    keys = _tried(lambda: sealing.keys_in(file), file)
    if json_output:
        print_json(keys)
        return
    rows = [(key.id, "seals and opens" if key.seals else "opens", key.recipient) for key in keys]
    print_table(("KEY", "USE", "PUBLIC HALF"), rows, "")


@key_commands.command("add")
@_FILE
def add_key(file: Path) -> None:
    """Make another key and put it last in FILE: it opens, and nothing is sealed with it yet.

    Give the file to all agents, and restart them, before you switch: an agent without the key could not open what is sealed with it.
    """
    from appliance.packaging import sealing

    _tried(lambda: sealing.add_key(file), file)
    key = sealing.keys_in(file)[-1]
    echo(
        f"Key {key.id} opens from now on; give {file.name} to all agents and authors, and then make it seal with `appliance bundle key switch`."
    )


@key_commands.command("switch")
@_FILE
def switch_key(file: Path) -> None:
    """Put the last key of FILE first: from now on, it seals, and the others only open."""
    from appliance.packaging import sealing

    _tried(lambda: sealing.switch_key(file), file)
    key = sealing.keys_in(file)[0]
    echo(
        f"Key {key.id} seals from now on; give {file.name} to all agents and authors again, and register the flows again."
    )


@key_commands.command("remove")
@_FILE
@click.argument("key_id", metavar="KEY")
@yes_option
def remove_key(file: Path, key_id: str, yes: bool) -> None:
    """Take KEY, by its id, out of FILE. What only this key opens is lost with it.

    `appliance result list` and `appliance bundle list` show which key has sealed what the appliance keeps.
    """
    from appliance.packaging import sealing

    confirm(yes, f"What is sealed with key {key_id} can't be opened with {file.name} any more. Remove the key?")
    _tried(lambda: sealing.remove_key(file, key_id), file)
    echo(f"Key {key_id} is no longer in {file.name}.")


def _tried(work: Callable[[], T], file: Path) -> T:
    """Its answer. Raises a usage error that says what is wrong with the file."""
    from appliance.packaging.sealing import KeyMissing

    try:
        return work()
    except KeyMissing as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"The key file {file.name} can't be used: {error.strerror}.") from error
