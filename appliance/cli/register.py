"""`appliance register PATH...`: finds the flows in files, folders and modules, and sends their metadata to the server."""

from __future__ import annotations

from pathlib import Path

import click

from appliance.cli.connection import connect
from appliance.cli.options import key_option
from appliance.cli.output import as_json, echo, print_json

EPILOG = """\b
Examples:
  appliance register flow.py --project finance
  appliance register flows/ --project finance --no-schedule
  appliance register -m reports.daily --project finance"""


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
@click.option("--as-new", is_flag=True, help="Make new flows, even if flows were renamed from these names.")
@as_json
def register(
    paths: tuple[Path, ...],
    modules: tuple[str, ...],
    project: str,
    labels: tuple[str, ...],
    schedule: bool,
    as_new: bool,
    json_output: bool,
) -> None:
    """Register every flow in files, folders, and modules.

    Files that define no flow are not executed. Registering the newest content again makes no version; older content makes a new version
    that restores it.
    """
    from appliance.kit.errors import ApplianceError
    from appliance.packaging.discover import distinct, flows_in, flows_in_module
    from appliance.packaging.register import register as send
    from appliance.packaging.register import registration

    if not paths and not modules:
        raise click.UsageError("Name a file or a folder with flows, or a module with -m.")
    try:
        pairs = [pair for path in paths for pair in flows_in(path)]
        pairs += [pair for module in modules for pair in flows_in_module(module)]
        pairs = distinct(pairs)
        for flow, storage in pairs:  # every flow is checked before the first one is sent
            registration(flow, project, labels=labels, storage=storage)
    except ApplianceError as error:
        raise click.UsageError(str(error)) from error
    transport = connect()
    answers = []
    for flow, storage in pairs:
        answer = send(
            flow,
            project,
            labels=labels,
            set_schedules_active=schedule,
            as_new=as_new,
            storage=storage,
            transport=transport,
        )
        answers.append(
            {
                "flow": flow.name,
                "project": project,
                "version": answer.version,
                "created": answer.created,
                "restores": answer.restores,
                "changes": answer.changes,
                "id": answer.flow_id,
                "schedules": answer.schedules,
            }
        )
        if not json_output:
            echo(f"{project}/{flow.name}: {answer}")
    if json_output:
        print_json(answers)
