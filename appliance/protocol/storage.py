"""Where the code of a registered flow is, as it is registered: decoded by the server, and again by the agent that takes a run of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

MOST_FILES = 2_000
"""Of one version, besides the flow's own."""
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
_Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class LocalCode(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The flow `flow` of a file on the agent's machine. `sha256`: of the content that was registered. `module`: the name under which the file
    is imported, if it doesn't follow from the path. `files`: the hashes of the other files that belong to the version, by their paths from the
    folder `root`."""

    type: Literal["local"] = "local"
    path: Annotated[str, msgspec.Meta(max_length=4_096)] = ""
    flow: str = ""
    sha256: Annotated[str, msgspec.Meta(max_length=64)] = ""
    module: Annotated[str, msgspec.Meta(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", max_length=1_000)] | None = None
    root: Annotated[str, msgspec.Meta(max_length=4_096)] = ""
    files: Annotated[dict[_Name, _Hash], msgspec.Meta(max_length=MOST_FILES)] = {}

    @property
    def folders(self) -> list[str]:
        """The folders of `files`, outermost first."""
        return sorted({str(PurePosixPath(self.root, name).parent) for name in self.files})


def decode(document: Mapping[str, Any]) -> LocalCode:
    """The storage in a document. Raises ValueError with a sentence."""
    try:
        place = msgspec.convert(document, LocalCode)
    except msgspec.ValidationError as error:
        raise ValueError(f"The flow's storage is not valid: {error}.") from error
    if "\0" in place.path or ".." in PurePosixPath(place.path).parts:
        raise ValueError(
            "The path of the flow file must not contain '..' or a NUL character; give the path that it leads to."
        )
    if place.path and PurePosixPath(place.path).suffix != ".py":
        raise ValueError(
            "The path of the flow file must end in .py, so that no other file is ever run; rename the file."
        )
    _check_files(place)
    return place


def _check_files(place: LocalCode) -> None:
    if place.files and not (place.root.startswith("/") and PurePosixPath(place.path).is_relative_to(place.root)):
        raise ValueError("The folder of the version's files must be one that has the flow file.")
    for name in [place.root, *place.files]:
        if "\0" in name or ".." in PurePosixPath(name).parts:
            raise ValueError("The paths of the version's files must not contain '..' or a NUL character.")
    if any(PurePosixPath(name).is_absolute() or str(PurePosixPath(name)) != name for name in place.files):
        raise ValueError(
            "The paths of the version's files must be relative to their folder, without parts such as '.'."
        )
