"""Where the storages under test keep code: a project here, a place that keeps it, and ways to change and to remove what is there."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import obstore.store
import pytest

from appliance.client.transport import Transport
from appliance.kit.ids import uuid7
from appliance.packaging import loading
from appliance.packaging.bundle import Bundle
from appliance.packaging.discover import flows_in
from appliance.packaging.git import Git as GitPlace
from appliance.packaging.http import Http
from appliance.packaging.module import Module as ModulePlace
from appliance.packaging.object_stores import ObjectStore
from appliance.packaging.placed import PlacedStorage
from appliance.packaging.register import place_of, registration
from appliance.packaging.sftp import Sftp as SftpStorage
from appliance.packaging.site_store import Local as LocalPlace
from appliance.packaging.site_store import SiteStore
from appliance.protocol.flows import Registration
from tests.conformance.git_servers import TOKEN, GitOverHttp, GitOverSsh
from tests.conformance.sftp_server import PASSWORD, USER, Sftp

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


class Local(Place):
    fetched = False

    def author(self) -> Any:
        return LocalPlace()

    def change(self, document: dict[str, Any]) -> None:
        (self.package / "helper.py").write_text(f"{HELPER}\n# changed\n")

    def remove(self, document: dict[str, Any]) -> None:
        shutil.rmtree(self.package)


class Module(Place):
    fetched = False

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.site = directory / "site"
        sys.path.insert(0, str(self.site))
        self.version = 0

    def author(self) -> Any:
        return ModulePlace("shop.flows")

    def save(self) -> None:
        """Install it, as another version if it has changed."""
        if self._content(self.package) == self._content(self.site / "shop"):
            return
        shutil.rmtree(self.site, ignore_errors=True)
        self.version += 1
        shutil.copytree(self.package, self.site / "shop", ignore=shutil.ignore_patterns("__pycache__"))
        info = self.site / f"shop_flows-{self.version}.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: shop-flows\nVersion: {self.version}.0\n")
        (info / "RECORD").write_text("".join(f"shop/{name},,\n" for name in self._content(self.package)))
        (info / "top_level.txt").write_text("shop\n")
        importlib.invalidate_caches()

    def change(self, document: dict[str, Any]) -> None:
        (self.package / "helper.py").write_text(f"{HELPER}\n# changed\n")
        self.save()

    def remove(self, document: dict[str, Any]) -> None:
        shutil.rmtree(self.site)
        importlib.invalidate_caches()

    def close(self) -> None:
        sys.path.remove(str(self.site))

    @staticmethod
    def _content(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(folder.glob("*.*"))}


class Git(Place):
    """A bare repository on disk."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.bare = directory / "shop.git"
        git(directory, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        git(self.project, "init", "--quiet", "--initial-branch=main")
        (self.project / ".gitignore").write_text("__pycache__/\n")
        git(self.project, "remote", "add", "origin", str(self.bare))

    def author(self) -> Any:
        return GitPlace(f"file://{self.bare}")

    def save(self) -> None:
        """Commit and push what has changed."""
        if not (self.project / ".git").exists() or not git(self.project, "status", "--porcelain"):
            return
        git(self.project, "add", ".")
        git(self.project, "commit", "--quiet", "--message=work")
        git(self.project, "push", "--quiet", "origin", "main")

    def change(self, document: dict[str, Any]) -> None:
        """Nobody can change a commit, so another one is put in its place."""
        (self.package / "helper.py").write_text(f"{HELPER}\n# changed\n")
        self.save()
        document["commit"] = git(self.project, "rev-parse", "HEAD")

    def remove(self, document: dict[str, Any]) -> None:
        shutil.rmtree(self.bare)


class GitSsh(Git):
    def __init__(self, directory: Path) -> None:
        if shutil.which("ssh") is None:
            pytest.skip("the program ssh is not installed here")
        super().__init__(directory)
        self.server = GitOverSsh()
        key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", CANARY, "-f", str(key)], check=True)
        self.server.allowed = key.with_suffix(".pub").read_text().split()[1]
        self.secrets["DEPLOY_KEY"] = key.read_text()

    def author(self) -> Any:
        return GitPlace(f"{self.server.url}{self.bare}", key="DEPLOY_KEY", known_hosts=self.server.known_hosts)

    def close(self) -> None:
        self.server.close()


class GitHttp(Git):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.server = GitOverHttp(directory)
        self.secrets["FORGE_TOKEN"] = TOKEN

    def author(self) -> Any:
        return GitPlace(f"{self.server.url}/shop.git", ref="main", token="FORGE_TOKEN")

    def close(self) -> None:
        self.server.close()


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


class InFolder(Archived):
    """What serves the archives has them as files."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.folder = directory / "served"
        self.folder.mkdir()

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()


class SftpPlace(InFolder):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.server = Sftp(directory, directory)
        self.secrets["SFTP_PASSWORD_OF_ADA"] = PASSWORD

    def author(self) -> Any:
        return SftpStorage(
            f"sftp://{USER}@127.0.0.1:{self.server.port}{self.folder}",
            password="SFTP_PASSWORD_OF_ADA",
            known_hosts=self.server.known_hosts.read_text(),
        )

    def close(self) -> None:
        self.server.close()


class HttpPlace(InFolder):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.secrets["FILES_HEADERS"] = json.dumps({"Authorization": f"Bearer {CANARY}"})
        handler = type("Handler", (_Files,), {"place": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/flows"
        self.redirect = ""
        threading.Thread(target=self.server.serve_forever, name="files", daemon=True).start()

    def author(self) -> Any:
        return Http(self.url, headers="FILES_HEADERS")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Files(BaseHTTPRequestHandler):
    place: ClassVar[HttpPlace]

    def do_GET(self) -> None:
        if self.place.redirect:
            return self._answer(302, location=self.place.redirect)
        if self.headers.get("authorization") != f"Bearer {CANARY}":
            return self._answer(403)
        file = self.place.folder / self.path.removeprefix("/flows/")
        if self.command == "PUT":
            file.write_bytes(self.rfile.read(int(self.headers["content-length"])))
            self.place.uploads += 1
            return self._answer(201)
        return self._answer(200, file.read_bytes()) if file.is_file() else self._answer(404)

    do_HEAD = do_PUT = do_GET

    def _answer(self, status: int, content: bytes = b"", location: str = "") -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        if location:
            self.send_header("location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads it."""


class S3(Archived):
    """moto's server, whose address is in AWS_ENDPOINT_URL."""

    bucket: ClassVar[str] = "code"

    def author(self) -> Any:
        return ObjectStore(f"s3://{self.bucket}/flows")

    def read(self, name: str) -> bytes:
        return bytes(obstore.get(self._store(), name).bytes())

    def write(self, name: str, content: bytes) -> None:
        obstore.put(self._store(), name, content)

    def delete(self, name: str) -> None:
        obstore.delete(self._store(), name)

    def _store(self) -> Any:
        return obstore.store.S3Store(self.bucket, prefix="flows")


class BundlePlace(Place):
    """A stand-in for the site store, which keeps bundles by their digests."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.kept: dict[str, bytes] = {}
        self.wanted = ""
        handler = type("Handler", (_Store,), {"place": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.transport = Transport(f"http://127.0.0.1:{self.server.server_port}", "token")
        self.flow_run_id, self.attempt, self.run_token = uuid7(), 1, "token"
        threading.Thread(target=self.server.serve_forever, name="store", daemon=True).start()

    def author(self) -> Any:
        return Bundle()

    def send(self, at: Any) -> None:
        SiteStore(self.transport, "demo", print).send(at)

    def change(self, document: dict[str, Any]) -> None:
        (self.package / "helper.py").write_text(f"{HELPER}\n# changed\n")
        self.kept[document["digest"]] = self.kept[self.document()["digest"]]

    def remove(self, document: dict[str, Any]) -> None:
        del self.kept[document["digest"]]

    def obtained(self, document: dict[str, Any], folder: Path) -> dict[str, Any]:
        self.wanted = document["digest"]
        return super().obtained(document, folder)

    def close(self) -> None:
        self.transport.close()
        self.server.shutdown()
        self.server.server_close()


class _Store(BaseHTTPRequestHandler):
    place: ClassVar[BundlePlace]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        kept, body = self.place.kept, self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/bundle"):
            content = kept.get(self.place.wanted)
            if content is None:
                return self._answer(
                    404, {"code": "not_found", "message": "There is no such bundle.", "request_id": "r", "details": {}}
                )
            return self._answer(200, {"content": content, "sha256": hashlib.sha256(content).hexdigest()})
        request = msgspec.json.decode(body)
        if self.command == "PUT":
            kept[request["digest"]] = base64.b64decode(request["content"])
            self.place.uploads += 1
        stored = request.get("digest", "") in kept
        return self._answer(200, {"enabled": True, "stored": stored, "most_bytes": 10**8})

    do_PUT = do_POST

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        content = msgspec.json.encode(answer)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads it."""


PLACES: dict[str, type[Place]] = {
    "local": Local,
    "module": Module,
    "bundle": BundlePlace,
    "git": Git,
    "git over ssh": GitSsh,
    "git over http": GitHttp,
    "s3": S3,
    "sftp": SftpPlace,
    "http": HttpPlace,
}
"""A new storage joins by a line here."""


@contextmanager
def opened(kind: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place, whose secrets the author has in the environment, too."""
    place = PLACES[kind](directory)
    for name, value in place.secrets.items():
        monkeypatch.setenv(f"APPLIANCE_SECRET_{name}", value)
    try:
        yield place
    finally:
        place.close()


def git(folder: Path, *command: str) -> str:
    """What git prints, as an author who has nothing configured."""
    names = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull, **names}
    done = subprocess.run(["git", *command], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
