"""Where the code of a registered flow is, as it is registered: decoded by the server, and again by the agent that takes a run of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from appliance.protocol.code_places import (
    GitCode,
    HttpCode,
    ModuleCode,
    ObjectStoreCode,
    PlacedCode,
    SftpCode,
)
from appliance.protocol.fetched_code import MOST_FILES, CodeTree, FetchedCode, Hash, ModuleName, Name
from appliance.protocol.image_code import DockerCode


class LocalCode(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The flow `flow` of a file on the agent's machine. `sha256`: of the content that was registered. `module`: the name under which the file
    is imported, if it doesn't follow from the path. `files`: the hashes of the other files that belong to the version, by their paths from the
    folder `root`."""

    type: Literal["local"] = "local"
    path: Annotated[str, msgspec.Meta(max_length=4_096)] = ""
    flow: str = ""
    sha256: Annotated[str, msgspec.Meta(max_length=64)] = ""
    module: ModuleName | None = None
    root: Annotated[str, msgspec.Meta(max_length=4_096)] = ""
    files: Annotated[dict[Name, Hash], msgspec.Meta(max_length=MOST_FILES)] = {}

    @property
    def folders(self) -> list[str]:
        """The folders of `files`, outermost first."""
        return sorted({str(PurePosixPath(self.root, name).parent) for name in self.files})


class BundleCode(FetchedCode, kw_only=True):
    """The tree is an archive that the server keeps. `digest`: what identifies its content; of a sealed one, `files` is empty, since its list is
    in the archive, and both hashes are made with the key that seals it."""

    type: Literal["bundle"] = "bundle"
    digest: Hash
    sealed: bool = False


Code: TypeAlias = LocalCode | ModuleCode | CodeTree
KINDS: Mapping[str, type[LocalCode] | type[ModuleCode] | type[CodeTree]] = {
    "local": LocalCode,
    "module": ModuleCode,
    "bundle": BundleCode,
    "git": GitCode,
    "object_store": ObjectStoreCode,
    "sftp": SftpCode,
    "http": HttpCode,
    "docker": DockerCode,
}
"""By the `type` of their documents."""
SEALED = "sealed_bundle"
"""What agents that have a key to open bundles know beside their storages."""


def needed(document: Mapping[str, Any]) -> str:
    """Which storage an agent must know to take the code of a document."""
    return SEALED if document.get("sealed") else str(document.get("type") or "local")


def is_fetched(document: Mapping[str, Any]) -> bool:
    """Whether an agent fetches the code before it starts a run."""
    kind = KINDS.get(str(document.get("type", "local")))
    return kind is not None and issubclass(kind, FetchedCode)


def secrets_of(document: Mapping[str, Any]) -> list[str]:
    """The names of the secrets that fetching the code needs. Raises ValueError with a sentence."""
    place = decode(document)
    return place.secrets if isinstance(place, PlacedCode) else []


def repository_here(document: Mapping[str, Any]) -> str:
    """The folder of the agent's machine with the repository that has the code; empty if the code is elsewhere. Raises ValueError."""
    place = decode(document)
    return urlsplit(place.url).path if isinstance(place, GitCode) and place.url.startswith("file:") else ""


def decode(document: Mapping[str, Any]) -> Code:
    """The storage in a document. Raises ValueError with a sentence."""
    name = document.get("type", "local")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(
            f"The flow's storage {str(name)[:100]!r} is not known here; known are {', '.join(sorted(KINDS))}."
        )
    try:
        place = msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"The flow's storage is not valid: {error}.") from error
    if isinstance(place, CodeTree):
        place.check()
    elif isinstance(place, LocalCode):
        _check(place)
    return place


def _check(place: LocalCode) -> None:
    if "\0" in place.path or ".." in PurePosixPath(place.path).parts:
        raise ValueError(
            "The path of the flow file must not contain '..' or a NUL character; give the path that it leads to."
        )
    if place.path and PurePosixPath(place.path).suffix != ".py":
        raise ValueError(
            "The path of the flow file must end in .py, so that no other file is ever run; rename the file."
        )
    _check_files(place)


def _check_files(place: LocalCode) -> None:
    if place.files and not (place.root.startswith("/") and PurePosixPath(place.path).is_relative_to(place.root)):
        raise ValueError("The folder of the version's files must be one that has the flow file.")
    for name in [place.root, *place.files]:
        if "\0" in name or ".." in PurePosixPath(name).parts:
            raise ValueError("The paths of the version's files must not contain '..' or a NUL character.")
    paths = {name: PurePosixPath(name) for name in place.files}
    if any(path.is_absolute() or not path.parts or str(path) != name for name, path in paths.items()):
        raise ValueError(
            "The paths of the version's files must be relative to their folder, without parts such as '.'."
        )
