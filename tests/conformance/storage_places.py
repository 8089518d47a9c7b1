"""Where the storages under test keep code: a project here, a place that keeps it, and ways to change and to remove what is there."""

from __future__ import annotations

import atexit
import base64
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from appliance.client.transport import Transport
from appliance.kit.ids import uuid7
from appliance.packaging.bundle import Bundle
from appliance.packaging.docker import Docker, share
from appliance.packaging.git import Git as GitPlace
from appliance.packaging.http import Http
from appliance.packaging.module import Module as ModulePlace
from appliance.packaging.sftp import Sftp as SftpStorage
from appliance.packaging.site_store import Local as LocalPlace
from appliance.packaging.site_store import SiteStore
from appliance.packaging.storage import LoadError
from tests import docker_images
from tests.conformance.bucket_places import S3, Azure, Google
from tests.conformance.git_servers import TOKEN, GitOverHttp, GitOverSsh
from tests.conformance.place import CANARY, HELPER, Archived, Place
from tests.conformance.sftp_server import PASSWORD, USER, Sftp


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


class InDocker(Place):
    """An image, from which the code is copied, to be loaded here as in a container of it."""

    fetched = False
    image = "appliance-test-storages:latest"
    of_process = f"appliance-test-storages-{os.getpid()}"

    def __init__(self, directory: Path) -> None:
        if docker_images.missing():
            pytest.skip(docker_images.missing())
        super().__init__(directory)
        self.is_changed = False
        _build_once(self.image)

    def author(self) -> Any:
        return Docker(self.image)

    def send(self, at: Any) -> None:
        for image in share([at], self.of_process):
            image.build(print)

    def change(self, document: dict[str, Any]) -> None:
        self.is_changed = True

    def remove(self, document: dict[str, Any]) -> None:
        subprocess.run(["docker", "image", "rm", document["image"]], check=True, capture_output=True)

    def obtained(self, document: dict[str, Any], folder: Path) -> dict[str, Any]:
        made = subprocess.run(["docker", "create", document["id"], "true"], capture_output=True, text=True, check=False)
        if made.returncode:
            raise LoadError("The image is gone.")
        container = made.stdout.strip()
        subprocess.run(["docker", "cp", f"{container}:{document['folder']}", folder], check=True, capture_output=True)
        subprocess.run(["docker", "rm", container], check=True, capture_output=True)
        if self.is_changed:
            (folder / "shop/helper.py").write_text(f"{HELPER}\n# changed\n")
        return super().obtained(document | {"folder": str(folder.resolve())}, folder)


@cache
def _build_once(image: str) -> None:
    """The image to build on; what is built on it goes at the end."""
    with tempfile.TemporaryDirectory() as folder:
        docker_images.build(Path(folder), image, {})
    atexit.register(_remove_built, InDocker.of_process)


def _remove_built(project: str) -> None:
    command = ["docker", "image", "ls", "--quiet", "--filter", f"label=appliance.project={project}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    if found:
        subprocess.run(["docker", "image", "rm", "--force", *found], check=False, capture_output=True)


PLACES: dict[str, type[Place]] = {
    "local": Local,
    "module": Module,
    "bundle": BundlePlace,
    "git": Git,
    "git over ssh": GitSsh,
    "git over http": GitHttp,
    "s3": S3,
    "gs": Google,
    "az": Azure,
    "sftp": SftpPlace,
    "http": HttpPlace,
    "docker": InDocker,
}
"""A new storage joins by a line here."""


@contextmanager
def opened(kind: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place, whose secrets the author has in the environment, too."""
    place = PLACES[kind](directory)
    for name, value in place.secrets.items():
        monkeypatch.setenv(f"APPLIANCE_SECRET_{name}", value)
    for name, value in place.environ.items():
        monkeypatch.setenv(name, value)
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
