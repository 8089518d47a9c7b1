"""The identity of a folder with results, written in it once: hosts that share the folder read the same one."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from appliance.engine.results.file_packs import make_folder
from appliance.kit import ids

FILE_NAME = ".identity"
_logger = logging.getLogger("appliance.agent")


def identity_of(folder: Path) -> str:
    """The identity, which is created if there is none; empty if the folder can't be read or written."""
    try:
        make_folder(folder)
        return _read(folder) or _create(folder)
    except (OSError, ValueError) as error:
        _logger.warning(
            "The folder of results %s has no identity, so only this host counts as able to read it: %s", folder, error
        )
        return ""


def _read(folder: Path) -> str:
    try:
        text = (folder / FILE_NAME).read_text(encoding="ascii")
    except FileNotFoundError:
        return ""
    return str(UUID(text.strip()))


def _create(folder: Path) -> str:
    """Written whole under another name first, so that of several hosts one wins and all read what it wrote."""
    draft = folder / f"{FILE_NAME}.{ids.uuid7()}"
    try:
        with draft.open("x", encoding="ascii") as file:
            file.write(str(ids.uuid7()))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, folder / FILE_NAME)
    finally:
        draft.unlink(missing_ok=True)
    return _read(folder)
