"""The contract of storages: where the code of a flow is, and how an agent gets it back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from appliance.core.flow import Flow
from appliance.kit.errors import ApplianceError


def identity(document: Mapping[str, Any]) -> str:
    """What is the same for the same document: an agent tells a run with it which place of its code was checked."""
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


class LoadError(ApplianceError):
    """The code of a flow can't be loaded; the message is one sentence that says why and what to do."""


class CodeMissing(LoadError):
    """The code that was registered is not there, or not as it was; a registration helps."""


class Storage(Protocol):
    """A place for flow code. `describe()` is the JSON that is registered; `load` turns it back into the flow."""

    def describe(self) -> dict[str, Any]: ...

    @classmethod
    def problem(cls, document: dict[str, Any]) -> str:
        """Why the code can't be obtained, in a sentence; empty if it can."""
        ...

    @classmethod
    def load(cls, document: dict[str, Any]) -> Flow: ...
