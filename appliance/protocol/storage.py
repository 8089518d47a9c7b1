"""Where the code of a registered flow is, as it is registered: decoded by the server, and again by the agent that takes a run of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec


class LocalCode(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The flow `flow` of a file on the agent's machine. `sha256`: of the content that was registered. `module`: the name under which the file
    is imported, if it doesn't follow from the path."""

    type: Literal["local"] = "local"
    path: Annotated[str, msgspec.Meta(max_length=4_096)] = ""
    flow: str = ""
    sha256: Annotated[str, msgspec.Meta(max_length=64)] = ""
    module: Annotated[str, msgspec.Meta(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", max_length=1_000)] | None = None


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
    return place
