"""Where the code of a flow lies, and how an agent gets it back: the contract of all storages, and their one door."""

from __future__ import annotations

from typing import Any, Protocol

from appliance.core.flow import Flow
from appliance.kit.errors import ApplianceError


class LoadError(ApplianceError):
    """The code of a flow can't be loaded; the message is one sentence that says why and what to do."""


class Storage(Protocol):
    """A place for flow code. `describe()` is the JSON that is registered; `load` turns it back into the flow."""

    def describe(self) -> dict[str, Any]: ...

    @classmethod
    def load(cls, document: dict[str, Any]) -> Flow: ...


def load_flow(document: dict[str, Any]) -> Flow:
    """The flow that a storage document describes. Raises LoadError."""
    from appliance.packaging.local import LocalStorage

    kinds: dict[str, type[Storage]] = {"local": LocalStorage}
    kind = kinds.get(str(document.get("type")))
    if kind is None:
        raise LoadError(
            f"This version does not know the storage {document.get('type')!r} (it knows {', '.join(kinds)}); upgrade the agent."
        )
    return kind.load(document)
