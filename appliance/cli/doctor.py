"""`appliance doctor`: looks for damage in the database on this machine."""

from __future__ import annotations

from typing import Any

import click

from appliance import config
from appliance.cli.backup import place_options, sentences
from appliance.cli.output import as_json, echo, print_json, print_table


@click.group(epilog="\b\nExample:\n  appliance doctor rows")
def doctor() -> None:
    """Look for damage in the database on this machine."""


@doctor.command("rows", epilog="\b\nExamples:\n  appliance doctor rows\n  appliance doctor rows --json")
@place_options
@as_json
def list_rows(json_output: bool, **options: Any) -> int:
    """List the rows that hold a damaged value and are left out of every list. The appliance may be running. Exits with 1 if there are any."""
    settings = config.load(**options)
    from appliance.server.db import damaged_rows, sqlite
    from appliance.server.db.session import open_database

    file = sqlite.file_of(settings.database)
    if file is not None and not file.exists():
        raise click.ClickException(f"There is no database at {file}; name its folder with --data-dir.")
    database = open_database(settings)
    try:
        with sentences():
            damaged = list(damaged_rows.scan(database))
    finally:
        database.dispose()
    facts = [{"table": one.table, "key": one.key, "column": one.column, "fault": one.fault} for one in damaged]
    if json_output:
        print_json({"items": facts})
    else:
        rows = [tuple(fact.values()) for fact in facts]
        print_table(("TABLE", "KEY", "COLUMN", "FAULT"), rows, "No row holds a damaged value.")
    if damaged and not json_output:
        echo(
            "The appliance leaves these rows out and goes on. If a backup has them whole, restore it (`appliance backup restore`);"
            " otherwise stop the appliance, and correct or delete them with a shell for SQL."
        )
    return 1 if damaged else 0
