"""`appliance backup`: copies the database while the appliance runs, verifies copies, and puts one in the place of a stopped appliance's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance import config
from appliance.cli.confirmation import confirm
from appliance.cli.options import on_the_server, yes_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.config import Settings
from appliance.kit.plurals import counted

if TYPE_CHECKING:
    from appliance.server.db.backups import Verified

_NOUNS = {
    "flow": "flow",
    "schedule": "schedule",
    "flow_run": "run",
    "task_run": "task run",
    "log": "log line",
    "event": "event",
}
_FILE = click.Path(dir_okay=False, path_type=Path)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--data-dir and --database-url: whose database it is."""
    command = on_the_server(command)
    for option in (
        click.option("--database-url", metavar="URL", help="Use Postgres instead of SQLite [APPLIANCE_DATABASE_URL]."),
        click.option("--data-dir", metavar="DIR", help="Where all data is stored [APPLIANCE_DATA_DIR, ./data]."),
    ):
        command = option(command)
    return command


@click.group(
    epilog="\b\nExamples:\n  appliance backup create\n  appliance backup verify data/backups/appliance-20260131T020000Z.db"
    "\n  appliance backup restore data/backups/appliance-20260131T020000Z.db"
)
def backup() -> None:
    """Back up the database on this machine, and restore it. Results, the code of flows, and the key of secrets are not part of it."""


@backup.command(epilog="\b\nExamples:\n  appliance backup create\n  appliance backup create /mnt/backups/monday.db")
@click.argument("file", type=_FILE, required=False)
@place_options
@as_json
def create(file: Path | None, json_output: bool, **options: Any) -> int:
    """Copy the database into FILE, also while the appliance runs, and verify the copy. [default: backups/ in the data directory]"""
    settings = config.load(**options)
    from appliance.kit import clock
    from appliance.server.db import backups, postgres_backups, sqlite

    now, database = clock.now(), sqlite.file_of(settings.database)
    target = file or _folder(settings) / f"appliance-{now:%Y%m%dT%H%M%SZ}{_suffix(settings)}"
    with sentences():
        if database is None:
            postgres_backups.create(settings.database, target)
        else:
            with _bar("Copying", json_output) as progress:
                backups.create(database, target, now, progress)
    return _print_verified(settings, target, json_output, "Created")


@backup.command("list")
@place_options
@as_json
def list_backups(json_output: bool, **options: Any) -> None:
    """List the backups in the data directory, newest first."""
    settings = config.load(**options)
    files = [path for path in _folder(settings).glob("appliance-*") if path.suffix in (".db", ".dump")]
    facts = [
        {"file": str(path), "bytes": path.stat().st_size, "made": datetime.fromtimestamp(path.stat().st_mtime, UTC)}
        for path in sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    ]
    if json_output:
        print_json({"items": facts})
    else:
        rows = [(fact["file"], fact["bytes"], fact["made"]) for fact in facts]
        print_table(("FILE", "BYTES", "MADE"), rows, "There are no backups yet; run `appliance backup create`.")


@backup.command()
@click.argument("file", type=_FILE)
@place_options
@as_json
def verify(file: Path, json_output: bool, **options: Any) -> int:
    """Open a scratch copy of FILE and check that it is whole: the file itself, and the histories of all runs. Exit code 1 if not."""
    return _print_verified(config.load(**options), file, json_output, "Verified")


@backup.command(epilog="\b\nExample:\n  appliance backup restore /mnt/backups/monday.db --yes")
@click.argument("file", type=_FILE)
@yes_option
@place_options
@as_json
def restore(file: Path, yes: bool, json_output: bool, **options: Any) -> int:
    """Put FILE in the place of the database of a stopped appliance. The former database is kept in backups/."""
    settings = config.load(**options)
    from appliance.cli import prepare
    from appliance.kit import clock
    from appliance.server.db import backups, postgres_backups, sqlite

    now, database = clock.now(), sqlite.file_of(settings.database)
    aside = _folder(settings) / f"appliance-replaced-{now:%Y%m%dT%H%M%S%fZ}{_suffix(settings)}"
    with prepare.data_directory(settings), sentences():
        confirm(yes, f"Replace the database of {settings.data_path} with {file}?")
        if database is None:
            verified = postgres_backups.restore(settings.database, file, aside, now)
        else:
            verified = backups.restore(database, file, aside, now)
    kept = str(aside) if aside.exists() else None
    if json_output:
        print_json({"file": str(file), "kept": kept, "counts": verified.counts})
    else:
        echo(f"Restored {file}: {_amounts(verified)}.")
        echo(f"The former database is {kept}." if kept else "There was no database before.")
        echo("Start the appliance. What was due in the past is not started; schedules go on with their next times.")
    return 0


def _print_verified(settings: Settings, file: Path, json_output: bool, done: str) -> int:
    from appliance.server.db import backups, postgres_backups

    with sentences():
        is_dump = file.suffix == ".dump"
        verified = postgres_backups.verify(settings.database, file) if is_dump else backups.verify(file)
    if json_output:
        facts = {"file": str(file), "bytes": file.stat().st_size, "schema": verified.revision}
        print_json({**facts, "counts": verified.counts, "problems": verified.problems})
    elif verified.problems:
        echo("\n".join([f"{file} can't be used as a backup:", *verified.problems]), err=True)
    else:
        echo(f"{done} {file}: {_amounts(verified)}.")
    return int(bool(verified.problems))


def _amounts(verified: Verified) -> str:
    return ", ".join(counted(verified.counts[table], noun) for table, noun in _NOUNS.items())


def _folder(settings: Settings) -> Path:
    from appliance.server.db.backups import FOLDER

    return settings.data_path / FOLDER


def _suffix(settings: Settings) -> str:
    return ".db" if settings.database.startswith("sqlite") else ".dump"


@contextmanager
def _bar(label: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on the terminal."""
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=quiet) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show


@contextmanager
def sentences() -> Iterator[None]:
    """Turn the errors of the server's code into those of a command."""
    from appliance.server.errors import ServerError

    try:
        yield
    except ServerError as error:
        raise click.ClickException(error.message) from error
