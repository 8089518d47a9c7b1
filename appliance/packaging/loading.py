"""Gets the code of a flow from the storage that it was registered with: the one module that knows every storage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.kit.distribution import is_installed
from appliance.packaging import fetched, git_program, sealing
from appliance.packaging.bundle import BundleStorage
from appliance.packaging.git import Git
from appliance.packaging.http import Http
from appliance.packaging.in_image import InImage
from appliance.packaging.local import LocalStorage
from appliance.packaging.module import Module
from appliance.packaging.object_stores import ObjectStore
from appliance.packaging.sftp import Sftp
from appliance.packaging.storage import Access, FetchedStorage, Installed, LoadError
from appliance.protocol.storage import SEALED

if TYPE_CHECKING:
    from appliance.core.flow import Flow

STORAGES: Mapping[str, type[Installed]] = {"local": LocalStorage, "module": Module, "docker": InImage}
"""Those whose code is there already, by the `type` of the documents that describe them."""
FETCHED: dict[str, type[FetchedStorage]] = {
    "bundle": BundleStorage,
    "git": Git,
    "object_store": ObjectStore,
    "sftp": Sftp,
    "http": Http,
}
"""Those whose code an agent fetches before a run starts."""


def usable() -> list[str]:
    """The storages for which this machine has all that they need, sorted, by the types of their documents; and SEALED. Code in an image needs a
    container of that image."""
    missing = {
        "docker": True,
        "git": not git_program.is_installed(),
        "object_store": not is_installed("obstore"),
        "sftp": not is_installed("paramiko"),
        SEALED: not sealing.has_key(),
    }
    return sorted(name for name in (*STORAGES, *FETCHED, SEALED) if not missing.get(name, False))


def load_flow(document: dict[str, Any]) -> Flow:
    """The flow that a storage's document describes. Raises LoadError."""
    storage = STORAGES.get(str(document.get("type")))
    if storage is None:
        raise _unknown(document)
    return storage.load(document)


def code_problem(document: dict[str, Any]) -> str:
    """Why the code can't be obtained, in a sentence; empty if it can, if it is to be fetched, or if this version does not know the storage."""
    storage = STORAGES.get(str(document.get("type")))
    return "" if storage is None else storage.problem(document)


def fetch(document: dict[str, Any], folder: Path, access: Access) -> None:
    """Fetch the files of a version into an empty folder. Raises CodeMissing, LoadError or Unreachable."""
    storage = FETCHED.get(str(document.get("type")))
    if storage is None:
        raise _unknown(document)
    storage.fetch(document, folder, access)


def checked(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Compare files that were fetched with what was registered. Returns the same code as code that is there. Raises CodeMissing."""
    if document.get("sealed"):
        return BundleStorage.unsealed(document, folder)
    fetched.check(document, folder)
    return fetched.local_document(document, folder)


def _unknown(document: dict[str, Any]) -> LoadError:
    known = ", ".join([*STORAGES, *FETCHED])
    return LoadError(
        f"This agent does not know the storage {document.get('type')!r} (it knows {known}); upgrade the agent."
    )
