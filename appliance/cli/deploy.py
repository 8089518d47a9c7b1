"""`appliance deploy [PATH]`: shows what would change on the server if the flows of a project were registered, and registers them."""

from __future__ import annotations

from pathlib import Path

import click

from appliance.cli.confirmation import confirm
from appliance.cli.connection import connect
from appliance.cli.options import key_option, yes_option
from appliance.cli.output import as_json, echo, print_json

EPILOG = """\b
Examples:
  appliance deploy                                  the project of this folder, after a look at what changes
  appliance deploy --dry-run
  appliance deploy ~/projects/sales --yes --json    in a script"""


@click.command(epilog=EPILOG)
@click.argument("path", default=".", type=click.Path(exists=True, path_type=Path))
@click.option("--project", help="The flows' project [the one of pyproject.toml].")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@yes_option
@key_option
@as_json
def deploy(path: Path, project: str | None, dry_run: bool, yes: bool, json_output: bool) -> int:
    """Register the flows of a project as its pyproject.toml says.

    PATH is a folder or file of the project [this folder]. All flows in it are deployed, and those that [tool.appliance] names. If
    one of them can't be, nothing is deployed. A second deployment of the same content changes nothing.
    """
    from appliance.cli import plans
    from appliance.kit.errors import ApplianceError
    from appliance.packaging import deployment

    try:
        file = deployment.project_of(path)
    except ApplianceError as error:
        raise click.UsageError(str(error)) from error
    project = project or file.project
    if not project:
        raise click.UsageError('Name the project: --project finance, or project = "finance" in [tool.appliance].')
    search = plans.new_search()
    deployment.look(search, file, path)
    pairs, problems = search.distinct(), search.problems
    _refuse(problems)
    transport = connect()
    store = plans.store_of(transport, project)
    ready = deployment.prepare(pairs, project, problems, store)
    _refuse(problems)
    planned = deployment.plan(transport, ready, problems, store)
    _refuse(problems)
    if not json_output:
        for plan in planned:
            plans.print_plan(plan)
    if dry_run:
        if json_output:
            print_json([plans.plan_json(plan) for plan in planned])
        return 0
    changes = any(plan.changes for plan in planned)
    if changes:
        confirm(yes, f"\nDeploy this to {transport.url}?")
    elif not json_output:
        echo("Nothing changes.")
    ready = plans.build_images(ready, problems)
    _refuse(problems)
    plans.register_all(transport, ready, problems, json_output, quiet=not changes, store=store)
    plans.print_problems(problems)
    return 1 if problems else 0


def _refuse(problems: list[str]) -> None:
    """Raises UsageError if there are any."""
    if problems:
        raise click.UsageError("\n".join([*problems, "Nothing was deployed."]))
