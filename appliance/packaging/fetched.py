"""A tree of files that was fetched for a version: compared with what was registered, and described as code that is on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec

from appliance.core import flow_source
from appliance.packaging.storage import CodeMissing
from appliance.protocol import storage as storages
from appliance.protocol.fetched_code import CodeTree, FetchedCode, root_of


def check(document: dict[str, Any], folder: Path) -> None:
    """Compare all files with what was registered, and remove those that don't belong to the version. Raises CodeMissing for the first that is
    not as it was."""
    code = _decoded(document)
    folder = folder.resolve()
    expected = {**code.files, code.path: code.sha256}
    _remove_others(folder, expected)
    for name, sha256 in expected.items():
        try:
            if flow_source.digest(flow_source.read(folder / name)) == sha256:
                continue
            problem = "differs from what was registered"
        except OSError as error:
            problem = f"can't be used ({error.strerror or error})"
        raise CodeMissing(f"The file {name} of flow {code.flow!r} {problem}: register the flow again.")


def local_document(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same code as `LocalStorage` describes it, in this folder. Files that are not below the folder of its imports are left out."""
    return placed(_decoded(document), folder)


def placed(code: CodeTree, folder: Path) -> dict[str, Any]:
    """The same, for a document that was decoded."""
    folder = folder.resolve()
    root = root_of(code.path, code.module, code.files)
    prefix = "" if str(root) == "." else f"{root}/"
    files = {name.removeprefix(prefix): sha256 for name, sha256 in code.files.items() if name.startswith(prefix)}
    module = {} if code.module is None else {"module": code.module}
    others = {"root": str(folder / root), "files": files} if files else {}
    return {
        "type": "local",
        "path": str(folder / code.path),
        "flow": code.flow,
        "sha256": code.sha256,
        **module,
        **others,
    }


def listed(code: FetchedCode, folder: Path) -> FetchedCode:
    """The document of a tree that is known to be right as a whole, with the hashes of the files that it has."""
    folder = folder.resolve()
    files = {
        (Path(place) / name).relative_to(folder).as_posix(): flow_source.digest(flow_source.read(Path(place) / name))
        for place, _, names in os.walk(folder)
        for name in sorted(names)
    }
    return msgspec.structs.replace(code, sha256=files.pop(code.path), files=dict(sorted(files.items())))


def _decoded(document: dict[str, Any]) -> FetchedCode:
    code = storages.decode(document)
    assert isinstance(code, FetchedCode)
    return code


def _remove_others(folder: Path, expected: dict[str, str]) -> None:
    """Whatever is not listed: a link is removed, and not what it leads to."""
    needed = {name[:end] for name in expected for end, letter in enumerate(name) if letter == "/"}
    for place, inner, names in os.walk(folder):
        prefix = "" if place == str(folder) else f"{os.path.relpath(place, folder)}/"
        for name in list(inner):
            path = Path(place, name)
            if path.is_symlink():
                path.unlink()
                inner.remove(name)
            elif prefix + name not in needed:
                shutil.rmtree(path)
                inner.remove(name)
        for name in names:
            if prefix + name not in expected:
                Path(place, name).unlink()
