"""`appliance image`: builds images of flows, lists them, brings them to other hosts as files, and removes those that nothing needs."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from appliance.cli.connection import connect
from appliance.cli.options import yes_option
from appliance.cli.output import as_json, echo, print_json, print_table, size_text
from appliance.cli.zone import zone_option
from appliance.kit.distribution import MissingExtra, install, is_installed
from appliance.kit.plurals import counted

if TYPE_CHECKING:
    from appliance.packaging.docker import ProjectImage
    from appliance.packaging.image_engine import ImageEngine, LocalImage
    from appliance.packaging.image_uses import Uses

EPILOG = """\b
Examples:
  appliance image build                             the images of the project in this folder, without registering anything
  appliance image list
  appliance image export finance:3f2a9c81d0ab - | ssh edge-01 appliance image import -
  appliance image prune                             only lists what would be removed
  appliance image prune --keep 1 --yes              leaves the newest version of each flow, and what runs need"""
_STEP = 100 * 2**20
_path = click.argument("path", default=".", type=click.Path(exists=True, path_type=Path))
_project = click.option("--project", help="The flows' project [the one of pyproject.toml].")


@click.group(epilog=EPILOG)
def image() -> None:
    """Build images of flows that have the storage Docker, list them, and bring them to other hosts."""


@image.command("build", epilog=EPILOG)
@_path
@_project
@as_json
def build_image(path: Path, project: str | None, json_output: bool) -> int:
    """Build and check the images of a project's flows, without registering anything.

    PATH is a folder or file of the project [this folder]. An image whose sources and options are the same is not built again.
    """
    from appliance.kit.errors import ApplianceError

    try:
        images = _images(path, project)
        for one in images:
            one.build(lambda sentence: echo(sentence, err=True))
    except ApplianceError as error:
        raise click.ClickException(str(error)) from error
    built: list[dict[str, Any]] = [
        {
            "image": one.recipe.name,
            "id": one.pin.id,
            "digest": one.pin.digest or None,
            "flows": sorted(one.recipe.flows),
        }
        for one in images
    ]
    if json_output:
        print_json(built)
        return 0
    for each in built:
        echo(f"{each['image']} ({each['digest'] or each['id']}): {', '.join(each['flows'])}")
    return 0


@image.command("dockerfile", epilog=EPILOG)
@_path
@_project
def show_dockerfile(path: Path, project: str | None) -> None:
    """Print the Dockerfile from which the image of a project's flows is built."""
    from appliance.kit.errors import ApplianceError

    try:
        texts = [one.recipe.dockerfile for one in _images(path, project)]
    except ApplianceError as error:
        raise click.ClickException(str(error)) from error
    echo("\n".join(texts), nl=False)


@image.command("list", epilog=EPILOG)
@click.option("--project", help="Only images of this project.")
@zone_option
@as_json
def list_images(project: str | None, json_output: bool) -> None:
    """List the images of flows that the engine has, newest first, and the versions whose code is in them, if the server can be reached."""
    from appliance.client.errors import ClientError
    from appliance.packaging import image_uses

    with _engine() as engine:
        images = _of_project(engine, project)
    try:
        uses = image_uses.of(connect(), images)
    except ClientError as error:
        echo(f"Which versions use them is not known: {error}", err=True)
        uses = {}
    if json_output:
        print_json([_document(one, uses.get(one.id)) for one in images])
        return
    rows = [
        (*_words(one), size_text(one.size), one.created, ", ".join(uses[one.id].versions) if one.id in uses else "?")
        for one in images
    ]
    print_table(("IMAGE", "PROJECT", "FLOWS", "SIZE", "BUILT", "VERSIONS"), rows, "The engine has no images of flows.")


@image.command("export", epilog=EPILOG)
@click.argument("name", metavar="IMAGE")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
def export_image(name: str, file: Path) -> None:
    """Write IMAGE, with all its layers, to FILE, and its SHA-256 to FILE.sha256; or to standard output, if FILE is a dash.

    Bring both to a host without a registry, and there run `appliance image import`.
    """
    from appliance.packaging.image_recipe import CONTENT

    with _engine() as engine:
        facts = engine.image(name)
        if facts is None or CONTENT not in (facts["Config"].get("Labels") or {}):
            raise click.ClickException(f"The engine has no image of flows named {name}; see `appliance image list`.")
        blocks = engine.save(name)
        if str(file) == "-":
            if sys.stdout.isatty():
                raise click.UsageError("An image is not for a terminal; redirect it, or name a file.")
            digest = _copied(blocks, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            digest = _written(blocks, file)
    echo(f"SHA-256 {digest}", err=True)


@image.command("import", epilog=EPILOG)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@as_json
def import_image(file: Path, json_output: bool) -> None:
    """Load the image in FILE, which `appliance image export` has written, into the engine; or that in standard input, if FILE is a dash.

    What is in the file is looked at first: nothing is loaded but an image of flows, under its own name. If FILE.sha256 is there, it has to match.
    """
    from appliance.packaging import image_archive
    from appliance.packaging.image_archive import BadImage

    try:
        with _opened(file) as content:
            archived = image_archive.look(content)
            content.seek(0)
            with _engine() as engine:
                engine.load(content)
                facts = engine.image(archived.name)
    except BadImage as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"The image can't be read: {error.strerror or error}.") from error
    id_ = None if facts is None else facts["Id"]
    if json_output:
        print_json({"image": archived.name, "id": id_, "project": archived.project, "flows": archived.flows})
        return
    echo(f"{archived.name} ({id_}): {', '.join(archived.flows)} of project {archived.project}")


