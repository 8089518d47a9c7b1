"""A storage under test: a project here, a place that keeps its code, and ways to change and to remove what is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from appliance.packaging import loading
from appliance.packaging.discover import flows_in
from appliance.packaging.placed import PlacedStorage
from appliance.packaging.register import place_of, registration
from appliance.protocol.flows import Registration

FLOWS = """
import json, pickle
from pathlib import Path
from appliance import Flow, task
from .helper import Item, price

@task
def sell(name: str = "tea") -> Item:
    return pickle.loads(pickle.dumps(Item(name, price(name) + json.loads(Path(__file__).with_name("more.json").read_text())["more"])))

with Flow("one") as one:
    sell()
with Flow("two") as two:
    sell("milk")
"""
HELPER = """
from dataclasses import dataclass

@dataclass
class Item:
    name: str
    price: int

def price(name: str) -> int:
    return len(name)
"""
CANARY = "canary-7f3a"
"""In every secret of these places, so that it can be looked for."""


class Place(ABC):
    """A storage under test. `secrets` are what a run of its flows would get from the server."""

    fetched: ClassVar[bool] = True

    def __init__(self, directory: Path) -> None:
        self.directory, self.project = directory, directory / "project"
        self.package = self.project / "shop"
        self.package.mkdir(parents=True)
        for name, text in {
            "__init__.py": "",
            "flows.py": FLOWS,
            "helper.py": HELPER,
            "more.json": '{"more": 10}',
        }.items():
            (self.package / name).write_text(text)
        self.secrets: dict[str, str] = {}
        self.environ: dict[str, str] = {}
        self.uploads = 0

    @abstractmethod
    def author(self) -> Any:
        """What an author writes as the flow's storage."""

    def save(self) -> None:
        """Bring the project as it is now to where the storage takes it from, if the author has to do that."""
        return

    @abstractmethod
    def change(self, document: dict[str, Any]) -> None:
        """Change what is at the place of a registered version."""

    @abstractmethod
    def remove(self, document: dict[str, Any]) -> None:
        """Remove it."""

    def registered(self, flow: str = "two", storage: Any = None) -> Registration:
        """What would be sent of one of the project's flows."""
        self.save()
        found = {one.name: (one, code) for one, code in flows_in(self.package / "flows.py")}
        one, code = found[flow]
        one.storage = self.author() if storage is None else storage
        at = place_of(one, None, code, None)
        self.send(at)
        return registration(one, "demo", storage=at)

    def send(self, at: Any) -> None:
        """Bring the code to its place."""
        if isinstance(at, PlacedStorage):
            at.send()

    def document(self, flow: str = "two") -> dict[str, Any]:
        """The registered document, as it comes back from a server."""
        document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self.registered(flow).storage))
        return document

    def obtained(self, document: dict[str, Any], folder: Path) -> dict[str, Any]:
        """The document of code that is on this machine, after it was fetched into the empty folder if it is to be fetched."""
        if not self.fetched:
            if problem := loading.code_problem(document):
                raise loading.LoadError(problem)
            return document
        folder.mkdir(exist_ok=True)
        loading.fetch(document, folder, self)  # type: ignore[arg-type]
        return loading.checked(document, folder)

    def secret(self, name: str) -> str:
        return self.secrets[name]

    def close(self) -> None:
        """Stop what serves it."""
        return


class Archived(Place):
    """A place outside for archives."""

    def change(self, document: dict[str, Any]) -> None:
        """Put the archive of another version there, under the name of this one."""
        (self.package / "helper.py").write_text(f"{HELPER}\n# changed\n")
        other = self.document()
        self.write(self.name(document), self.read(self.name(other)))

    def remove(self, document: dict[str, Any]) -> None:
        self.delete(self.name(document))

    @staticmethod
    def name(document: dict[str, Any]) -> str:
        from appliance.packaging.archived import name_of
        from appliance.protocol.storage import decode

        return name_of(decode(document))  # type: ignore[arg-type]

    @abstractmethod
    def read(self, name: str) -> bytes: ...

    @abstractmethod
    def write(self, name: str, content: bytes) -> None: ...

    @abstractmethod
    def delete(self, name: str) -> None: ...
