"""`appliance secret`: lists, sets, and deletes the secrets that the server keeps for runs. Nobody can read them back."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from appliance.cli.confirmation import confirm
from appliance.cli.connection import connect
from appliance.cli.identifiers import unknown
from appliance.cli.options import key_option, yes_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.kit.plurals import counted
from appliance.protocol.secrets import PutSecret, SecretView

EPILOG = """\b
Examples:
  appliance secret set WAREHOUSE_PASSWORD --project reports
  appliance secret set DEPLOY_KEY --project reports --from-file id_ed25519
  pass show warehouse | appliance secret set WAREHOUSE_PASSWORD --project reports
  appliance secret delete WAREHOUSE_PASSWORD --project reports"""
_project_option = click.option("--project", required=True, help="Project whose flows may declare the secret.")


@click.group(epilog=EPILOG)
def secret() -> None:
    """List, set, and delete the secrets of projects. Only runs read their values: those of flows that declare them."""


@secret.command("set", epilog=EPILOG)
@click.argument("name")
@_project_option
@click.option(
    "--from-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the value from a file instead of prompting for it.",
)
@key_option
@as_json
def set_secret(name: str, project: str, from_file: Path | None, json_output: bool) -> None:
    """Set secret NAME of a project, which is created if it doesn't exist. The value is prompted for, or read from a pipe or a file without
    the newlines at its end. Runs that begin to use it from now on get the new value."""
    from appliance.client import secrets

    saved = secrets.put(connect(), PutSecret(project=project, name=name, secret_value=_value(from_file)))
    if json_output:
        print_json(saved)
    else:
        echo(f"Secret {saved.name} of project {saved.project} is set.")
        echo(_use(saved), err=True)


@secret.command("list")
@click.option("--project", help="List the secrets of this project only.")
@as_json
def list_secrets(project: str | None, json_output: bool) -> None:
    """List secrets, without their values, and the flows that declare them."""
    from appliance.client import secrets

    items = list(secrets.listed(connect(), project))
    if json_output:
        print_json(items)
        return
    rows = ((one.project, one.name, one.updated, one.updated_by, _users(one)) for one in items)
    empty = "There are no secrets; set one with `appliance secret set`."
    print_table(("PROJECT", "NAME", "SET", "BY", "USED BY"), rows, empty)


@secret.command("delete", epilog="\b\nExample:\n  appliance secret delete WAREHOUSE_PASSWORD --project reports --yes")
@click.argument("name")
@_project_option
@yes_option
@key_option
def delete(name: str, project: str, yes: bool) -> None:
    """Delete secret NAME of a project. Runs that ask for it from now on fail."""
    from appliance.client import secrets

    transport = connect()
    known = {one.name: one for one in secrets.listed(transport, project)}
    if name not in known:
        raise unknown("secret", name, known, "the secrets are", f" in project {project!r}")
    confirm(yes, f"{_use(known[name])} Delete {name}?")
    secrets.delete(transport, known[name].id)
    echo(f"Secret {name} of project {project} is deleted.")


def _value(file: Path | None) -> str:
    """From the file, from what is piped in, or from the keyboard: never from the command line, which others can see."""
    try:
        if file is not None:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        if not sys.stdin.isatty():
            piped = sys.stdin.buffer.read().decode("utf-8").rstrip("\r\n")
            if not piped:
                raise click.UsageError("Nothing is piped in; pipe the value in, or name a file with --from-file.")
            return piped
    except UnicodeDecodeError:
        raise click.UsageError("The value isn't text in UTF-8; encode it first, as in base64.") from None
    value: str = click.prompt("Value", hide_input=True, confirmation_prompt=True)
    return value


def _use(one: SecretView) -> str:
    return f"It is used by {_users(one)}." if one.users else "No flow declares it yet."


def _users(one: SecretView) -> str:
    names = [user.name for user in one.used_by[:3]]
    return ", ".join(names) + (f" and {counted(one.users - 3, 'more flow')}" if one.users > 3 else "")
