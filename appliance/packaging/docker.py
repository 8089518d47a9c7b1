"""Flow code in an image that is built from the flows: one image for all flows of a project that say the same of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from appliance.config import client_address
from appliance.core import flow_source
from appliance.core.errors import FlowBuildError
from appliance.kit.distribution import MissingExtra, install, is_installed
from appliance.packaging import archive, lock_files
from appliance.packaging.bundle import BundleStorage
from appliance.packaging.dockerignore import NAME as IGNORE_FILE
from appliance.packaging.dockerignore import Ignored
from appliance.packaging.image_options import ImageOptions
from appliance.packaging.image_recipe import FOLDER, CopiedFile, Pin, Recipe
from appliance.packaging.local import LocalStorage
from appliance.packaging.placed import documented
from appliance.packaging.storage import LoadError
from appliance.protocol.environments import requirements_problem

if TYPE_CHECKING:
    from appliance.packaging.image_build import Builder

Say = Callable[[str], object]
_LOOPBACK = ("localhost", "127.", "::1")


class Docker(ImageOptions):
    """Build an image with the flow's code, on `base_image`, which has Python: `Flow(..., storage=Docker("python:3.13-slim"))`.

    `requirements` are packages with their versions, and `lock` is a file of the project with more of them, which pip installs from `index`, by default
    the appliance's own; `only_wheels` says that nothing is compiled. `files` are copied, from paths in the project to paths in the image, except what
    .dockerignore lists. `env` sets variables, and `commands` are further lines of the Dockerfile: anyone who has the image can read both. `name` is the
    image's, by default the project's, and `tag` what its tag begins with. With a `registry`, the image is pushed there. `network` is that of the build.
    """

    def describe(self) -> dict[str, Any]:
        return {"type": "docker"}

    def at(self, local: LocalStorage) -> DockerStorage:
        """The storage of a flow that was found here. Raises FlowBuildError."""
        try:
            return DockerStorage(self, local)
        except LoadError as error:
            raise FlowBuildError(str(error)) from None


class DockerStorage:
    """A flow in an image, which may still have to be built. `files`: those of its version, by their paths in the tree."""

    def __init__(self, options: ImageOptions, local: LocalStorage) -> None:
        """Raises LoadError if a file has changed since the flow was loaded, and FlowBuildError if .dockerignore lists the flow's own."""
        bundle = BundleStorage.of(local)
        self.source, self.flow, self.path, self.module = local.path, local.flow, bundle.path, bundle.module
        self.options, self.folder = options, local.path.parents[bundle.path.count("/")]
        ignored = _ignored(self.folder)
        self.files = {name: content for name, content in bundle.files.items() if name not in ignored}
        if self.path not in self.files:
            raise FlowBuildError(f"{IGNORE_FILE} keeps {self.path} out of the image, which has flow {self.flow!r}.")
        self.image = ProjectImage("", [self])

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each file."""
        return {name: flow_source.digest(content) for name, content in sorted(self.files.items())}

    def describe(self) -> dict[str, Any]:
        """The document of the version, in which the id of an image that isn't built yet is made up. Raises FlowBuildError."""
        recipe, pin, files = self.image.recipe, self.image.pin, self.hashes
        return documented(
            {
                "type": "docker",
                "image": recipe.name,
                "id": pin.id or f"sha256:{recipe.content}",
                "digest": pin.digest,
                "folder": str(FOLDER),
                "path": self.path,
                "flow": self.flow,
                "module": self.module,
                "sha256": files.pop(self.path),
                "files": files,
            }
        )


