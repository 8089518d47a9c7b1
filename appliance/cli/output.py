"""What commands print: tables for people, JSON for scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click
import msgspec

from appliance.cli import zone
from appliance.kit.printable import json_text, one_line, styled
from appliance.protocol.flow_runs import FlowRunView

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON instead of text.")


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text, whoever wrote it: it has no effect on a terminal, apart from colors."""
    click.echo(styled(text), err=err, nl=nl)


def print_json(value: Any) -> None:
    """Print a value, which may contain structs, as indented JSON."""
    echo(json_text(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def print_run(run: FlowRunView, json_output: bool) -> None:
    """Print a changed run: as one line, or in full as JSON."""
    if json_output:
        print_json(run)
    else:
        echo(f"Run {run.name} is {run.state}.")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Print rows under their column names, or the sentence `empty` if there are none. A column of times says their zone."""
    values = [list(row) for row in rows]
    cells = [[_text(value) for value in row] for row in values]
    if not cells:
        echo(empty, err=True)
        return
    columns = [
        f"{column} ({zone.name()})" if any(isinstance(row[i], datetime) for row in values) else column
        for i, column in enumerate(columns)
    ]
    widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    head = _line(columns, widths)
    echo(click.style(head, bold=True) if sys.stdout.isatty() else head)
    for row in cells:
        echo(_line(row, widths))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return zone.text(value)
    if isinstance(value, (list, tuple)):
        return one_line(", ".join(map(str, value)))
    return one_line(str(value))


def size_text(size: int) -> str:
    """A size in bytes for people."""
    if size < 2**20:
        return f"{size / 2**10:,.0f} KB"
    return f"{size / 2**20:,.0f} MB" if size < 10 * 2**30 else f"{size / 2**30:,.0f} GB"
