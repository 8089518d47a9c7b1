"""Tiny wheels, made by hand, and a package index that serves them: as plain as a folder behind a web server."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def wheel(
    folder: Path, name: str, version: str, *, requires: tuple[str, ...] = (), code: str = "", tag: str = "py3-none-any"
) -> str:
    """Put a wheel with one module into a folder. Returns its SHA-256."""
    info = f"{name}-{version}.dist-info"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {each}" for each in requires),
    ]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n{code}",
        f"{info}/METADATA": "\n".join([*metadata, ""]),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    return hashlib.sha256(target.read_bytes()).hexdigest()


class Index:
    """An index at `url` over a folder with one folder of wheels per project. `asked` are the paths of all requests. It answers with `status` if that is set,
    and holds requests for the path `hold`: `held` says that there is one, and `go_on` lets them through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.asked: list[str] = []
        self.status = 0
        self.hold = ""
        self.held, self.go_on = threading.Event(), threading.Event()

    def add(self, name: str, version: str, **options: object) -> str:
        return wheel(self.folder / name.replace("_", "-"), name, version, **options)  # type: ignore[arg-type]


@contextmanager
def serving(folder: Path) -> Iterator[Index]:
    """Serve an index on the loopback."""
    index = Index(folder)

    class Handler(SimpleHTTPRequestHandler):
        def send_head(self) -> object:  # type: ignore[override]
            index.asked.append(self.path)
            if self.path == index.hold:
                index.held.set()
                index.go_on.wait()
            if index.status:
                self.send_error(index.status)
                return None
            return super().send_head()

        def log_message(self, *_arguments: object) -> None:
            return

    folder.mkdir(exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        index.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield index
        finally:
            index.go_on.set()
            server.shutdown()
            thread.join()
