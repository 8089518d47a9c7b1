"""Images of flows as files, which bring them to hosts without a registry. What comes back in is looked at before an engine gets it."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

import msgspec

from appliance.kit.errors import ApplianceError
from appliance.packaging.image_recipe import CONTENT, DIGITS, FLOWS, PROJECT
from appliance.protocol.image_code import is_image_name

_MOST_JSON = 8 * 1024**2
_BLOCK = 1024**2


class BadImage(ApplianceError):
    """A file is not an image of flows, or is damaged. The message is a sentence."""


@dataclass(frozen=True)
class ArchivedImage:
    """An image in a file: its name, what identifies its content, and the names of its flows."""

    name: str
    content: str
    project: str
    flows: list[str]


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The content of a file, piece by piece."""
    while block := file.read(_BLOCK):
        yield block


def look(file: IO[bytes]) -> ArchivedImage:
    """The one image in a file, which has no name but one that follows from its content, so that loading it takes no other image's name. The engine compares
    the layers with the hashes in it. Raises BadImage."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            [entry] = json.loads(_read(archive, "manifest.json"))
            place = str(entry["Config"])
            text = _read(archive, place)
            names = entry["RepoTags"]
        labels: dict[str, str] = json.loads(text)["config"]["Labels"]
        image = ArchivedImage(names[0], labels[CONTENT], labels[PROJECT], list(flows_in(labels)))
    except (tarfile.TarError, OSError, EOFError, ValueError, LookupError, TypeError) as error:
        raise BadImage("The file is not an image of flows, or it was cut off: export the image again.") from error
    if hashlib.sha256(text).hexdigest() != PurePosixPath(place).name.removesuffix(".json"):
        raise BadImage("The image in the file is damaged: export it again.")
    if len(names) != 1 or not is_image_name(image.name) or not image.name.endswith(image.content[:DIGITS]):
        raise BadImage("The image in the file has names that flows are not given, so it is not loaded.")
    return image


def flows_in(labels: dict[str, str]) -> dict[str, str]:
    """The flows in an image, with the hashes of their files, by its labels. Raises ValueError if they say something else."""
    return msgspec.json.decode(labels.get(FLOWS, "{}"), type=dict[str, str])


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.getmember(name)
    file = archive.extractfile(member)
    if file is None or member.size > _MOST_JSON:
        raise ValueError(name)
    return file.read()
