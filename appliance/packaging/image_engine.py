"""The Docker engine, as it builds images and carries them: every call ends in time, and fails with a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from appliance.kit.ids import uuid7
from appliance.packaging.docker_engine import (
    Engine,
    EngineAway,
    EngineRefused,
    engine_errors,
    is_silence,
    parts,
    sentence,
)

_LONGEST_STEP = 3_600.0
"""Seconds for which a step of a build, or a registry, may say nothing."""
_LONGEST_CHECK = 600
_MOST_LINES = 400


@dataclass(frozen=True)
class LocalImage:
    """An image that the engine has. `names` have tags."""

    id: str
    names: tuple[str, ...]
    labels: Mapping[str, str]
    size: int
    created: datetime


class ImageEngine(Engine):
    """The engine that DOCKER_HOST names, or the one of this machine."""

    def __init__(self) -> None:
        super().__init__(_LONGEST_STEP)

    def images(self, label: str) -> list[LocalImage]:
        """All images with this label, newest first."""
        with engine_errors():
            entries = self._client().images(filters={"label": label})
        images = [
            LocalImage(
                one["Id"],
                tuple(name for name in one.get("RepoTags") or () if name != "<none>:<none>"),
                one.get("Labels") or {},
                one["Size"],
                datetime.fromtimestamp(one["Created"], UTC),
            )
            for one in entries
        ]
        return sorted(images, key=lambda image: image.created, reverse=True)

    def build(
        self, context: IO[bytes], arguments: Mapping[str, str], network: str | None, hear: Callable[[str], object]
    ) -> str:
        """Build an image without a name from a tar archive, and return its id. `hear` gets what the engine says, line by line. Raises EngineRefused."""
        built = ""
        with engine_errors():
            lines = self._client().build(
                fileobj=context, custom_context=True, buildargs=dict(arguments), network_mode=network, rm=True, forcerm=True, decode=True
            )  # fmt: skip
            for line in lines:
                built = (line.get("aux") or {}).get("ID", built)
                for text in str(line.get("stream", "")).splitlines():
                    hear(text)
                if "error" in line:
                    raise EngineRefused(sentence(line["error"]), 500)
        return built

    def tag(self, image: str, name: str) -> None:
        """Give an image a name with a tag."""
        repository, tag = parts(name)
        with engine_errors():
            self._client().tag(image, repository, tag)

    def push(self, name: str, hear: Callable[[str], object]) -> str:
        """Push an image to its registry, and return its digest there. Raises EngineRefused."""
        repository, tag = parts(name)
        digest = ""
        with engine_errors():
            for line in self._client().push(repository, tag=tag, stream=True, decode=True):
                if "error" in line:
                    raise EngineRefused(sentence(line["error"]), 500)
                digest = (line.get("aux") or {}).get("Digest", digest)
                if line.get("status") == "Pushed":
                    hear(f"Pushed layer {line.get('id', '')}.")
        return digest

    def save(self, name: str) -> Iterator[bytes]:
        """An image as an archive that an engine can load."""
        with engine_errors():
            yield from self._client().get_image(name)

    def load(self, archive: IO[bytes]) -> None:
        """Take in the images of an archive. Raises EngineRefused."""
        with engine_errors():
            for line in self._client().load_image(archive):  # type: ignore[no-untyped-call]
                if "error" in line:
                    raise EngineRefused(sentence(line["error"]), 500)

    def remove_image(self, name: str) -> None:
        """Remove a name of an image, and the image with its last name, if it is there. Raises EngineRefused if a container uses it."""
        try:
            with engine_errors():
                self._client().remove_image(name)
        except EngineRefused as error:
            if error.status != 404:
                raise

    def in_use(self) -> set[str]:
        """The ids of the images that containers have, whether they run or not."""
        with engine_errors():
            return {one["ImageID"] for one in self._client().containers(all=True)}

    def run(self, image: str, command: Iterable[str], files: bytes) -> tuple[int, list[str]]:
        """Run a command in a container without a network, which gets the files in a tar archive, and is then removed. Returns the exit code and the last
        lines that it wrote. Raises EngineRefused."""
        config: dict[str, Any] = {
            "image": image,
            "entrypoint": list(command),
            "environment": {"APPLIANCE_PROGRESS": "off"},
        }
        container = self.create(f"appliance-check-{uuid7()}", config, {"init": True}, ["none"])
        try:
            self.put(container, "/", files)
            self.start(container)
            with engine_errors():
                ended = self._client().wait(container, timeout=_LONGEST_CHECK)
            lines = self.output(container, _MOST_LINES).decode("utf-8", "replace").splitlines()
            return int(ended["StatusCode"]), lines
        except EngineAway as error:
            if is_silence(error.__cause__):
                raise EngineRefused(f"It did not end within {_LONGEST_CHECK} s.", 504) from error
            raise
        finally:
            with contextlib.suppress(EngineAway, EngineRefused):
                self.remove(container)
