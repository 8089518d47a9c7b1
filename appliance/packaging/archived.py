"""What the storages share that keep the files of a version as one archive: uploaded once, under a name that follows from its content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from appliance.core.errors import FlowBuildError, SecretError
from appliance.core.secrets import Secret
from appliance.packaging import archive
from appliance.packaging.archive import BadArchive
from appliance.packaging.bundle import BundleStorage
from appliance.packaging.local import LocalStorage
from appliance.packaging.placed import PlacedStorage, decoded, documented
from appliance.packaging.storage import Access, CodeMissing, LoadError
from appliance.protocol.code_places import ArchivedCode

Ask = Callable[[str], str]
"""Gives the value of a secret by its name."""
MOST_BYTES = 200 * 1024**2
"""Of one archive."""
C = TypeVar("C", bound=ArchivedCode)


class Gone(CodeMissing):
    """There is no archive of this name."""


class Shelf(Protocol):
    """A place in which archives are kept by name. Its methods raise Unreachable for what may work later, and LoadError for what can't work."""

    def has(self, name: str) -> bool: ...

    def put(self, name: str, content: bytes) -> None: ...

    def get(self, name: str) -> bytes:
        """Raises Gone if it isn't there, and CodeMissing if it is larger than an archive may be."""
        ...


class ArchivedStorage(ABC, Generic[C]):
    """A place outside for archives. Subclasses know what it is and how to open it."""

    code: ClassVar[type[ArchivedCode]]
    uploads: bool = True

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The fields that the place adds to the document of a version."""

    @classmethod
    @abstractmethod
    def shelf(cls, code: C, ask: Ask) -> Shelf:
        """Raises LoadError if it can't be opened."""

    def at(self, code: LocalStorage) -> PlacedStorage:
        """What is registered of a flow whose code is here. Raises FlowBuildError."""
        try:
            bundle = BundleStorage.of(code)
        except LoadError as error:
            raise FlowBuildError(str(error)) from None
        tree = {name: value for name, value in bundle.describe().items() if name not in ("type", "digest")}
        document = documented({**self.describe(), **tree})
        return PlacedStorage(document, code.path, lambda: self._send(document, bundle))

    def _send(self, document: dict[str, Any], bundle: BundleStorage) -> None:
        place: Any = decoded(document, self.code)
        try:
            shelf, name = self.shelf(place, _asked_here), name_of(place)
            if shelf.has(name):
                return
            if not self.uploads:
                raise FlowBuildError(
                    f"There is no {name} at {place.url}: put the archive there, or let the registration upload it."
                )
            shelf.put(name, bundle.packed())
        except Gone:
            raise FlowBuildError(
                f"Nothing can be put to {place.url}, since there is no such place; create it."
            ) from None
        except (LoadError, SecretError) as error:
            raise FlowBuildError(str(error)) from None

    @classmethod
    def fetch(cls, document: dict[str, Any], folder: Path, access: Access) -> None:
        """Write the version's files into the empty folder."""
        code: Any = decoded(document, cls.code)
        content = cls.shelf(code, access.secret).get(name_of(code))
        try:
            archive.unpack(content, folder, {code.path, *code.files})
        except BadArchive as error:
            raise CodeMissing(
                f"The archive at {code.url} differs from what was registered: {error}; register the flow again."
            ) from None


def name_of(code: ArchivedCode) -> str:
    """The name under which the archive of a version is kept."""
    return f"{archive.digest({**code.files, code.path: code.sha256})}.zip"


def _asked_here(name: str) -> str:
    return str(Secret(name).get())
