"""What an image of flows is built from: the same recipe is the same text, the same context, and the same tag, wherever it is written."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from appliance.kit.distribution import DISTRIBUTION
from appliance.kit.version import VERSION

PROJECT, FLOWS, CONTENT, SDK = (f"appliance.{name}" for name in ("project", "flows", "content", "sdk"))
"""The labels of an image."""
FOLDER = PurePosixPath("/opt/appliance/flows")
"""Where the code of flows is in an image."""
_REQUIREMENTS = "/opt/appliance/requirements.txt"
_PIP = "PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir --disable-pip-version-check"
DIGITS = 12
"""Of the hash of the content, at the end of a tag."""


@dataclass(frozen=True)
class BaseImage:
    """What an image is built on: its name, its id, and the user of its containers."""

    name: str
    id: str
    user: str = ""


@dataclass(frozen=True)
class Pin:
    """What is pinned of an image that is built: its id, and its digest if it is in a registry."""

    id: str = ""
    digest: str = ""


@dataclass(frozen=True)
class CopiedFile:
    """A file that is copied besides the flows: from here, to its place in the image."""

    source: Path
    target: str

    @property
    def mode(self) -> int:
        return 0o755 if self.source.stat().st_mode & 0o100 else 0o644


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`repository`: the image's name, with its registry, and without a tag. `tree`: the files of the flows by their paths in FOLDER. `flows`: their
    names, with hashes of their files. `requirements`: lines for pip. `in_registry`: whether it is pushed."""

    base: BaseImage
    repository: str
    project: str
    flows: Mapping[str, str]
    tree: Mapping[str, bytes]
    tag: str = ""
    copied: Sequence[CopiedFile] = ()
    requirements: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()
    only_wheels: bool = True
    in_registry: bool = False

    @cached_property
    def content(self) -> str:
        """What identifies what is built: the hash of the Dockerfile and of all files."""
        tree = {name: hashlib.sha256(content).hexdigest() for name, content in self.tree.items()}
        copied = {one.target: [one.mode, _digest(one.source)] for one in self.copied}
        parts = ["\n".join(self._lines()), tree, copied, list(self.requirements)]
        return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()

    @property
    def name(self) -> str:
        """The image's name with its tag, which ends with a hash of the content."""
        prefix = f"{self.tag}-" if self.tag else ""
        return f"{self.repository}:{prefix}{self.content[:DIGITS]}"

    @property
    def dockerfile(self) -> str:
        """The text of the Dockerfile."""
        *lines, last = self._lines()
        user = [f"USER {self.base.user}"] if self.base.user else []
        return "\n".join([*lines, last, f"LABEL {CONTENT}={_quoted(self.content)}", *user, ""])

    def write_context(self, target: IO[bytes]) -> None:
        """Write what the engine gets: a tar archive, whose bytes are the same for the same recipe."""
        with tarfile.open(fileobj=target, mode="w") as archive:
            _add(archive, "Dockerfile", self.dockerfile.encode())
            if self.requirements:
                _add(archive, "requirements.txt", "".join(f"{line}\n" for line in self.requirements).encode())
            for one in sorted(self.copied, key=lambda one: one.target):
                member = _member(f"files{one.target}", one.source.stat().st_size, one.mode)
                with one.source.open("rb") as file:
                    archive.addfile(member, file)
            for name in sorted(self.tree):
                _add(archive, f"flows/{name}", self.tree[name])

    def _lines(self) -> list[str]:
        """The Dockerfile without the hash of the content. What changes least comes first, since the engine keeps the layers up to the first change."""
        wheels = " --only-binary :all:" if self.only_wheels else ""
        sdk = f"python3 -c 'import appliance' 2>/dev/null || {_PIP}{wheels} {DISTRIBUTION}=={VERSION}"
        labels = {PROJECT: self.project, FLOWS: json.dumps(dict(sorted(self.flows.items()))), SDK: VERSION}
        return [
            f"# {self.base.name}",
            f"FROM {self.base.id}",
            *(["USER root"] if self.base.user else []),
            *(f"ENV {name}={_quoted(value)}" for name, value in sorted(self.env.items())),
            "ARG PIP_INDEX_URL",
            "ARG PIP_TRUSTED_HOST",
            f"RUN {sdk}",
            *(
                [f"COPY requirements.txt {_REQUIREMENTS}", f"RUN {_PIP}{wheels} -r {_REQUIREMENTS}"]
                if self.requirements
                else []
            ),
            *(["COPY files/ /"] if self.copied else []),
            *self.commands,
            f"COPY flows/ {FOLDER}/",
            " ".join(["LABEL", *(f"{name}={_quoted(value)}" for name, value in labels.items())]),
        ]


def _quoted(value: str) -> str:
    """A value as the text of a Dockerfile, in which nothing is put in its place."""
    for character in ("\\", '"', "$"):
        value = value.replace(character, f"\\{character}")
    return f'"{value}"'


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _member(name: str, size: int, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, mode
    return member


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_member(name, len(content), 0o644), io.BytesIO(content))
