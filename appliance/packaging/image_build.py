"""From a recipe to an image that counts: built, checked from inside, named, and pushed if it has a registry. What fails leaves no container and no
name behind; the engine keeps the layers of the steps that were done, for the next try."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from appliance.core.errors import FlowBuildError
from appliance.kit.version import VERSION
from appliance.packaging import image_check
from appliance.packaging.docker_engine import EngineAway, EngineRefused
from appliance.packaging.image_engine import ImageEngine
from appliance.packaging.image_recipe import CONTENT, BaseImage, Pin, Recipe

Say = Callable[[str], object]
_PLACE = PurePosixPath("/var/lib/appliance-check")
_LAST = 15
"""Lines that are shown of what has failed."""
_LONGEST_LINE = 200


class Builder:
    """Builds images with an engine. Its methods raise FlowBuildError, with a sentence and perhaps the last lines."""

    def __init__(self, engine: ImageEngine | None = None) -> None:
        self._engine = engine or ImageEngine()

    def base_image(self, name: str) -> BaseImage:
        """The image to build on, which is pulled if it isn't there."""
        with _sentences(
            f"Base image {name} is not on this machine, and could not be pulled; load it with `docker load`"
        ):
            facts = self._engine.image(name)
            if facts is None:
                self._engine.pull(name, lambda: True)
                facts = self._engine.image(name) or {}
            return BaseImage(name, facts["Id"], facts["Config"].get("User") or "")

    def existing(self, recipe: Recipe) -> Pin:
        """What is pinned if it was built here before; otherwise nothing."""
        with _sentences("The image can't be looked for"):
            facts = self._engine.image(recipe.name)
        labels = {} if facts is None else facts["Config"].get("Labels") or {}
        if facts is None or labels.get(CONTENT) != recipe.content:
            return Pin()
        digests = [text.partition("@") for text in facts.get("RepoDigests") or ()] if recipe.in_registry else []
        return Pin(facts["Id"], next((digest for name, _, digest in digests if name == recipe.repository), ""))

    def build(
        self,
        recipe: Recipe,
        documents: Sequence[Mapping[str, Any]],
        arguments: Mapping[str, str],
        network: str | None,
        say: Say,
    ) -> Pin:
        """Have the image of a recipe, which was not built if it is here or in its registry. `documents`: those of the flows in it."""
        pin = self.existing(recipe)
        if not pin.id and recipe.in_registry:
            with suppress(EngineAway, EngineRefused):  # it isn't there; if the registry is away, pushing will say so
                self._engine.pull(recipe.name, lambda: True)
            pin = self.existing(recipe)
        if not pin.id:
            pin = Pin(self._built(recipe, arguments, network, say, documents))
        if not recipe.in_registry:
            return pin
        say(f"Pushing {recipe.name}.")
        with _sentences(f"Image {recipe.name} could not be pushed", _of_registry):
            return Pin(pin.id, self._engine.push(recipe.name, say))

    def _built(
        self,
        recipe: Recipe,
        arguments: Mapping[str, str],
        network: str | None,
        say: Say,
        documents: Sequence[Mapping[str, Any]],
    ) -> str:
        """The id of the image, which has its name only if it is right."""
        last: deque[str] = deque(maxlen=_LAST)

        def hear(line: str) -> None:
            if line.startswith("Step "):
                last.clear()
                say(line.replace(" :", ":", 1)[:_LONGEST_LINE])
            elif line.strip() and not line.startswith((" --->", "Removing intermediate container")):
                last.append(line[:_LONGEST_LINE])

        say(f"Building image {recipe.name}.")
        with tempfile.TemporaryFile() as context, _sentences("The image could not be built", _of_build, last):
            try:
                recipe.write_context(context)
            except OSError as error:
                raise FlowBuildError(
                    f"The files of the image could not be packed: {error.strerror or error}."
                ) from error
            context.seek(0)
            image = self._engine.build(context, arguments, network, hear)
        try:
            say("Checking the flows in the image.")
            self._check(image, recipe, documents)
            with _sentences("The image could not be named"):
                self._engine.tag(image, recipe.name)
        except BaseException:
            with suppress(EngineAway, EngineRefused):
                self._engine.remove_image(image)
            raise
        return image

    def _check(self, image: str, recipe: Recipe, documents: Sequence[Mapping[str, Any]]) -> None:
        """Whether the SDK and the flows in an image are right."""
        files = {
            _PLACE / "check.py": Path(image_check.__file__).read_bytes(),
            _PLACE / "documents.json": json.dumps(documents).encode(),
        }
        command = ["python3", "-P", *map(str, (_PLACE / "check.py", VERSION, _PLACE / "documents.json"))]
        with _sentences(f"Image {recipe.name} could not be checked"):
            code, lines = self._engine.run(image, command, _archive(files))
        answers = dict(
            json.loads(line.removeprefix(image_check.MARK)) for line in lines if line.startswith(image_check.MARK)
        )
        said = [line for line in lines if line.strip() and not line.startswith(image_check.MARK)]
        for name in ("SDK", *recipe.flows):
            if answers.get(name) != "":
                what = (
                    "The image was built, and is not used"
                    if name == "SDK"
                    else f"Flow {name!r} can't be run in the image"
                )
                raise FlowBuildError(
                    _with_lines(f"{what}: {answers.get(name) or f'The check ended with exit code {code}.'}", said)
                )


@contextmanager
def _sentences(what: str, advise: Callable[[str], str] = lambda _said: "", last: Sequence[str] = ()) -> Iterator[None]:
    """Raise FlowBuildError for whatever the engine says: `what` failed, why, and what to do. `last` are the last lines of what failed."""
    try:
        yield
    except EngineAway as error:
        raise FlowBuildError(str(error)) from error
    except EngineRefused as error:
        said = str(error)
        full = (
            " Free space on the engine's disk, as with `appliance image prune`."
            if "no space left" in said.lower()
            else ""
        )
        raise FlowBuildError(_with_lines(f"{what}: {said}{full or advise(said)}", last)) from error


def _of_build(said: str) -> str:
    return (
        " Only wheels are installed, from one index: put those that are missing there." if "pip install" in said else ""
    )


def _of_registry(said: str) -> str:
    words = said.lower()
    if any(word in words for word in ("denied", "unauthorized", "no basic auth", "authentication")):
        return " Sign in with `docker login`, as a user who may push there."
    return " Check the registry's address, and whether it can be reached from the engine's machine."


def _with_lines(sentence: str, lines: Sequence[str]) -> str:
    return "\n".join([sentence, *(f"    {line[:_LONGEST_LINE]}" for line in list(lines)[-_LAST:])])


def _archive(files: Mapping[PurePosixPath, bytes]) -> bytes:
    """A tar archive for a container's root."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(str(path).lstrip("/"))
            member.mode, member.size = 0o644, len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()