@image.command("prune", epilog=EPILOG)
@click.option("--project", help="Only images of this project.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many of the newest versions of each flow keep their images.",
)
@yes_option
@as_json
def prune_images(project: str | None, keep: int, yes: bool, json_output: bool) -> int:
    """List the images of flows, and with --yes remove those that nothing needs.

    An image is needed by the newest versions of flows that are not in the archive, by older ones of which runs have not ended, and by containers. A
    run of another version that is restarted later is paused until its image is back, unless it goes on with the newest version. Images of projects
    that are not on this server are kept: they may belong to another one.
    """
    from appliance.packaging import image_uses
    from appliance.packaging.docker_engine import EngineRefused

    with _engine() as engine:
        images = _of_project(engine, project)
        uses, busy = image_uses.of(connect(), images, keep), engine.in_use()
        reasons = {
            one.id: image_uses.reason_to_keep(one, uses.get(one.id, image_uses.Uses()), one.id in busy)
            for one in images
        }
        unneeded = [one for one in images if not reasons[one.id]]
        problems = []
        for one in unneeded if yes else ():
            try:
                for name in one.names or (one.id,):
                    engine.remove_image(name)
            except EngineRefused as error:
                reasons[one.id] = "it could not be removed"
                problems.append(f"{_name(one)} is still there: {error}")
    if json_output:
        print_json(
            [{"image": _name(one), "id": one.id, "size": one.size, "kept": reasons[one.id] or None} for one in images]
        )
    else:
        rows = [
            (*_words(one), size_text(one.size), reasons[one.id] or ("removed" if yes else "not needed"))
            for one in images
        ]
        print_table(("IMAGE", "PROJECT", "FLOWS", "SIZE", "STATUS"), rows, "The engine has no images of flows.")
        if unneeded and not yes:
            most = size_text(sum(one.size for one in unneeded))  # images may share layers
            echo(
                f"{counted(len(unneeded), 'image')} would be removed, which frees at most {most}. Add --yes to do it.",
                err=True,
            )
    for problem in problems:
        echo(f"Error: {problem}", err=True)
    return 1 if problems else 0


def _images(path: Path, project: str | None) -> list[ProjectImage]:
    """The images of a project's flows. Raises UsageError, or ApplianceError."""
    from appliance.cli import plans
    from appliance.packaging import deployment, docker, register

    file = deployment.project_of(path)
    project = project or file.project
    if not project:
        raise click.UsageError('Name the project: --project finance, or project = "finance" in [tool.appliance].')
    search = plans.new_search()
    deployment.look(search, file, path)
    pairs = search.distinct()
    if search.problems:
        raise click.UsageError("\n".join(search.problems))
    images = docker.share([register.place_of(flow, None, local, None) for flow, local in pairs], project)
    if not images:
        raise click.UsageError(
            "No flow has the storage Docker; name it in the code, or as storage in [tool.appliance]."
        )
    return images


@contextmanager
def _engine() -> Iterator[ImageEngine]:
    """The engine. What it can't do is an error of the command."""
    if not is_installed("docker"):
        raise MissingExtra(f"This needs the SDK of Docker; run: {install('docker')}")
    from appliance.packaging.docker_engine import EngineAway, EngineRefused
    from appliance.packaging.image_engine import ImageEngine

    try:
        yield ImageEngine()
    except (EngineAway, EngineRefused) as error:
        raise click.ClickException(str(error)) from error


def _of_project(engine: ImageEngine, project: str | None) -> list[LocalImage]:
    from appliance.packaging.image_recipe import PROJECT

    return [one for one in engine.images(PROJECT) if project in (None, one.labels[PROJECT])]


def _name(one: LocalImage) -> str:
    return one.names[0] if one.names else one.id.removeprefix("sha256:")[:12]


def _words(one: LocalImage) -> tuple[str, str, list[str]]:
    from appliance.packaging.image_recipe import PROJECT
    from appliance.packaging.image_uses import names_in

    return _name(one), one.labels[PROJECT], names_in(one)


def _document(one: LocalImage, uses: Uses | None) -> dict[str, Any]:
    name, project, flows = _words(one)
    return {
        "image": name,
        "id": one.id,
        "project": project,
        "flows": flows,
        "size": one.size,
        "built": one.created,
        "versions": None if uses is None else uses.versions,
    }


def _copied(blocks: Iterable[bytes], target: IO[bytes]) -> str:
    """Write the blocks. Returns their SHA-256."""
    digest, done, reported = hashlib.sha256(), 0, 0
    for block in blocks:
        target.write(block)
        digest.update(block)
        done += len(block)
        if done - reported >= _STEP and sys.stderr.isatty():
            reported = done
            echo(f"{size_text(done)} so far.", err=True)
    return digest.hexdigest()


def _written(blocks: Iterable[bytes], file: Path) -> str:
    """Write a file, whole or not at all, and its SHA-256 beside it."""
    draft = file.with_name(f"{file.name}.part")
    try:
        with draft.open("wb") as target:
            digest = _copied(blocks, target)
        draft.replace(file)
        file.with_name(f"{file.name}.sha256").write_text(f"{digest}  {file.name}\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{file.name} can't be written: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return digest


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """The content of a file, or of standard input, in a file that can be read twice. Raises BadImage if it is not what it was."""
    from appliance.packaging.image_archive import BadImage, blocks

    with tempfile.TemporaryFile() as own:
        source = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        with source:
            digest = _copied(blocks(source), own)
        beside = file.with_name(f"{file.name}.sha256")
        if beside.is_file() and beside.read_text(encoding="utf-8").split()[:1] != [digest]:
            raise BadImage(f"{file.name} is not what {beside.name} says: copy both again.")
        own.seek(0)
        yield own
