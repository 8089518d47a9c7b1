"""The code of a run in a pod: its own process fetches it with the attempt's token, or unpacks what only its agent can open and has handed to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from appliance.agents.run_files import CODE_FILE
from appliance.client.transport import Transport
from appliance.core.errors import SecretError
from appliance.core.logs import get_logger
from appliance.kit import clock
from appliance.kit.backoff import delays
from appliance.packaging import archive, loading
from appliance.packaging.storage import CodeMissing, LoadError, Unreachable
from appliance.protocol import storage as storages

PATIENCE = 60.0
"""Seconds for which fetching is tried again while the place of the code can't be reached."""
ARCHIVE = "code.zip"
FOLDER = "code"
_logger = get_logger()


@dataclass(kw_only=True)
class OwnAccess:
    """What fetching may use."""

    transport: Transport
    flow_run_id: UUID
    attempt: int
    run_token: str
    ask: Callable[[str], str]
    wait: Callable[[float], None]

    def secret(self, name: str) -> str:
        """Raises LoadError."""
        try:
            return self.ask(name)
        except SecretError as error:
            raise LoadError(str(error)) from error

    def say(self, line: str) -> None:
        _logger.info("%s", line)


def obtain(document: dict[str, Any], directory: Path, handed: Path, access: OwnAccess) -> dict[str, Any]:
    """The code as code that is there. Unless a working directory was chosen, it is that of the code. Raises CodeMissing or LoadError."""
    if not storages.is_fetched(document):
        return document
    folder = directory / FOLDER
    try:
        folder.mkdir()
        place = _unpacked(folder, handed) if (handed / ARCHIVE).exists() else _fetched(document, folder, access)
        if Path.cwd() == directory.resolve():
            os.chdir(Path(place["path"]).parent)
    except OSError as error:
        raise LoadError(f"The code could not be kept in the run's pod: {error.strerror or error}.") from error
    return place


def _unpacked(folder: Path, handed: Path) -> dict[str, Any]:
    archive.unpack((handed / ARCHIVE).read_bytes(), folder)
    place: dict[str, Any] = msgspec.json.decode((handed / CODE_FILE).read_bytes())
    return place


def _fetched(document: dict[str, Any], folder: Path, access: OwnAccess) -> dict[str, Any]:
    deadline, pauses = clock.monotonic() + PATIENCE, delays(0.5, 10.0)
    while True:
        try:
            loading.fetch(document, folder, access)
            return loading.checked(document, folder)
        except Unreachable as error:
            if clock.monotonic() > deadline:
                raise CodeMissing(str(error)) from error
            _logger.warning("%s It is tried again.", error)
            access.wait(next(pauses))
