"""`appliance register PATH...`: finds the flows in files, folders and modules, and sends their metadata to the server."""

from __future__ import annotations

from pathlib import Path

import click

from appliance.cli.connection import connect
from appliance.cli.options import key_option
from appliance.cli.output import as_json, print_json

EPILOG = """\b
Examples:
  appliance register flow.py --project finance
  appliance register flows/ --project finance --no-schedule
  appliance register -m reports.daily --project finance
  appliance register src/ --project finance --dry-run"""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.option("-m", "--module", "modules", multiple=True, help="A module, named as for `python -m` (repeatable).")
@click.option("--project", required=True, help="The flows' project; it is created if it does not exist.")
@click.option("--label", "labels", multiple=True, help="A label that the agent must have (repeatable).")
@click.option(
    "--schedule/--no-schedule",
    default=True,
    help="Turn new schedules on at once, or register the flows' schedules paused.",
)
@key_option
@click.option("--dry-run", is_flag=True, help="Only show what would be registered.")
@click.option("--as-new", is_flag=True, help="Make new flows, even if flows were renamed from these names.")
@as_json
def register(
    paths: tuple[Path, ...],
    modules: tuple[str, ...],
    project: str,
    labels: tuple[str, ...],
    schedule: bool,
    dry_run: bool,
    as_new: bool,
    json_output: bool,
) -> int:
    """Register every flow in files, folders, and modules.

    Of a folder, only files that define a flow are executed. A flow that can't be registered is reported, and the others are
    registered; the exit code is then 1. Registering the newest content again makes no version; older content makes a new version
    that restores it.
    """
    from appliance.cli import plans
    from appliance.packaging import deployment

    if not paths and not modules:
        raise click.UsageError("Name a file or a folder with flows, or a module with -m.")
    search = plans.new_search()
    for path in paths:
        search.path(path)
    for module in modules:
        search.module(module)
    pairs, problems = search.distinct(), search.problems
    transport = connect()
    store = plans.store_of(transport, project)
    ready = deployment.prepare(
        pairs, project, problems, store, labels=labels, set_schedules_active=schedule, as_new=as_new
    )
    if not ready:
        raise click.UsageError("\n".join(problems))
    if dry_run:
        planned = deployment.plan(transport, ready, problems, store)
        for plan in [] if json_output else planned:
            plans.print_plan(plan)
        if json_output:
            print_json([plans.plan_json(plan) for plan in planned])
    else:
        ready = plans.build_images(ready, problems)
        plans.register_all(transport, ready, problems, json_output, store=store)
    plans.print_problems(problems)
    return 1 if problems else 0
