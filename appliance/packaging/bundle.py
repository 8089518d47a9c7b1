"""Flow code as a bundle: all files of the version in one archive, which the server keeps and the agent fetches.

A bundle is identified by its list of files, so that equal sources are uploaded once. Of a sealed one, that list is in the archive alone: the
document has a hash of it that is keyed, and of the flow's file, beside its path, likewise a keyed hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.client import bundles
from appliance.client.errors import PASSING, ClientError, NotFound
from appliance.client.transport import Transport
from appliance.core import flow_source
from appliance.kit.distribution import MissingExtra
from appliance.packaging import archive, fetched, sealing, sources
from appliance.packaging.archive import BadArchive
from appliance.packaging.local import LocalStorage
from appliance.packaging.sealing import BundleKey, KeyMissing, WrongKey
from appliance.packaging.storage import Access, CodeMissing, LoadError, Unreachable
from appliance.protocol import storage as storages
from appliance.protocol.bundles import PutBundle
from appliance.protocol.fetched_code import module_of
from appliance.protocol.storage import BundleCode

REQUIREMENTS = ("requirements.lock", "requirements.txt")
"""Files of a project that are part of each bundle, as data."""


@dataclass(frozen=True)
class BundleStorage:
    """The files by their paths in the tree; `path` is that of the flow's. With a key, they are sealed."""

    path: str
    flow: str
    module: str | None
    files: dict[str, bytes]
    source: Path
    """Where the flow's file is here."""
    key: BundleKey | None = None

    @classmethod
    def of(cls, local: LocalStorage, key: BundleKey | None = None) -> BundleStorage:
        """The bundle of a flow that was found here. Raises LoadError if a file has changed since."""
        project = sources.project_of(local.path)
        root = local.sources.root if project is None or not local.sources.root.is_relative_to(project) else project
        hashes = {local.path: local.sha256} | {
            local.sources.root / name: sha256 for name, sha256 in local.sources.files.items()
        }
        files = {path.relative_to(root).as_posix(): _content(path, sha256) for path, sha256 in hashes.items()}
        for name in REQUIREMENTS if root == project else ():
            if (root / name).is_file() and not (root / name).is_symlink():
                files[name] = flow_source.read(root.resolve() / name)
        return cls(local.path.relative_to(root).as_posix(), local.flow, local.module, files, local.path, key)

    @property
    def digest(self) -> str:
        """What identifies the files."""
        listing = archive.listing(self.files)
        return hashlib.sha256(listing).hexdigest() if self.key is None else self.key.name(listing)

    def describe(self) -> dict[str, Any]:
        hashes = {name: flow_source.digest(content) for name, content in sorted(self.files.items())}
        own = hashes.pop(self.path)
        module = {} if self.module is None else {"module": self.module}
        document = {"type": "bundle", "path": self.path, "flow": self.flow, **module, "digest": self.digest}
        if self.key is not None:
            name = module_of(
                self.path, self.module, self.files
            )  # without the list of files, it doesn't follow from the path
            return document | {"module": name, "sha256": self.key.name(self.files[self.path]), "sealed": True}
        return document | {"sha256": own} | ({"files": hashes} if hashes else {})

    def packed(self) -> bytes:
        """The bytes that the server keeps."""
        data = archive.pack(self.files)
        return data if self.key is None else self.key.seal(data)

    def upload(self, project: str) -> PutBundle:
        """The message that stores it."""
        data = self.packed()
        sha256 = hashlib.sha256(data).hexdigest()
        key_id = "" if self.key is None else self.key.ids[0]
        return PutBundle(
            project=project, digest=self.digest, sha256=sha256, sealed=self.key is not None, key_id=key_id, content=data
        )

    @classmethod
    def fetch(cls, document: dict[str, Any], folder: Path, access: Access) -> None:
        """Download, open and unpack the bundle. Raises CodeMissing, LoadError or Unreachable."""
        code = _decoded(document)
        try:
            key = sealing.required_key() if code.sealed else None
        except (KeyMissing, MissingExtra) as error:  # somebody can help, so the run waits
            raise CodeMissing(str(error)) from error
        data = _download(access)
        try:
            plain = data if key is None else key.open(data)
            archive.unpack(plain, folder, None if code.sealed else {code.path, *code.files})
        except WrongKey as error:
            raise CodeMissing(
                f"The bundle of flow {code.flow!r} was sealed with another key than this agent's, or was changed: set {sealing.SETTING} to the key "
                "of those who register flows and restart the agent, or register the flow again with this key."
            ) from error
        except BadArchive as error:
            raise CodeMissing(
                f"The bundle of flow {code.flow!r} can't be used: {error}; register the flow again."
            ) from error

    @classmethod
    def unsealed(cls, document: dict[str, Any], folder: Path) -> dict[str, Any]:
        """Compare the files of a sealed bundle with its keyed hash. Returns the same code as code that is there. Raises CodeMissing."""
        code = _decoded(document)
        try:
            key = sealing.required_key()
            actual = fetched.listed(code, folder)
        except (KeyMissing, MissingExtra, OSError, KeyError, ValueError) as error:
            raise CodeMissing(str(error) if isinstance(error, KeyMissing) else _differs(code)) from error
        if not key.has_named(code.digest, archive.encoded({**actual.files, actual.path: actual.sha256})):
            raise CodeMissing(_differs(code))
        return fetched.placed(actual, folder)


class Bundle:
    """Register a flow's files as a bundle: `Flow(..., storage=Bundle())`. In a project, that is the default."""

    def at(self, local: LocalStorage) -> BundleStorage:
        """The storage of a flow that was found here."""
        return BundleStorage.of(local, sealing.key_of())

    def describe(self) -> dict[str, Any]:
        return {"type": "bundle"}


def _decoded(document: dict[str, Any]) -> BundleCode:
    code = storages.decode(document)
    assert isinstance(code, BundleCode)
    return code


def _differs(code: BundleCode) -> str:
    return f"The files of flow {code.flow!r} are not those that were registered: register the flow again."


def _download(access: Access) -> bytes:
    try:
        with Transport(access.transport.url, access.run_token) as transport:
            answer = bundles.take(transport, access.flow_run_id, access.attempt)
    except NotFound as error:
        raise CodeMissing(str(error)) from error
    except PASSING as error:
        raise Unreachable(str(error)) from error
    except ClientError as error:
        raise LoadError(str(error)) from error
    if hashlib.sha256(answer.content).hexdigest() != answer.sha256:
        raise CodeMissing("The bundle on the server was damaged: register the flow again.")
    return answer.content


def _content(path: Path, sha256: str) -> bytes:
    try:
        content = flow_source.read(path)
    except OSError as error:
        raise LoadError(f"The file {path.name} can't be read: {error.strerror or error}.") from error
    if flow_source.digest(content) != sha256:
        raise LoadError(f"The file {path.name} was changed while the flow was registered; register it again.")
    return content
