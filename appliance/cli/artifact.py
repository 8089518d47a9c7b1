"""`appliance artifact`: lists, shows, downloads, and deletes what runs have made for people to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
import msgspec

from appliance.cli.confirmation import confirm
from appliance.cli.connection import connect
from appliance.cli.identifiers import ArtifactId, FlowId, RunId
from appliance.cli.options import key_option, limit_option, yes_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.cli.zone import zone_option
from appliance.kit.plurals import counted
from appliance.protocol import artifact_kinds as kinds

if TYPE_CHECKING:
    from appliance.protocol.artifacts import ArtifactView

EPILOG = """\b
Examples:
  appliance artifact list --run amber-otter
  appliance artifact list --latest --project finance
  appliance artifact list --project finance --key daily-report
  appliance artifact show finance/daily-report
  appliance artifact download finance/daily-report --to report.md
  appliance artifact download finance/daily-report --to - | less"""
_MOST_ROWS = 50
_TEXTS = (kinds.MARKDOWN, kinds.LINK, kinds.TABLE)


@click.group(epilog=EPILOG)
def artifact() -> None:
    """List, show, download, and delete what runs have made for people to look at, such as tables, images, and reports."""


@artifact.command("list", epilog=EPILOG)
@click.option("--run", "flow_run_id", type=RunId(), help="Only artifacts of this run, an id or a name.")
@click.option("--flow", "flow_id", type=FlowId(), help="Only artifacts of this flow: its name, project/flow, or id.")
@click.option("--project", help="Only artifacts of this project.")
@click.option("--key", help="The versions of this key; needs --project.")
@click.option("--latest", is_flag=True, help="The latest version of each key.")
@click.option("--prefix", help="With --latest: only keys that begin with this.")
@limit_option()
@zone_option
@as_json
def list_artifacts(
    flow_run_id: UUID | None,
    flow_id: UUID | None,
    project: str | None,
    key: str | None,
    latest: bool,
    prefix: str | None,
    limit: int,
    json_output: bool,
) -> None:
    """List artifacts, newest first, without their content."""
    from appliance.client import artifacts

    if latest and (flow_run_id or flow_id or key):
        raise click.UsageError("--latest lists the keys of all projects or of one; leave out --run, --flow, and --key.")
    if prefix is not None and not latest:
        raise click.UsageError("--prefix is for the list of keys; add --latest.")
    transport = connect()
    if latest:
        items = list(artifacts.latest(transport, project=project, prefix=prefix, limit=limit))
    else:
        chosen = {"project": project, "flow_id": flow_id, "flow_run_id": flow_run_id, "key": key}
        items = list(artifacts.each(transport, **chosen, limit=limit))  # type: ignore[arg-type]
    if json_output:
        print_json(items)
        return
    columns = ("KIND", "KEY", "TITLE", "SIZE", "RUN", "TASK", "MADE", "ID")
    print_table(columns, map(_row, items), "No artifacts match.")


@artifact.command(epilog=EPILOG)
@click.argument("artifact_id", type=ArtifactId(), metavar="ARTIFACT")
@zone_option
@as_json
def show(artifact_id: UUID, json_output: bool) -> None:
    """Show ARTIFACT: an id, or a key or project/key for its latest version. Images, pages, and files can be downloaded."""
    from appliance.client import artifacts

    transport = connect()
    one = artifacts.one(transport, artifact_id)
    if json_output:
        print_json(one)
        return
    echo(
        f"{_name(one)}: {one.kind}, {_size(one)}, of run {one.flow_run or 'that was deleted'} of {one.project}/{one.flow}"
    )
    if one.kind in _TEXTS:
        echo("")
        _print_content(one.kind, artifacts.content(transport, one))
    elif one.kind != kinds.PROGRESS:
        echo(f"Download it with `appliance artifact download {one.id}`.")


@artifact.command(epilog=EPILOG)
@click.argument("artifact_id", type=ArtifactId(), metavar="ARTIFACT")
@click.option(
    "--to",
    type=click.Path(path_type=Path, allow_dash=True),
    help="The file or folder to write to; - for standard output [its own name, here].",
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def download(artifact_id: UUID, to: Path | None, force: bool) -> None:
    """Download ARTIFACT: an id, or a key or project/key for its latest version."""
    from appliance.client import artifacts

    transport = connect()
    one = artifacts.one(transport, artifact_id)
    content = artifacts.content(transport, one)
    if to == Path("-"):
        click.echo(content, nl=False)
        return
    path = to or Path()
    if path.is_dir():
        path /= kinds.download_name(one.kind, one.media_type, one.file_name, one.key, one.version, str(one.id))
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise click.UsageError(
            f"The file {path} exists; choose another with --to, or replace it with --force."
        ) from None
    except OSError as error:
        raise click.UsageError(f"Can't write to {path}: {error.strerror or error}.") from None
    echo(f"{path} ({counted(len(content), 'byte')})")


@artifact.command(epilog=EPILOG)
@click.argument("artifact_id", type=ArtifactId(), metavar="ARTIFACT")
@yes_option
@key_option
def delete(artifact_id: UUID, yes: bool) -> None:
    """Delete ARTIFACT: an id, or a key or project/key for its latest version. The other versions stay."""
    from appliance.client import artifacts

    transport = connect()
    if not yes:
        one = artifacts.one(transport, artifact_id)
        confirm(yes, f"Delete {_name(one)} of {one.project}/{one.flow}?")
    artifacts.remove(transport, artifact_id)
    echo(f"Artifact {artifact_id} is deleted.")


def _row(one: ArtifactView) -> tuple[Any, ...]:
    task = "" if one.task_slug is None else one.task_slug + (f"[{one.map_index}]" if one.map_index >= 0 else "")
    key = "" if one.key is None else f"{one.key} {one.version}"
    run = f"{one.flow}/{one.flow_run}" if one.flow_run else f"{one.flow}/-"
    return one.kind, key, one.title or one.file_name, _size(one), run, task, one.updated, one.id


def _name(one: ArtifactView) -> str:
    if one.key is not None:
        return f"Version {one.version} of {one.key}"
    return f"Artifact {one.title or one.file_name or one.id}"


def _size(one: ArtifactView) -> str:
    return counted(one.size, "byte") if one.progress is None else f"{one.progress:g} %"


def _print_content(kind: str, content: bytes) -> None:
    if kind != kinds.TABLE:
        echo(content.decode())
        return
    table = msgspec.json.decode(content, type=kinds.Table)
    print_table(table.columns, table.rows[:_MOST_ROWS], "The table has no rows.")
    if len(table.rows) > _MOST_ROWS:
        echo(f"... and {counted(len(table.rows) - _MOST_ROWS, 'more row', 'more rows')}; download it for all of them.")
