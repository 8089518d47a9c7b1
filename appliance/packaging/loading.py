"""Loads a flow from the storage that it was registered with: the one module that knows every storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.core.flow import Flow
from appliance.packaging.local import LocalStorage
from appliance.packaging.storage import LoadError, Storage

STORAGES: Mapping[str, type[Storage]] = {"local": LocalStorage}
"""By the `type` of the documents that describe them."""


def load_flow(document: dict[str, Any]) -> Flow:
    """The flow that a storage's document describes. Raises LoadError."""
    storage = STORAGES.get(str(document.get("type")))
    if storage is None:
        raise LoadError(
            f"This version does not know the storage {document.get('type')!r} (it knows {', '.join(STORAGES)}); upgrade the agent."
        )
    return storage.load(document)


def code_problem(document: dict[str, Any]) -> str:
    """Why the code can't be obtained, in a sentence; empty if it can, or if this version does not know the storage."""
    storage = STORAGES.get(str(document.get("type")))
    return "" if storage is None else storage.problem(document)
