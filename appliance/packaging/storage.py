"""The contract of storages: where the code of a flow is, and how an agent gets it back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import msgspec

from appliance.client.transport import Transport
from appliance.kit.errors import ApplianceError

if TYPE_CHECKING:
    from appliance.core.flow import Flow


def identity(document: Mapping[str, Any]) -> str:
    """What is the same for the same document: an agent tells a run with it which place of its code was checked."""
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


class LoadError(ApplianceError):
    """The code of a flow can't be loaded; the message is one sentence that says why and what to do."""


class CodeMissing(LoadError):
    """The code that was registered is not there, or not as it was; a registration helps."""


class Unreachable(LoadError):
    """The code can't be fetched for now; trying again may help."""


class Describable(Protocol):
    """What a flow is registered with: `describe()` is the JSON that the server keeps."""

    def describe(self) -> dict[str, Any]: ...


class Installed(Protocol):
    """Code that is on the machine already. `load` turns its document into the flow."""

    @classmethod
    def problem(cls, document: dict[str, Any]) -> str:
        """Why the code can't be obtained, in a sentence; empty if it can."""
        ...

    @classmethod
    def load(cls, document: dict[str, Any]) -> Flow: ...


class Storage(Installed, Describable, Protocol):
    """The same, which can describe itself."""


class Access(Protocol):
    """What fetching the code of an attempt may use."""

    flow_run_id: UUID
    attempt: int
    run_token: str

    @property
    def transport(self) -> Transport:
        """To the server, as the agent."""
        ...

    def secret(self, name: str) -> str:
        """The value of a secret that the flow declares. Raises LoadError, or Unreachable."""
        ...

    def say(self, line: str) -> None:
        """Write a line to the run's log, if the server can be reached."""
        ...


class FetchedStorage(Protocol):
    """Code that is fetched to the agent's machine before a run starts."""

    @classmethod
    def fetch(cls, document: dict[str, Any], folder: Path, access: Access) -> None:
        """Write the tree of files into this empty folder; they are compared with the document later. Raises CodeMissing if the code is gone or
        not as it was, LoadError if it can't be fetched in this way, and Unreachable if it may work later."""
        ...
