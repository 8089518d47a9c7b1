"""What the storages share that keep the files of a version as one archive: uploaded once, under a name that follows from its content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from appliance.core.errors import FlowBuildError, SecretError
from appliance.core.secrets import Secret
from appliance.packaging import archive
from appliance.packaging.local import LocalStorage
from appliance.packaging.placed import decoded
from appliance.packaging.storage import Access, CodeMissing, LoadError
from appliance.protocol import storage as storages
from appliance.protocol.code_places import ArchivedCode

Ask = Callable[[str], str]
"""Gives the value of a secret by its name."""
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
    def described(self) -> dict[str, Any]:
        """The fields that the place adds to the document of a version."""

    @classmethod
    @abstractmethod
    def shelf(cls, code: C, ask: Ask) -> Shelf:
        """Raises LoadError if it can't be opened."""

    def document(self, code: LocalStorage) -> dict[str, Any]:
        """What is registered of a flow whose code is here, after the archive was uploaded unless it is there. Raises FlowBuildError."""
        tree = archive.tree(code)
        fields = self.described() | tree.described()
        try:
            document = {name: value for name, value in fields.items() if value not in (None, "", {})}
            place: Any = storages.decode(document)
            shelf, name = self.shelf(place, _asked_here), name_of(place)
            if not shelf.has(name):
                if not self.uploads:
                    raise FlowBuildError(
                        f"There is no {name} at {place.url}: put the archive there, or let the registration upload it."
                    )
                shelf.put(name, tree.packed())
        except Gone:
            raise FlowBuildError(
                f"Nothing can be put to {fields['url']}, since there is no such place; create it."
            ) from None
        except (LoadError, SecretError, ValueError) as error:
            raise FlowBuildError(str(error)) from None
        return document

    @classmethod
    def fetch(cls, document: dict[str, Any], folder: Path, access: Access) -> None:
        """Write the version's files into the empty folder."""
        code: Any = decoded(document, cls.code)
        content = cls.shelf(code, access.secret).get(name_of(code))
        try:
            archive.unpack(content, folder)
        except ValueError as error:
            raise CodeMissing(f"The archive at {code.url} can't be unpacked: {error}") from None


def name_of(code: ArchivedCode) -> str:
    """The name under which the archive of a version is kept."""
    return f"{code.digest}{archive.SUFFIX}"


def _asked_here(name: str) -> str:
    return str(Secret(name).get())