class ProjectImage:
    """The image of flows in one folder that have the same options, built with the engine that DOCKER_HOST names, or that of this machine."""

    def __init__(self, project: str, flows: Sequence[DockerStorage]) -> None:
        self.project, self.flows = project, flows
        self.pin = Pin()
        """What is pinned; without an id until it is built."""
        self._builder: Builder | None = None
        self._recipe: Recipe | None = None
        self._is_ready = False

    @property
    def options(self) -> ImageOptions:
        return self.flows[0].options

    @property
    def recipe(self) -> Recipe:
        """Raises FlowBuildError if the base image can't be had, or a file can't be read."""
        if self._recipe is None:
            builder = self._build_with()
            recipe = self._written(builder)
            self.pin = builder.existing(recipe)
            self._recipe = recipe
        return self._recipe

    def build(self, say: Say) -> None:
        """Build the image, check it, and push it if it has a registry, unless that was done. Raises FlowBuildError."""
        if not self._is_ready:
            recipe, builder = self.recipe, self._build_with()
            documents = [flow.describe() for flow in self.flows]
            self.pin = builder.build(recipe, documents, *_index(self.options), say)
            self._is_ready = True

    def _build_with(self) -> Builder:
        if self._builder is None:
            if not is_installed("docker"):
                raise MissingExtra(
                    f"Images are built with the SDK of Docker, which isn't installed; run: {install('docker')}"
                )
            from appliance.packaging.image_build import Builder  # its library is an extra

            self._builder = Builder()
        return self._builder

    def _written(self, builder: Builder) -> Recipe:
        options, folder = self.options, self.flows[0].folder
        lines = list(options.requirements)
        if options.lock is not None:
            lines += lock_files.resolved(self.flows[0].flow, {"lock": options.lock}, folder / "_")["requirements"]
        if problem := requirements_problem(lines):
            raise FlowBuildError(problem)
        return Recipe(
            base=builder.base_image(options.base_image),
            repository=options.repository(self.project),
            project=self.project,
            flows={flow.flow: archive.digest(flow.hashes) for flow in self.flows},
            tree={name: content for flow in self.flows for name, content in flow.files.items()},
            tag=options.tag or "",
            copied=list(_copied(folder, options.files)),
            requirements=lines,
            env=options.env,
            commands=options.commands,
            only_wheels=options.only_wheels,
            in_registry=options.registry is not None,
        )


def share(places: Iterable[object], project: str) -> list[ProjectImage]:
    """The images that flows of a project need: those that are in one folder and have the same options are in one."""
    shared: dict[tuple[Path, str], list[DockerStorage]] = {}
    for place in places:
        if isinstance(place, DockerStorage):
            shared.setdefault((place.folder, place.options.text), []).append(place)
    images = [ProjectImage(project, flows) for flows in shared.values()]
    for image in images:
        for flow in image.flows:
            flow.image = image
    return images


def _copied(folder: Path, files: dict[str, str]) -> Iterator[CopiedFile]:
    """What is copied into the image from a project's folder. Raises FlowBuildError."""
    ignored = _ignored(folder)
    for name, target in files.items():
        source = (folder / name).resolve()
        if not source.is_relative_to(folder) or not source.exists():
            raise FlowBuildError(f"There is no {name!r} in {folder.name}, from where files are copied into the image.")
        if source.is_file():
            yield CopiedFile(source, f"{target}{source.name}" if target.endswith("/") else target)
        for place, inner, names in os.walk(source):
            inner.sort()
            for path in (Path(place, one) for one in sorted(names)):
                if path.is_symlink() or not path.is_file():
                    raise FlowBuildError(f"{path.relative_to(folder)} is no ordinary file; list it in {IGNORE_FILE}.")
                if path.relative_to(folder).as_posix() not in ignored:
                    yield CopiedFile(path, str(PurePosixPath(target) / path.relative_to(source)))


def _ignored(folder: Path) -> Ignored:
    try:
        return Ignored.of(folder)
    except (OSError, ValueError) as error:
        raise FlowBuildError(
            f"{IGNORE_FILE} of {folder.name} can't be read: {getattr(error, 'strerror', None) or error}."
        ) from None


def _index(options: ImageOptions) -> tuple[dict[str, str], str | None]:
    """Where pip looks for packages, as arguments of the build, and the network of the build, from which that can be reached."""
    index = options.index or f"{client_address()[0]}/simple"
    host = urlsplit(index).hostname or ""
    arguments = {"PIP_INDEX_URL": index} | ({"PIP_TRUSTED_HOST": host} if index.startswith("http:") else {})
    return arguments, options.network or ("host" if host.startswith(_LOOPBACK) else None)
