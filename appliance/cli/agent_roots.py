"""`appliance agent roots`: the folders that an administrator adds to those from which the agents of a data directory take code."""

from __future__ import annotations

from pathlib import Path

import click

from appliance import config
from appliance.cli.output import as_json, echo, print_json, print_table

EPILOG = """\b
Examples:
  appliance agent roots add /srv/flows
  appliance agent roots list --json
  appliance agent roots remove /srv/flows --data-dir /var/lib/appliance

Agents take notice within seconds. What was registered from a folder that is removed does not start any more."""

data_option = click.option("--data-dir", metavar="DIR", help="The agent's data directory [APPLIANCE_DATA_DIR, ./data].")


@click.group(epilog=EPILOG)
def roots() -> None:
    """Add folders from which the agents on this machine take code.

    They come on top of those with which an agent was started (--root, APPLIANCE_AGENT_ROOTS, or else the folder of its start and its user's
    home); `appliance get agents --json` lists all of them.
    """


@roots.command("list", epilog=EPILOG)
@data_option
@as_json
def list_roots(data_dir: str | None, json_output: bool) -> None:
    """List the folders that were added."""
    from appliance.kit import added_folders

    folders = added_folders.read(_data(data_dir))
    if json_output:
        print_json(folders)
    else:
        print_table(["folder"], [[folder] for folder in folders], "No folder has been added.")


@roots.command(epilog=EPILOG)
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR..."
)
@data_option
def add(folders: tuple[Path, ...], data_dir: str | None) -> None:
    """Add folders. Anyone with permission to register flows can then run any Python file in them."""
    from appliance.kit import added_folders
    from appliance.packaging import local_agent

    data = _data(data_dir)
    for folder in folders:
        path = folder.resolve()
        try:
            user = local_agent.unreadable(data, path)
        except OSError as error:
            raise click.ClickException(f"The folder {path} can't be looked at ({error.strerror}).") from error
        if user is not None:
            raise click.ClickException(
                f"User {user}, as which runs start here, can't enter {path}; open it and the folders above it to others, or name it at the start with --root."
            )
        try:
            added = added_folders.add(data, str(path))
        except (OSError, ValueError) as error:
            raise _failed(error) from error
        echo(
            f"Added {path}; the agent takes code from there in a few seconds."
            if added
            else f"{path} had been added before."
        )


@roots.command(epilog=EPILOG)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@data_option
def remove(folders: tuple[Path, ...], data_dir: str | None) -> None:
    """Remove folders that were added."""
    from appliance.kit import added_folders

    data = _data(data_dir)
    for folder in folders:
        try:
            if not added_folders.remove(data, str(folder.resolve())):
                raise click.ClickException(f"{folder} was not added; `appliance agent roots list` lists what was.")
        except OSError as error:
            raise _failed(error) from error
        echo(f"Removed {folder}.")


def _data(option: str | None) -> Path:
    data = config.load(data_dir=option).data_path
    if not data.is_dir():
        raise click.ClickException(f"There is no data directory {data}; name the agent's with --data-dir.")
    return data


def _failed(error: OSError | ValueError) -> click.ClickException:
    if isinstance(error, OSError):
        return click.ClickException(
            f"The list of folders can't be changed ({error.strerror}); run this as the user to whom the data directory belongs."
        )
    return click.ClickException(str(error))
