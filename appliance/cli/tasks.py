"""`appliance tasks`: the subjects of the task library, and what each needs."""

from __future__ import annotations

from typing import Any

import click

from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.kit import suggestions
from appliance.kit.distribution import install
from appliance.tasks.catalogue import BY_NAME, SUBJECTS, Subject


@click.group(epilog="\b\nExamples:\n  appliance tasks list\n  appliance tasks show postgres")
def tasks() -> None:
    """List the subjects of the task library."""


@tasks.command("list")
@as_json
def list_subjects(json_output: bool) -> None:
    """List the subjects of the task library, with the extras that they need and whether these are installed here."""
    if json_output:
        print_json([_document(subject) for subject in SUBJECTS])
        return
    cells = ((one.name, one.extra or "", "yes" if one.is_installed() else "no", one.about) for one in SUBJECTS)
    print_table(("SUBJECT", "EXTRA", "INSTALLED", "ABOUT"), cells, "The task library is empty.")


@tasks.command()
@click.argument("subject")
@as_json
def show(subject: str, json_output: bool) -> None:
    """Show the tasks of SUBJECT, such as `shell`, and the command that installs what they need."""
    if subject not in BY_NAME:
        hint = suggestions.hint(subject, list(BY_NAME), "the subjects are")
        raise click.UsageError(f"The task library has no subject {subject!r}; {hint}")
    one = BY_NAME[subject]
    if json_output:
        print_json(_document(one))
        return
    echo(f"{one.name}: {one.about}\n")
    echo("\n".join(f"  from {one.module} import {name}" for name in one.tasks))
    if one.extra is not None:
        state = "installed here" if one.is_installed() else f"not installed here; run: {install(one.extra)}"
        echo(f"\nIt needs the extra {one.extra!r}, which is {state}")


def _document(subject: Subject) -> dict[str, Any]:
    return {
        "name": subject.name,
        "module": subject.module,
        "about": subject.about,
        "tasks": list(subject.tasks),
        "extra": subject.extra,
        "install": None if subject.extra is None else install(subject.extra),
        "installed": subject.is_installed(),
    }
